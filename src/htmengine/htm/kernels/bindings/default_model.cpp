// Bindings of the default model and of its first version.
#include "default/default_model.hpp"

#include "bindings/bindings.hpp"
#include "default/default_model_v1.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

void bind_default_model_v1(nb::module_& module) {
    nb::class_<DefaultModelV1, Model>(module, "DefaultModelV1")
        .def(
            "__init__",
            [](DefaultModelV1* self, const ValueScale& scale, const HashEncoder& encoder, const TransitionMemory& memory,
               const Novelty& novelty, const Deviation& deviation, const Likelihood& sequence_likelihood,
               const Likelihood& jump_likelihood, std::uint32_t quiet_records, double damping, std::uint32_t channels) {
                new (self) DefaultModelV1(scale, encoder, memory, novelty, deviation, sequence_likelihood,
                                        jump_likelihood, {quiet_records, damping, channels});
            },
            nb::kw_only(), "scale"_a, "encoder"_a, "memory"_a, "novelty"_a, "deviation"_a, "sequence_likelihood"_a,
            "jump_likelihood"_a, "quiet_records"_a, "damping"_a, "channels"_a);
}

void bind_default_model(nb::module_& module) {
    using P = CombinationParameters;
    nb::class_<DefaultModel, Model>(module, "DefaultModel")
        .def(
            "__init__",
            [](DefaultModel* self, const ValueResolution& resolution, const HashEncoder& encoder,
               const TransitionMemory& memory, const Novelty& novelty, const SeasonalDeviation& deviation,
               const Likelihood& sequence_likelihood, const Likelihood& jump_likelihood, const Odds& odds,
               std::uint32_t quiet_records, double quiet_seconds, double damping, double surpassing,
               double sequence_evidence, double jump_evidence, double extreme_evidence, double rareness_evidence,
               double young_evidence, std::uint32_t channels) {
                new (self) DefaultModel(resolution, encoder, memory, novelty, deviation, sequence_likelihood,
                                        jump_likelihood, odds,
                                        P{quiet_records, quiet_seconds, damping, surpassing, sequence_evidence,
                                          jump_evidence, extreme_evidence, rareness_evidence, young_evidence, channels});
            },
            nb::kw_only(), "resolution"_a, "encoder"_a, "memory"_a, "novelty"_a, "deviation"_a,
            "sequence_likelihood"_a, "jump_likelihood"_a, "odds"_a, "quiet_records"_a, "quiet_seconds"_a, "damping"_a,
            "surpassing"_a, "sequence_evidence"_a, "jump_evidence"_a, "extreme_evidence"_a, "rareness_evidence"_a,
            "young_evidence"_a, "channels"_a);
}

}  // namespace

void bind_default_models(nb::module_& module) {
    bind_default_model_v1(module);
    bind_default_model(module);
}

}  // namespace htmengine
