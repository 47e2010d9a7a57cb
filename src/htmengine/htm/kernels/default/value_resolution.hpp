// From a metric's unit to steps of the encoder, by the bulk of what the metric has shown so far.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace htmengine {

/// A sample that a young model keeps, to learn it again.
struct PastSample {
    double timestamp;
    double value;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.timestamp, self.value);
    }
};

struct ValueResolutionParameters {
    double minimum;         // the metric's range, where it is known;
    double maximum;         // both or none
    std::uint32_t buckets;  // steps over the padded range
    double padding;         // share of the range added on each side
    double wild_share;      // of the values, at each end, may lie far from the others without stretching the range
};

/// Without a known range the resolution follows the range of the past values but for a few that lie far from all others.
/// It changes rarely, since all that was learned at the old resolution is then void: set by the first two values that
/// differ, it is looked at again after 4, 8, 16 … values and changes when the range asks for a quarter more or much less;
/// after 512 values, when it asks for four times as much because more than a few values lay outside.
class ValueResolution {
   public:
    static constexpr std::uint64_t values_to_settle = 512;

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit ValueResolution(const ValueResolutionParameters& parameters);

    /// Takes note of a value (at most 1e300 from zero, so that no difference overflows), the last of `young`: all values
    /// so far, as long as there are at most 512. True when the resolution changed.
    bool observe(double value, const std::vector<PastSample>& young);

    /// Whether the resolution has seen enough values: from then on it rarely changes.
    bool settled() const { return count_ >= values_to_settle; }

    std::uint64_t count() const { return count_; }

    /// The lowest and the highest value so far.
    double lowest() const { return lowest_; }
    double highest() const { return highest_; }

    /// The value so many steps above zero; as long as all values were equal, that value.
    double value_at(double steps) const { return resolution_ > 0.0 ? steps * resolution_ : lowest_; }

    /// The value in steps of the resolution; 0 as long as all values were equal.
    double steps(double value) const { return resolution_ > 0.0 ? value / resolution_ : 0.0; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.lowest_, self.highest_, self.bulk_low_, self.bulk_high_, self.count_, self.outside_, self.looked_at_,
                self.resolution_);
    }

    /// Throws StateError unless the resolution is finite and not negative.
    void restored() const;

   private:
    bool observe_young(const std::vector<PastSample>& young);
    bool observe_settled(double value);
    double resolution_of(double range) const;

    ValueResolutionParameters parameters_;
    bool known_;
    double lowest_ = 0.0;
    double highest_ = 0.0;
    double bulk_low_ = 0.0;
    double bulk_high_ = 0.0;
    std::uint64_t count_ = 0;
    std::uint64_t outside_ = 0;    // values far outside the bulk, of
    std::uint64_t looked_at_ = 0;  // so many since the last look
    double resolution_ = 0.0;      // 0: not known yet
};

}  // namespace htmengine
