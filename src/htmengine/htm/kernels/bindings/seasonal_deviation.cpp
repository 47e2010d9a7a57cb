// Bindings of the default model's deviation from what is expected of a time, and of its parts.
#include <cmath>
#include <tuple>

#include "bindings/bindings.hpp"
#include "default/alarm_size.hpp"
#include "default/habits.hpp"
#include "default/odds.hpp"
#include "default/seasonal_deviation.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

void bind_alarm_size(nb::module_& module) {
    using P = AlarmSizeParameters;
    nb::class_<P>(module, "AlarmSizeParameters")
        .def(
            "__init__",
            [](P* self, double common_share, double rare_share, double odds, double caution, double recurring_share,
               double recurring_support, double recurring_factor, double recurring_limit, double least,
               std::uint32_t memory, std::uint32_t refit, std::uint32_t probation) {
                new (self) P{common_share,     rare_share,      odds,  caution, recurring_share, recurring_support,
                             recurring_factor, recurring_limit, least, memory,  refit,           probation};
            },
            nb::kw_only(), "common_share"_a, "rare_share"_a, "odds"_a, "caution"_a, "recurring_share"_a,
            "recurring_support"_a, "recurring_factor"_a, "recurring_limit"_a, "least"_a, "memory"_a, "refit"_a,
            "probation"_a);
    nb::class_<AlarmSize> bound(module, "AlarmSize");
    bound.def(nb::init<const P&>(), "parameters"_a)
        .def(
            "learn",
            [](AlarmSize& self, double size) {
                if (!(size >= 0.0)) throw std::invalid_argument("a size must be at least 0");
                self.learn(size);
            },
            "size"_a)
        .def("size", &AlarmSize::size)
        .def("strength", &AlarmSize::strength, "size"_a)
        .def("typical", &AlarmSize::typical)
        .def("usual", &AlarmSize::usual);
    bind_state(bound);
}

void bind_habits(nb::module_& module) {
    using P = HabitParameters;
    nb::class_<P>(module, "HabitParameters")
        .def(
            "__init__",
            [](P* self, double fading, double margin, double value_margin) {
                new (self) P{fading, margin, value_margin};
            },
            nb::kw_only(), "fading"_a, "margin"_a, "value_margin"_a);
    nb::class_<Habits> bound(module, "Habits");
    bound.def(nb::init<const P&>(), "parameters"_a)
        .def(
            "visit",
            [](Habits& self, double timestamp) {
                if (!std::isfinite(timestamp)) throw std::invalid_argument("a timestamp must be finite");
                self.visit(timestamp);
            },
            "timestamp"_a)
        .def("usual_strength", &Habits::usual_strength)
        .def("beyond_usual", &Habits::beyond_usual, "strength"_a)
        .def("usual_value", &Habits::usual_value, "value"_a)
        .def("add", &Habits::add, "strength"_a, "value"_a);
    bind_state(bound);
}

void bind_deviation(nb::module_& module) {
    using P = SeasonalDeviationParameters;
    nb::class_<ExpectationParameters>(module, "ExpectationParameters")
        .def(
            "__init__",
            [](ExpectationParameters* self, double level_rate, double day_rate, double week_rate, double hour_rate, double forecast_rate,
               double loss_rate, double ridge) {
                new (self) ExpectationParameters{level_rate, day_rate, week_rate, hour_rate, forecast_rate, loss_rate, ridge};
            },
            nb::kw_only(), "level_rate"_a, "day_rate"_a, "week_rate"_a, "hour_rate"_a, "forecast_rate"_a, "loss_rate"_a, "ridge"_a);
    nb::class_<TailParameters>(module, "TailParameters")
        .def(
            "__init__",
            [](TailParameters* self, double share, std::uint32_t memory, std::uint32_t refit, std::uint32_t probation,
               double heaviest, double outlier) {
                new (self) TailParameters{share, memory, refit, probation, heaviest, outlier};
            },
            nb::kw_only(), "share"_a, "memory"_a, "refit"_a, "probation"_a, "heaviest"_a, "outlier"_a);
    nb::class_<SeasonalDeviation> bound(module, "SeasonalDeviation");
    bound
        .def(
            "__init__",
            [](SeasonalDeviation* self, const ExpectationParameters& expectation, const AlarmSizeParameters& alarm_size,
               const TailParameters& tail, const HabitParameters& habits, double spread_rate, double long_rate,
               double offset_rate, double recent_rate, double limit, double profile_limit, double furthest,
               std::uint32_t constant_records) {
                new (self) SeasonalDeviation(
                    P{spread_rate, long_rate, offset_rate, recent_rate, limit, profile_limit, furthest, constant_records}, expectation,
                    alarm_size, tail, habits);
            },
            nb::kw_only(), "expectation"_a, "alarm_size"_a, "tail"_a, "habits"_a, "spread_rate"_a, "long_rate"_a,
            "offset_rate"_a, "recent_rate"_a, "limit"_a, "profile_limit"_a, "furthest"_a, "constant_records"_a)
        // A new one that knows its bulk.
        .def(
            "renewed",
            [](const SeasonalDeviation& self, double level, double error, double distance) {
                return self.renewed({level, error, distance});
            },
            "level"_a, "error"_a, "distance"_a)
        // Forecast, usual low and high, unit; strengths of distance, error, offset; prominence; digits of the rareness of distance,
        // error, offset, unrest; whether it is habitual.
        .def(
            "update",
            [](SeasonalDeviation& self, double timestamp, double value) {
                const auto s = self.update(timestamp, value);
                const auto& r = s.rareness;
                return std::make_tuple(s.forecast, s.usual_low, s.usual_high, s.unit, s.distance, s.error, s.offset,
                                       s.prominence, std::make_tuple(r.distance, r.error, r.offset, r.unrest), s.habitual);
            },
            "timestamp"_a, "value"_a)
        .def(
            "exceeds",
            [](const SeasonalDeviation& self, double error, double distance, double factor) {
                return self.exceeds({0.0, error, distance}, factor);
            },
            "error"_a, "distance"_a, "factor"_a);
    bind_state(bound);
}

void bind_odds(nb::module_& module) {
    nb::class_<Odds> bound(module, "Odds");
    bound
        .def(nb::init<const TailParameters&>(), "parameters"_a)
        // One in how many numbers is as high as this, which is from 0 to 1000.
        .def(
            "update",
            [](Odds& self, double number) {
                if (!(number >= 0.0 && number <= Tail::highest))
                    throw std::invalid_argument("a number must be from 0 to 1000");
                return self.update(number);
            },
            "number"_a);
    bind_state(bound);
}

}  // namespace

void bind_seasonal_deviation(nb::module_& module) {
    bind_alarm_size(module);
    bind_habits(module);
    bind_deviation(module);
    bind_odds(module);
}

}  // namespace htmengine
