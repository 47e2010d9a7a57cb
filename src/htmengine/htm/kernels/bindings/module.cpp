// The compiled module htmengine.htm._kernels.
#include "bindings/bindings.hpp"

NB_MODULE(_kernels, module) {
    using namespace htmengine;
    module.doc() = "Compiled kernels of htmengine.htm. Use the classes of htmengine.htm and htmengine.htm.nupic, which check and document them.";
    nanobind::exception<StateError>(module, "StateError", PyExc_ValueError);
    bind_encoders(module);
    bind_multi_encoder(module);
    bind_spatial_pooler(module);
    bind_temporal_memory(module);
    bind_backtracking_memory(module);
    bind_classifiers(module);
    bind_likelihood(module);
    bind_model(module);
    bind_nupic_model(module);
    bind_pool(module);
    bind_default_sequence(module);
    bind_default_novelty(module);
    bind_seasonal_deviation(module);
    bind_default_models(module);
    bind_row_block(module);
}
