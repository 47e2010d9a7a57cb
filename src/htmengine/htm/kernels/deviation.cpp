#include "deviation.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace htmengine {

namespace {

constexpr double longest_rate = 1e-4;    // of the long-term mean of errors
constexpr double least_share = 0.1;      // of the long-term mean that the usual error has at least
constexpr double furthest_position = 10; // spreads from the level

double within(double x, double limit) { return std::min(std::max(x, -limit), limit); }

}  // namespace

double ErrorSize::size() const { return std::max(mean_, least_share * long_term_); }

double ErrorSize::ratio(double error) const {
    const double usual = size();
    if (usual > 0.0) return std::min(std::fabs(error) / usual, Tail::highest);
    return error == 0.0 ? 0.0 : Tail::highest;
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
    : parameters_(parameters), distance_tail_(tail), error_tail_(tail) {
    for (const double rate : {parameters.level_rate, parameters.spread_rate, parameters.forecast_rate})
        if (!(rate > 0.0 && rate <= 1.0))
            throw std::invalid_argument("level_rate, spread_rate and forecast_rate must be above 0 and at most 1");
    if (!(parameters.ridge > 0.0)) throw std::invalid_argument("ridge must be above 0");
    if (!(parameters.limit >= 1.0)) throw std::invalid_argument("limit of deviations must be at least 1");
}

Deviation::Score Deviation::update(double value) {
    if (count_ == 0) {
        count_ = 1;
        level_ = last_ = value;
        return {0.0, 0.0};
    }
    const auto& p = parameters_;
    const double from = position();
    const double expected = forecast();
    const double distance = value - level_;
    const double error = value - expected;
    const Score score{distance_tail_.update(distances_.ratio(distance)), error_tail_.update(errors_.ratio(error))};

    const double counted_distance = distances_.cut(distance, p.limit);
    const double counted_error = errors_.cut(error, p.limit);
    const double one_of_all = 1.0 / static_cast<double>(count_);  // at first, plain means
    const double spread = distances_.size();
    if (spread > 0.0) {
        const double to = within((expected + counted_error - level_) / spread, furthest_position);
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

double Deviation::forecast() const {
    const double weight = 1.0 + products_ / (squares_ + parameters_.ridge);
    return level_ + distances_.size() * weight * position();
}

/// Where the last value lies, in spreads from the level.
double Deviation::position() const {
    const double spread = distances_.size();
    return spread > 0.0 ? within((last_ - level_) / spread, furthest_position) : 0.0;
}

void Deviation::restored() const {
    distance_tail_.restored();
    error_tail_.restored();
}

}  // namespace htmengine
