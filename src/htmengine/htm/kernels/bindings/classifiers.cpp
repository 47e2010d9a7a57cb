// Bindings of the classifiers.
#include "bindings/bindings.hpp"
#include "default/softmax_classifier.hpp"
#include "nupic/nupic_classifier.hpp"

namespace htmengine {

namespace {

/// Binds one of the classifiers.
template <class Kind>
nb::class_<Kind> bind_classifier(nb::module_& module, const char* name) {
    nb::class_<Kind> bound(module, name);
    bound
        .def(
            "__init__",
            [](Kind* self, std::uint32_t cells, std::vector<std::uint32_t> steps, double alpha, double value_gain,
               std::uint32_t max_buckets) {
                new (self) Kind({std::move(steps), alpha, value_gain, max_buckets}, cells);
            },
            nb::kw_only(), nb::arg("cells"), nb::arg("steps"), nb::arg("alpha"), nb::arg("value_gain"),
            nb::arg("max_buckets"))
        // The caller ensures that the cells exist and come once each. By step: value and probability.
        .def(
            "compute",
            [](Kind& self, In<std::uint32_t> cells, std::int64_t bucket, double value) {
                self.compute({cells.data(), cells.size()}, bucket, value);
                return pairs(self.predictions());
            },
            nb::arg("cells"), nb::arg("bucket"), nb::arg("value"));
    bind_state(bound);
    return bound;
}

}  // namespace

void bind_classifiers(nb::module_& module) {
    bind_classifier<SoftmaxClassifier>(module, "SoftmaxClassifier").def("forget", &SoftmaxClassifier::forget);
    bind_classifier<NupicClassifier>(module, "NupicClassifier");
}

}  // namespace htmengine
