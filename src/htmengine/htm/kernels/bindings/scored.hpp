// Scores of many samples as arrays.
#pragma once

#include <nanobind/stl/tuple.h>

#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "common/pool.hpp"

namespace htmengine {

using ScoreTable = nb::ndarray<nb::numpy, double, nb::shape<-1, Scores::count>, nb::c_contig>;

inline ScoreTable to_table(std::vector<double> scores) {
    auto* owned = new std::vector<double>(std::move(scores));
    nb::capsule owner(owned, [](void* data) noexcept { delete static_cast<std::vector<double>*>(data); });
    return ScoreTable(owned->data(), {owned->size() / Scores::count, Scores::count}, owner);
}

}  // namespace htmengine
