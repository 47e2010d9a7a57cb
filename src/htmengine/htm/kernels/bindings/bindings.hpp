// What the bindings of all kernels share: array types and the bridge between state and Python bytes.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "common/classifier.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace nb = nanobind;

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<1>, nb::c_contig>;

/// Hands a vector to Python as a numpy array that owns it.
template <class T>
Out<T> to_numpy(std::vector<T> items) {
    auto* owned = new std::vector<T>(std::move(items));
    nb::capsule owner(owned, [](void* data) noexcept { delete static_cast<std::vector<T>*>(data); });
    return Out<T>(owned->data(), {owned->size()}, owner);
}

/// The same as a table of rows and columns.
template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<2>, nb::c_contig> to_numpy(std::vector<T> items, std::size_t rows,
                                                              std::size_t columns) {
    auto* owned = new std::vector<T>(std::move(items));
    nb::capsule owner(owned, [](void* data) noexcept { delete static_cast<std::vector<T>*>(data); });
    return {owned->data(), {rows, columns}, owner};
}

/// Gives a bound class `save_state() -> bytes` and `restore_state(bytes)`, or with the compact layout
/// `save_compact_state` and `restore_compact_state`.
template <bool compact = false, class T, class... Options>
void bind_state(nb::class_<T, Options...>& bound) {
    bound.def(compact ? "save_compact_state" : "save_state", [](const T& self) {
        const auto bytes = save_state<compact>(self);
        return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    bound.def(compact ? "restore_compact_state" : "restore_state", [](T& self, nb::bytes bytes) {
        restore_state<compact>(self, reinterpret_cast<const std::uint8_t*>(bytes.c_str()), bytes.size());
    });
}

/// Value and probability of each.
inline std::vector<std::pair<double, double>> pairs(const std::vector<Prediction>& predictions) {
    std::vector<std::pair<double, double>> found;
    for (const Prediction& prediction : predictions) found.emplace_back(prediction.value, prediction.probability);
    return found;
}

// One function for each file of bindings: the smaller a file, the sooner a changed line can be tried. They are called in
// this order, so that a type is bound before the signatures that name it.
void bind_encoders(nb::module_& module);  // and the random generator
void bind_multi_encoder(nb::module_& module);
void bind_spatial_pooler(nb::module_& module);
void bind_temporal_memory(nb::module_& module);
void bind_backtracking_memory(nb::module_& module);
void bind_classifiers(nb::module_& module);
void bind_likelihood(nb::module_& module);  // and portable mathematics
void bind_model(nb::module_& module);       // what all models have in common
void bind_nupic_model(nb::module_& module);
void bind_pool(nb::module_& module);
void bind_default_sequence(nb::module_& module);    // encoder, memory, scale of values
void bind_default_novelty(nb::module_& module);     // jumps, extremes, frozen values, tails; deviation of version 1
void bind_seasonal_deviation(nb::module_& module);  // and its parts, and odds
void bind_default_models(nb::module_& module);
void bind_row_block(nb::module_& module);  // stored rows as bytes

}  // namespace htmengine
