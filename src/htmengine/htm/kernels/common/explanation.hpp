// Why a sample got its scores: what was expected, what is unusual about it, how often that was so before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace htmengine {

/// The scores of one sample. All from 0 to 1; NaN when the sample had no value or was refused.
struct Scores {
    static constexpr std::size_t count = 9;

    double raw = std::numeric_limits<double>::quiet_NaN();       // share of the active columns not foreseen
    double anomaly = std::numeric_limits<double>::quiet_NaN();   // how unusual, as a probability
    double log = std::numeric_limits<double>::quiet_NaN();       // the same on the log scale; 0.5 is 0.99999
    double sequence = std::numeric_limits<double>::quiet_NaN();  // log scale: what the memory did not expect
    double novelty = std::numeric_limits<double>::quiet_NaN();   // log scale: what the value is by itself
    double forecast = std::numeric_limits<double>::quiet_NaN();  // of the value, before it came; in its unit, as a float
    double usual_low = std::numeric_limits<double>::quiet_NaN();   // 99 of 100 values lie within these, as floats
    double usual_high = std::numeric_limits<double>::quiet_NaN();
    double one_in = std::numeric_limits<double>::quiet_NaN();  // one record in so many is as unusual, undamped

    // The last four are what the models of version 1 do not have; a model that has them keeps them itself.
    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.raw, self.anomaly, self.log, self.sequence, self.novelty);
    }
};

/// How unusual a sample is in each respect, on the log scale.
struct Strengths {
    double sequence = 0.0;  // the last records do not follow each other as before
    double jump = 0.0;      // the last steps are large
    double extreme = 0.0;   // the value lies beyond all before
    double distance = 0.0;  // it lies far from the metric's level
    double error = 0.0;     // it lies far from its forecast
    double offset = 0.0;    // the last values lie to one side of the level
    double unrest = 0.0;    // the last values lie far from their forecasts

    double pattern() const { return std::max({sequence, jump, extreme}); }
    double deviation() const { return std::max({distance, error, offset, unrest}); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.sequence, self.jump, self.extreme, self.distance, self.error, self.offset, self.unrest);
    }
};

/// What a model keeps of the sample that it scored last, to explain it when asked.
struct Verdict {
    double timestamp = 0.0;
    double value = 0.0;
    Scores scores;
    Strengths strengths;
    std::uint8_t pattern_decided = 0;  // else the deviation
    std::uint8_t damped = 0;
    double forecast = 0.0;     // of the value; NaN for the first
    double usual_error = 0.0;  // mean size of the forecast's errors
    std::uint64_t alarms_before = 0;
    double last_alarm = std::numeric_limits<double>::quiet_NaN();  // its timestamp; NaN when there was none

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.timestamp, self.value, self.scores, self.strengths, self.pattern_decided, self.damped,
                self.forecast, self.usual_error, self.alarms_before, self.last_alarm);
    }
};

struct Explanation {
    /// Values from low up to high, and the share of their columns that the memory had foreseen.
    struct Bucket {
        double low;
        double high;
        double foreseen;
    };

    Verdict verdict;
    double margin;  // size of the forecast's errors that one in a hundred exceeds; NaN on probation
    std::vector<Bucket> buckets;
};

}  // namespace htmengine
