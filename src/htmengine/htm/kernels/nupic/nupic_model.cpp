#include "nupic/nupic_model.hpp"

#include <stdexcept>
#include <utility>

namespace htmengine {

NupicModel::NupicModel(MultiEncoder encoder, SpatialPooler pooler, NupicMemory memory, Likelihood likelihood)
    : encoder_(std::move(encoder)),
      pooler_(std::move(pooler)),
      memory_(std::move(memory)),
      likelihood_(std::move(likelihood)) {
    if (encoder_.width() != pooler_.parameters().inputs)
        throw std::invalid_argument("the pooler must have as many inputs as the encoders have bits");
    const auto columns = std::visit([](const auto& m) { return m.columns(); }, memory_);
    if (columns != pooler_.parameters().columns)
        throw std::invalid_argument("pooler and memory must have the same number of columns");
}

Scores NupicModel::score(double timestamp, double value, Stopwatch& watch) {
    value_bucket_ = encoder_.encode({timestamp, value}, bits_);
    watch.lap(0);
    const auto& columns = pooler_.compute(bits_, true);
    watch.lap(1);
    Scores scores;
    scores.raw = std::visit([&](auto& memory) { return memory.compute(columns, true); }, memory_);
    watch.lap(2);
    scores.anomaly = likelihood_.update(scores.raw, value);
    scores.log = log_likelihood(scores.anomaly);
    scores.sequence = scores.log;
    scores.novelty = 0.0;
    watch.lap(3);
    return scores;
}

namespace {

const std::vector<std::uint32_t>& active_cells(const TemporalMemory& memory) { return memory.active_cells(); }

const std::vector<std::uint32_t>& active_cells(const BacktrackingMemory& memory) {
    return memory.inferred_active_cells();
}

}  // namespace

NupicModel::Pattern NupicModel::pattern(double) const {
    const auto& cells = std::visit([](const auto& memory) -> const auto& { return active_cells(memory); }, memory_);
    return {cells, value_bucket_.value_or(0)};
}

std::uint32_t NupicModel::pattern_cells() const {
    if (!encoder_.has_value_field()) return 0;
    return std::visit([](const auto& memory) { return memory.cells(); }, memory_);
}

}  // namespace htmengine
