// Bindings of the parts of the default model that look at single values, at their tails, and of the first version's deviation.
#include <cmath>
#include <tuple>
#include <utility>

#include "bindings/bindings.hpp"
#include "default/deviation.hpp"
#include "default/frozen_value.hpp"
#include "default/novelty.hpp"
#include "default/tail.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

void bind_novelty(nb::module_& module) {
    using P = NoveltyParameters;
    nb::class_<Novelty> bound(module, "Novelty");
    bound
        .def(
            "__init__",
            [](Novelty* self, double jump_rate, double jump_limit, double range_memory, double range_tolerance,
               double range_settling, double range_saturation) {
                new (self) Novelty(
                    P{jump_rate, jump_limit, range_memory, range_tolerance, range_settling, range_saturation});
            },
            nb::kw_only(), "jump_rate"_a, "jump_limit"_a,
            "range_memory"_a, "range_tolerance"_a,
            "range_settling"_a, "range_saturation"_a)
        // The scores of the jump and of the extreme.
        .def(
            "update",
            [](Novelty& self, double value) {
                const auto score = self.update(value);
                return std::make_pair(score.jump, score.extreme);
            },
            "value"_a);
    bind_state(bound);
}

void bind_frozen_value(nb::module_& module) {
    nb::class_<FrozenValue> bound(module, "FrozenValue");
    bound
        .def(nb::init<>())
        .def(
            "update",
            [](FrozenValue& self, double value) {
                if (!std::isfinite(value)) throw std::invalid_argument("a value must be finite");
                return self.update(value);
            },
            "value"_a);
    bind_state(bound);
}

void bind_tail(nb::module_& module) {
    using P = TailParameters;
    nb::class_<Tail> bound(module, "Tail");
    bound
        .def(
            "__init__",
            [](Tail* self, double share, std::uint32_t memory, std::uint32_t refit, std::uint32_t probation,
               double heaviest,
               double outlier) { new (self) Tail(P{share, memory, refit, probation, heaviest, outlier}); },
            nb::kw_only(), "share"_a, "memory"_a, "refit"_a,
            "probation"_a, "heaviest"_a, "outlier"_a)
        // -log10 of the probability of a number as high as this, which is from 0 to 1000.
        .def(
            "update",
            [](Tail& self, double number) {
                if (!(number >= 0.0 && number <= Tail::highest))
                    throw std::invalid_argument("a number must be from 0 to 1000");
                return self.update(number);
            },
            "number"_a);
    bind_state(bound);
}

void bind_deviation(nb::module_& module) {
    using P = DeviationParameters;
    nb::class_<Deviation> bound(module, "Deviation");
    bound
        .def(
            "__init__",
            [](Deviation* self, double level_rate, double spread_rate, double forecast_rate, double recent_rate,
               double ridge, double limit, double tail_share, std::uint32_t tail_memory, std::uint32_t tail_refit,
               std::uint32_t tail_probation, double tail_heaviest, double tail_outlier) {
                new (self) Deviation(
                    P{level_rate, spread_rate, forecast_rate, recent_rate, ridge, limit},
                    TailParameters{tail_share, tail_memory, tail_refit, tail_probation, tail_heaviest, tail_outlier});
            },
            nb::kw_only(), "level_rate"_a, "spread_rate"_a,
            "forecast_rate"_a, "recent_rate"_a, "ridge"_a,
            "limit"_a, "tail_share"_a, "tail_memory"_a,
            "tail_refit"_a, "tail_probation"_a,
            "tail_heaviest"_a, "tail_outlier"_a)
        // Digits of the distance from the level, of the forecast's error, and of both over the last records.
        .def(
            "update",
            [](Deviation& self, double value) {
                const auto score = self.update(value);
                return std::make_tuple(score.distance, score.error, score.offset, score.unrest);
            },
            "value"_a)
        .def("forecast", &Deviation::forecast)
        .def("usual_error", &Deviation::usual_error)
        .def("error_exceeded", &Deviation::error_exceeded, "share"_a);
    bind_state(bound);
}

}  // namespace

void bind_default_novelty(nb::module_& module) {
    bind_novelty(module);
    bind_frozen_value(module);
    bind_tail(module);
    bind_deviation(module);
}

}  // namespace htmengine
