#include "model.hpp"

#include <cmath>
#include <stdexcept>

namespace htmengine {

Outcome Model::step(double timestamp, double value, Scores& scores, Stopwatch watch) {
    scores = Scores{};
    if (timestamp < last_timestamp_) return Outcome::out_of_order;
    last_timestamp_ = timestamp;
    ++rows_;
    if (!std::isfinite(value)) return Outcome::missing;
    scores = score(timestamp, value, watch);
    if (classifier_) {
        const Pattern now = pattern(value);
        classifier_->compute(now.cells, now.bucket, value);
    }
    return Outcome::scored;
}

void Model::add_classifier(const ClassifierParameters& parameters) {
    if (rows_ > 0) throw std::invalid_argument("a classifier must be there from the first sample");
    if (pattern_cells() == 0) throw std::invalid_argument("a classifier needs an encoder of the value");
    classifier_.emplace(parameters, pattern_cells());
}

}  // namespace htmengine
