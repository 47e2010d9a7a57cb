#include "default/deviation.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "common/parameter_checks.hpp"

namespace htmengine {

namespace {

constexpr double longest_rate = 1e-4;     // of the long-term mean of errors
constexpr double least_share = 0.1;       // of the long-term mean that the usual error has at least
constexpr double furthest_position = 10;  // spreads from the level
constexpr double furthest_recent = 20;    // usual errors that one record adds to what lasts

double within(double x, double limit) { return std::min(std::max(x, -limit), limit); }

}  // namespace

double ErrorSize::size() const { return std::max(mean_, least_share * long_term_); }

double ErrorSize::ratio(double error) const {
    const double usual = size();
    return usual > 0.0 ? within(error / usual, Tail::highest) : 0.0;
}

double ErrorSize::cut(double error, double limit) const {
    const double usual = size();
    return usual > 0.0 ? within(error, limit * usual) : error;
}

void ErrorSize::learn(double error, double rate, double longest) {
    mean_ += rate * (std::fabs(error) - mean_);
    long_term_ += longest * (std::fabs(error) - long_term_);
}

Deviation::Deviation(const DeviationParameters& parameters, const TailParameters& tail)
    : parameters_(parameters), distance_tail_(tail), error_tail_(tail), offset_tail_(tail), unrest_tail_(tail) {
    for (const double rate :
         {parameters.level_rate, parameters.spread_rate, parameters.forecast_rate, parameters.recent_rate})
        if (!(rate > 0.0 && rate <= 1.0))
            throw std::invalid_argument(
                "level_rate, spread_rate, forecast_rate and recent_rate must be above 0 and at most 1");
    require(parameters.ridge > 0.0, "ridge must be above 0", parameters.ridge);
    require(parameters.limit >= 1.0, "limit of deviations must be at least 1", parameters.limit);
}

Deviation::Score Deviation::update(double value) {
    if (count_ == 0) {
        count_ = 1;
        level_ = last_ = value;
        return {0.0, 0.0, 0.0, 0.0};
    }
    const auto& p = parameters_;
    const double expected = forecast();
    const double error = value - expected;
    const Score score = rarities(value - level_, error);

    // What follows the metric sees the value no further from the forecast than the limit.
    const double counted_error = errors_.cut(error, p.limit);
    const double counted_distance = expected + counted_error - level_;
    const double one_of_all = 1.0 / static_cast<double>(count_);  // at first, plain means
    const double spread = distances_.size();
    if (spread > 0.0) {
        const double from = position();
        const double to = within(counted_distance / spread, furthest_position);
        const double rate = std::max(p.forecast_rate, one_of_all);
        squares_ += rate * (from * from - squares_);
        products_ += rate * (from * (to - from) - products_);
    }
    distances_.learn(counted_distance, std::max(p.spread_rate, one_of_all), std::max(longest_rate, one_of_all));
    errors_.learn(counted_error, std::max(p.spread_rate, one_of_all), std::max(longest_rate, one_of_all));
    ++count_;
    level_ += std::max(p.level_rate, 1.0 / static_cast<double>(count_)) * counted_distance;
    last_ = value;
    return score;
}

Deviation::Score Deviation::rarities(double distance, double error) {
    // Where nothing ever deviated, the first deviation has no usual size: it is rare, but teaches no tail how it is
    // distributed.
    if ((distances_.size() == 0.0 && distance != 0.0) || (errors_.size() == 0.0 && error != 0.0))
        return {distance_tail_.rarity(Tail::highest), error_tail_.rarity(Tail::highest), 0.0, 0.0};
    const double far = distances_.ratio(distance);
    const double surprising = errors_.ratio(error);
    offset_ += parameters_.recent_rate * (within(far, furthest_recent) - offset_);
    unrest_ += parameters_.recent_rate * (std::min(std::fabs(surprising), furthest_recent) - unrest_);
    return {distance_tail_.update(std::fabs(far)), error_tail_.update(std::fabs(surprising)),
            offset_tail_.update(std::fabs(offset_)), unrest_tail_.update(unrest_)};
}

double Deviation::forecast() const {
    // Beyond 1 a forecast would run away from what it forecasts.
    const double weight = within(1.0 + products_ / (squares_ + parameters_.ridge), 1.0);
    return level_ + distances_.size() * weight * position();
}

/// Where the last value lies, in spreads from the level.
double Deviation::position() const {
    const double spread = distances_.size();
    return spread > 0.0 ? within((last_ - level_) / spread, furthest_position) : 0.0;
}

void Deviation::restored() const {
    for (const Tail* tail : {&distance_tail_, &error_tail_, &offset_tail_, &unrest_tail_}) tail->restored();
}

}  // namespace htmengine
