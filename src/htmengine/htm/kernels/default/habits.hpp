// What a metric does repeatedly at a time of day: how far it deviates, and which values it takes.
//
// A day has 48 half-hours. Of each, what at least two days showed counts, and fades by a share each day that does not
// show it: one day's incident is no habit. What happens up to half an hour earlier or later is still the habit's.
#pragma once

#include <cstdint>
#include <vector>

namespace htmengine {

struct HabitParameters {
    double fading;        // share that a day without it takes away
    double margin;        // a deviation must exceed the usual ones of its time by so much to be as strong as it is
    double value_margin;  // share of the range of values of a time that still belongs to it, on each side
};

class Habits {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit Habits(const HabitParameters& parameters);

    /// Sets the time of the next record.
    void visit(double timestamp);

    /// How strong deviations repeatedly are at this time; 0 where there are none.
    double usual_strength() const;

    /// What is left of a deviation's strength beside those that are usual at this time.
    double beyond_usual(double strength) const;

    /// Whether values like this one, relative to the metric's first one, are usual at this time.
    bool usual_value(double value) const;

    /// Takes a record of this time: the strength of its deviation, and its value relative to the first one.
    void add(double strength, double value);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.days_, self.peaks_, self.usual_peaks_, self.lows_, self.highs_, self.usual_lows_,
                self.usual_highs_, self.time_, self.peak_, self.low_, self.high_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    void end_visit();

    HabitParameters parameters_;
    // Per half-hour: visits, at most 250; the greatest of the last days, and what two of them reached.
    std::vector<std::uint8_t> days_;
    std::vector<float> peaks_;
    std::vector<float> usual_peaks_;
    std::vector<float> lows_;
    std::vector<float> highs_;
    std::vector<float> usual_lows_;
    std::vector<float> usual_highs_;
    std::uint32_t time_;  // half-hour at present; 48: none yet
    // Of this visit.
    double peak_ = 0.0;
    double low_ = 0.0;
    double high_ = 0.0;
};

}  // namespace htmengine
