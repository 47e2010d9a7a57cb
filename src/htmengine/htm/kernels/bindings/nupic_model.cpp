// Bindings of NuPIC's models.
#include "nupic/nupic_model.hpp"

#include "bindings/bindings.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

/// Binds the constructor for one type of memory.
template <class Memory>
void bind_nupic_constructor(nb::class_<NupicModel, Model>& bound) {
    bound.def(
        "__init__",
        [](NupicModel* self, const MultiEncoder& encoder, const SpatialPooler& pooler, const Memory& memory,
           const Likelihood& likelihood) { new (self) NupicModel(encoder, pooler, memory, likelihood); },
        nb::kw_only(), "encoder"_a, "pooler"_a, "memory"_a, "likelihood"_a);
}

}  // namespace

void bind_nupic_model(nb::module_& module) {
    nb::class_<NupicModel, Model> bound(module, "NupicModel");
    bind_nupic_constructor<TemporalMemory>(bound);
    bind_nupic_constructor<BacktrackingMemory>(bound);
}

}  // namespace htmengine
