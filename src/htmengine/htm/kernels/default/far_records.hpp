// Records far from what is expected that say little of what to expect.
#pragma once

#include <cstdint>

namespace htmengine {

/// A lone burst: records far off, all within a short time, with at most one such time before it in the last thousand.
///
/// A glitch is no evidence of a new level or of what is usual at its time. What comes back is, and so is what stays: these
/// are lone no longer.
class LoneBurst {
   public:
    /// Takes note of a record and whether it lies far off; says whether it belongs to a lone burst.
    bool observe(bool far);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.bursts_, self.since_, self.records_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    static constexpr std::uint8_t apart = 8;  // records without one after which another far record is another burst

    double bursts_ = 0.0;  // in the last thousand records: each fades
    std::uint8_t since_ = apart;
    std::uint8_t records_ = 0;  // of this burst that were far, at most one more than count
};

/// A far value that comes back bit for bit: what stands for a missing value (-9999), a full scale, a sensor that is off.
///
/// Of the values of far records, the one that makes most visits is kept: a majority vote (Boyer and Moore 1991, "MJRTY: a
/// fast majority vote algorithm", doi:10.1007/978-94-011-3488-0_5). Records in a row with the value are one visit. From
/// its second visit on it says nothing of how far the metric's own values lie, and when it comes often, it is usual. A
/// value that stays is a level of the metric.
class StandIn {
   public:
    enum class Kind : std::uint8_t { none, known, usual };

    /// Takes note of a record and whether it lies far off; says what it is.
    Kind observe(double value, bool far);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.value_, self.visits_, self.votes_, self.records_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double value_ = 0.0;
    double visits_ = 0.0;       // of the value, in the last two thousand records: each fades
    std::uint8_t votes_ = 0;    // visits of the value less those of others, within limits; 0: there is none
    std::uint8_t records_ = 0;  // in a row with the value up to the last one, at most as many as make a level
};

}  // namespace htmengine
