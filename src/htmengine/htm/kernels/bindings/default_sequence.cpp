// Bindings of the default model's encoder, memory and scale of values.
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "default/hash_encoder.hpp"
#include "default/transition_memory.hpp"
#include "default/value_resolution.hpp"
#include "default/value_scale.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

void bind_hash_encoder(nb::module_& module) {
    using P = HashEncoderParameters;
    nb::class_<HashEncoder>(module, "HashEncoder")
        .def(
            "__init__",
            [](HashEncoder* self, std::uint32_t columns, std::uint32_t value_bits, std::uint32_t daytime_bits,
               std::uint32_t day_parts,
               std::uint64_t seed) { new (self) HashEncoder(P{columns, value_bits, daytime_bits, day_parts, seed}); },
            nb::kw_only(), "columns"_a, "value_bits"_a,
            "daytime_bits"_a, "day_parts"_a, "seed"_a)
        .def(
            "encode",
            [](const HashEncoder& self, double timestamp, double buckets) {
                std::vector<std::uint32_t> columns;
                self.encode(timestamp, buckets, columns);
                return to_numpy(std::move(columns));
            },
            "timestamp"_a, "buckets"_a);
}

void bind_transition_memory(nb::module_& module) {
    using P = TransitionMemoryParameters;
    nb::class_<TransitionMemory> bound(module, "TransitionMemory");
    bound
        .def(
            "__init__",
            [](TransitionMemory* self, std::uint32_t columns, std::uint32_t max_segments,
               std::uint32_t activation_threshold, std::uint32_t match_threshold, std::uint32_t new_synapses,
               std::uint32_t initial_permanence, std::uint32_t connected_permanence, std::uint32_t permanence_increment,
               std::uint32_t permanence_decrement, std::uint64_t seed) {
                new (self) TransitionMemory(P{columns, max_segments, activation_threshold, match_threshold,
                                              new_synapses, initial_permanence, connected_permanence,
                                              permanence_increment, permanence_decrement, seed});
            },
            nb::kw_only(), "columns"_a, "max_segments"_a,
            "activation_threshold"_a, "match_threshold"_a,
            "new_synapses"_a, "initial_permanence"_a,
            "connected_permanence"_a, "permanence_increment"_a,
            "permanence_decrement"_a, "seed"_a)
        .def(
            "compute",
            [](TransitionMemory& self, In<std::uint32_t> active) {
                for (std::size_t i = 0; i < active.size(); ++i)
                    if (active.data()[i] >= self.parameters().columns ||
                        (i && active.data()[i - 1] >= active.data()[i]))
                        throw std::invalid_argument("active columns must ascend and exist");
                return self.compute({active.data(), active.size()});
            },
            "active_columns"_a)
        // For each column: whether the step before the last one predicted it.
        .def("predicted", [](const TransitionMemory& self) { return to_numpy(self.predicted()); })
        .def_prop_ro("segment_count", &TransitionMemory::segment_count)
        .def_prop_ro("synapse_count", &TransitionMemory::synapse_count);
    bind_state(bound);
    bind_state<true>(bound);
}

void bind_value_scale(nb::module_& module) {
    using P = ValueScaleParameters;
    nb::class_<ValueScale> bound(module, "ValueScale");
    bound
        .def(
            "__init__",
            [](ValueScale* self, std::optional<double> minimum, std::optional<double> maximum, std::uint32_t buckets,
               double padding) {
                new (self)
                    ValueScale(P{minimum.value_or(std::numeric_limits<double>::quiet_NaN()), maximum.value_or(std::numeric_limits<double>::quiet_NaN()), buckets, padding});
            },
            nb::kw_only(), "minimum"_a = nb::none(), "maximum"_a = nb::none(), "buckets"_a,
            "padding"_a)
        .def("observe", &ValueScale::observe, "value"_a)
        .def("steps", &ValueScale::steps, "value"_a);
    bind_state(bound);
}

void bind_value_resolution(nb::module_& module) {
    using P = ValueResolutionParameters;
    nb::class_<ValueResolution> bound(module, "ValueResolution");
    bound
        .def(
            "__init__",
            [](ValueResolution* self, std::optional<double> minimum, std::optional<double> maximum,
               std::uint32_t buckets, double padding, double wild_share) {
                new (self) ValueResolution(
                    P{minimum.value_or(std::numeric_limits<double>::quiet_NaN()), maximum.value_or(std::numeric_limits<double>::quiet_NaN()), buckets, padding, wild_share});
            },
            nb::kw_only(), "minimum"_a = nb::none(), "maximum"_a = nb::none(), "buckets"_a, "padding"_a, "wild_share"_a)
        // `young`: (timestamp, value) of all samples so far, as long as there are at most 512.
        .def(
            "observe",
            [](ValueResolution& self, double value, const std::vector<std::pair<double, double>>& young) {
                std::vector<PastSample> samples;
                samples.reserve(young.size());
                for (const auto& [timestamp, past] : young) samples.push_back({timestamp, past});
                if (!self.settled() && samples.size() != self.count() + 1)
                    throw std::invalid_argument("young must hold all samples so far");
                return self.observe(value, samples);
            },
            "value"_a, "young"_a)
        .def("steps", &ValueResolution::steps, "value"_a)
        .def("value_at", &ValueResolution::value_at, "steps"_a);
    bind_state(bound);
}

}  // namespace

void bind_default_sequence(nb::module_& module) {
    bind_hash_encoder(module);
    bind_transition_memory(module);
    bind_value_scale(module);
    bind_value_resolution(module);
}

}  // namespace htmengine
