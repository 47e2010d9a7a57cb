#include "common/model.hpp"

#include <cmath>

namespace htmengine {

Outcome Model::step(double timestamp, double value, Scores& scores, Stopwatch watch) {
    scores = Scores{};
    if (timestamp < last_timestamp_) return Outcome::out_of_order;
    last_timestamp_ = timestamp;
    ++rows_;
    if (!std::isfinite(value)) return Outcome::missing;
    scores = score(timestamp, value, watch);
    predict(value);
    return Outcome::scored;
}

}  // namespace htmengine
