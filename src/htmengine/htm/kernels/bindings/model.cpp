// Bindings of the default model's parts, of whole models and of the pool.
#include "bindings.hpp"
#include "hash_encoder.hpp"
#include "transition_memory.hpp"

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
            nb::kw_only(), "columns"_a = P{}.columns, "value_bits"_a = P{}.value_bits,
            "daytime_bits"_a = P{}.daytime_bits, "day_parts"_a = P{}.day_parts, "seed"_a = P{}.seed)
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
               std::uint32_t initial_permanence, std::uint32_t connected_permanence,
               std::uint32_t permanence_increment, std::uint32_t permanence_decrement, std::uint64_t seed) {
                new (self) TransitionMemory(P{columns, max_segments, activation_threshold, match_threshold,
                                              new_synapses, initial_permanence, connected_permanence,
                                              permanence_increment, permanence_decrement, seed});
            },
            nb::kw_only(), "columns"_a = P{}.columns, "max_segments"_a = P{}.max_segments,
            "activation_threshold"_a = P{}.activation_threshold, "match_threshold"_a = P{}.match_threshold,
            "new_synapses"_a = P{}.new_synapses, "initial_permanence"_a = P{}.initial_permanence,
            "connected_permanence"_a = P{}.connected_permanence,
            "permanence_increment"_a = P{}.permanence_increment,
            "permanence_decrement"_a = P{}.permanence_decrement, "seed"_a = P{}.seed)
        .def(
            "compute",
            [](TransitionMemory& self, In<std::uint32_t> active) {
                for (std::size_t i = 0; i < active.size(); ++i)
                    if (active.data()[i] >= self.parameters().columns || (i && active.data()[i - 1] >= active.data()[i]))
                        throw std::invalid_argument("active columns must ascend and exist");
                return self.compute({active.data(), active.size()});
            },
            "active_columns"_a)
        .def_prop_ro("segment_count", &TransitionMemory::segment_count)
        .def_prop_ro("synapse_count", &TransitionMemory::synapse_count);
    bind_state(bound);
}

}  // namespace

void bind_model(nb::module_& module) {
    bind_hash_encoder(module);
    bind_transition_memory(module);
}

}  // namespace htmengine
