// From a metric's unit to steps of the encoder, by what the metric has shown so far.
#pragma once

#include <cstdint>
#include <limits>

namespace htmengine {

struct ValueScaleParameters {
    double minimum;         // the metric's range, where it is known;
    double maximum;         // both or none
    std::uint32_t buckets;  // steps over the padded range
    double padding;         // share of the range added on each side
};

/// Without a known range the resolution follows the range of the past values. It changes rarely, since all that was
/// learned at the old resolution is then void: set by the first two values that differ, it is looked at again after 4, 8,
/// 16 … values, and grows when the range asks for a quarter more, after 1024 values for four times as much. It never falls.
class ValueScale {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit ValueScale(const ValueScaleParameters& parameters);

    /// Takes note of a value (at most 1e300 from zero, so that no difference overflows); true when the resolution
    /// changed.
    bool observe(double value);

    /// Whether the resolution is known or has seen enough values: from then on it rarely changes.
    bool settled() const { return known_ || count_ >= values_to_settle; }

    /// The lowest and the highest value so far.
    double lowest() const { return lowest_; }
    double highest() const { return highest_; }

    /// The value so many steps above zero; as long as all values were equal, that value.
    double value_at(double steps) const { return resolution_ > 0.0 ? steps * resolution_ : lowest_; }

    /// The value in steps of the resolution; 0 as long as all values were equal.
    double steps(double value) const { return resolution_ > 0.0 ? value / resolution_ : 0.0; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.lowest_, self.highest_, self.count_, self.resolution_);
    }

    /// Throws StateError unless the resolution is finite and not negative.
    void restored() const;

   private:
    static constexpr std::uint64_t values_to_settle = 1024;

    double resolution_of(double range) const;

    ValueScaleParameters parameters_;
    bool known_;
    double lowest_ = 0.0;
    double highest_ = 0.0;
    std::uint64_t count_ = 0;
    double resolution_ = 0.0;  // 0: not known yet
};

}  // namespace htmengine
