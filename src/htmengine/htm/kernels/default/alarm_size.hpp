// How large a deviation must be to be an alarm, by the sizes of those before it.
//
// Sizes are counted in bins of equal ratio. Between the size that one in twelve exceeds and the one that one in seventy
// exceeds, an exponential tail is laid and followed to the odds of an alarm. Quantiles of the bulk are what no single
// size and no short burst can move. What recurs, in at least a few records and one in a thousand, is usual for the
// metric: an alarm must exceed it, up to a limit.
//
// Alarms in a row are one event: each counts half of the one before, down to a sixteenth. The records of a run are no
// independent evidence of how large sizes become, so runs are declustered before a tail is fitted. Where a metric mostly
// stands still, every record counts: there a run is what each of its steps looks like.
// Source: Ferro and Segers (2003), "Inference for clusters of extreme values", doi:10.1111/1467-9868.00401; here with
// weights instead of maxima of clusters.
#pragma once

#include <cstdint>
#include <vector>

namespace htmengine {

struct AlarmSizeParameters {
    double common_share;       // of the sizes, the highest: where the tail is laid from
    double rare_share;         // and where to
    double odds;               // of an alarm, by that tail
    double caution;            // factor on the size that the tail gives: real tails are heavier
    double recurring_share;    // of the sizes, the highest: what is exceeded so often recurs
    double recurring_support;  // records that must have been as large, too
    double recurring_factor;   // an alarm exceeds by so much what recurs
    double recurring_limit;    // but what recurs raises the size at most by this factor
    double least;              // size of an alarm at least
    std::uint32_t memory;      // sizes after which each counts half
    std::uint32_t refit;       // sizes between two fits, when there are 200 or more
    std::uint32_t probation;   // sizes before the first fit
};

class AlarmSize {
   public:
    static constexpr double highest = 1000.0;  // larger sizes count as this one

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit AlarmSize(const AlarmSizeParameters& parameters);

    /// The size of an alarm by the last fit; 0 on probation.
    double size() const { return size_; }

    /// The size in units of that of an alarm; 0 on probation.
    double strength(double size) const { return size_ > 0.0 ? size / size_ : 0.0; }

    /// What the size of an alarm mostly was: the geometric mean of the fits, each for the records since the one before;
    /// 0 on probation.
    double typical() const { return typical_; }

    /// The size that one in a hundred exceeds, by the last fit; NaN on probation.
    double usual() const { return usual_; }

    /// Whether the metric rarely stands still, by the last fit; false on probation.
    bool varies() const { return varies_ != 0; }

    /// Counts a size, at least 0. Amortised constant time.
    void learn(double size);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.counts_, self.total_, self.sizes_, self.size_, self.typical_, self.usual_, self.varies_, self.run_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double exceeded_by(double weight) const;
    void fade(std::uint32_t kept, std::uint32_t of);
    void fit();

    AlarmSizeParameters parameters_;
    std::vector<std::uint32_t> counts_;  // per bin
    std::uint64_t total_ = 0;
    std::uint64_t sizes_ = 0;
    double size_ = 0.0;  // 0 before the first fit
    double typical_ = 0.0;  // 0 before the first fit
    double usual_;
    std::uint8_t varies_ = 0;  // whether the metric rarely stands still, by the last fit
    std::uint8_t run_ = 0;  // alarms in a row up to the last size, as many as count
};

}  // namespace htmengine
