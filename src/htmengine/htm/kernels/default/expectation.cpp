#include "default/expectation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "default/calendar.hpp"
#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

using calendar::day_s;
using calendar::time_of_day;

namespace {

constexpr double slot_s = 300.0;
constexpr double hour_s = 3600.0;
constexpr double minute_s = 60.0;
constexpr std::size_t day_slots = 288;
constexpr std::size_t week_slots = 168;
constexpr std::size_t hour_slots = 60;
constexpr std::size_t hour_of_slots = 12;  // slots back to which a known one stands for this one: an hour

constexpr std::uint8_t most_visits = 250;
constexpr std::uint8_t settled_visits = 3;
constexpr std::uint8_t most_outside = 30;
constexpr std::uint64_t records_to_count = 20;  // before which a seasonal expert has no weight
constexpr std::uint64_t records_to_improve = 100;  // before which a minute of the hour has none,
constexpr double share_of_others = 0.8;            // and after which only if it errs by so much less than the others
constexpr double furthest_position = 10.0;      // spreads from a level, in the regression
constexpr double most_weight = 1e6;             // of an expert beside the first one
constexpr double tiny = 1e-300;
constexpr double largest_float = std::numeric_limits<float>::max();

double within(double x, double limit) { return std::min(std::max(x, -limit), limit); }

float rounded(double x) { return static_cast<float>(within(x, largest_float)); }

/// What an error counts beside that of the first expert.
double weight(double error, double first_error) {
    const double ratio = std::max(first_error, tiny) / std::max(error, tiny);
    return std::min(ratio * ratio, most_weight);
}

/// The five minutes around a time.
std::size_t day_slot(double timestamp) {
    return static_cast<std::size_t>(std::floor(time_of_day(timestamp) / slot_s + 0.5)) % day_slots;
}

std::size_t week_slot(double timestamp) {
    return static_cast<std::size_t>(calendar::weekday(timestamp)) * 24 +
           static_cast<std::size_t>(time_of_day(timestamp) / hour_s);
}

/// The minute around a time.
std::size_t hour_slot(double timestamp) {
    return static_cast<std::size_t>(std::floor(time_of_day(timestamp) / minute_s + 0.5)) % hour_slots;
}

}  // namespace

Profile::Profile(std::size_t slots, double rate)
    : rate_(rate),
      slots_(slots),
      means_(slots, 0.0f),
      visits_(slots, 0),
      outside_(slots, 0),
      slot_(static_cast<std::uint32_t>(slots)) {}

bool Profile::settled(std::size_t slot) const { return visits_[slot] >= settled_visits; }

void Profile::visit(std::size_t slot, double limit) {
    if (slot == slot_) return;
    if (slot_ < slots_) end_visit(limit);
    slot_ = static_cast<std::uint32_t>(slot);
    sum_ = 0.0;
    values_ = beyond_ = 0;
}

void Profile::end_visit(double limit) {
    if (values_ == 0) return;
    std::uint8_t& visits = visits_[slot_];
    std::uint8_t& outside = outside_[slot_];
    const double mean = sum_ / static_cast<double>(values_);
    const double step = mean - means_[slot_];
    const double furthest = !settled(slot_) ? std::fabs(step) : std::ldexp(limit, 2 * outside);
    const bool elsewhere = 2 * beyond_ > values_ || (visits > 0 && std::fabs(step) > furthest);
    const bool anew = visits == 0 || (elsewhere && outside > 0);
    if (anew) visits = 0;
    const double rate = anew ? 1.0 : std::max(rate_, 1.0 / (visits + 1.0));
    means_[slot_] = rounded(means_[slot_] + rate * (anew ? step : within(step, furthest)));
    if (visits < most_visits) ++visits;
    if (!elsewhere) {
        outside = 0;
    } else if (outside < most_outside) {
        ++outside;
    }
}

void Profile::add(double value, double expected, double limit) {
    const double wider = std::ldexp(limit, 2 * outside_[slot_]);
    const double from = known(slot_) ? mean(slot_) : expected;
    const double distance = value - from;
    sum_ += from + within(distance, wider);
    if (std::fabs(distance) > wider) ++beyond_;
    ++values_;
}

void Profile::restored() const {
    if (means_.size() != slots_ || visits_.size() != slots_ || outside_.size() != slots_)
        throw StateError("a profile has another number of slots");
    if (slot_ > slots_) throw StateError("a profile visits a slot that does not exist");
    if (!std::isfinite(sum_) || beyond_ > values_)
        throw StateError("the sum or the count of a visit of a profile is out of range");
    for (const float mean : means_)
        if (!std::isfinite(mean)) throw StateError("a mean of a profile is not finite");
    for (const std::uint8_t outside : outside_)
        if (outside > most_outside) throw StateError("a slot of a profile has more visits outside than are counted");
}

Expectation::Expectation(const ExpectationParameters& parameters)
    : parameters_(parameters),
      day_(day_slots, parameters.day_rate),
      week_(week_slots, parameters.week_rate),
      hour_(hour_slots, parameters.hour_rate) {
    const auto& p = parameters;
    for (const double rate : {p.level_rate, p.day_rate, p.week_rate, p.hour_rate, p.forecast_rate, p.loss_rate})
        require(rate > 0.0 && rate <= 1.0, "each rate of an expectation must be above 0 and at most 1", rate);
    require(p.ridge > 0.0, "ridge must be above 0", p.ridge);
}

void Expectation::assume(double level) {
    assumed_ = 1;
    level_ = level;
}

void Expectation::begin(double timestamp, double value) {
    begun_ = timestamp;
    origin_ = value;
    if (assumed_) {
        origin_ = level_;
    } else {
        level_ = value;
    }
    visit(timestamp, 0.0);
    // What the first value says of its time cannot be judged yet: it is left out.
}

void Expectation::visit(double timestamp, double limit) {
    day_.visit(day_slot(timestamp), limit);
    week_.visit(week_slot(timestamp), limit);
    hour_.visit(hour_slot(timestamp), limit);
}

void Expectation::Mixture::add(const Expected& said, double by_forecast, double by_level) {
    forecast += by_forecast * said.forecast;
    forecast_weights += by_forecast;
    level += by_level * said.level;
    level_weights += by_level;
}

Expectation::Expected Expectation::expect(double timestamp, double limit) {
    visit(timestamp, limit);
    find_levels(timestamp);
    Mixture mixture;
    settled_only_ = {};
    doubtful_ = false;
    for (std::size_t k = 0; k < by_minute; ++k) consult(k, mixture, limit);
    others_level_ = mixture.mean().level;
    const std::size_t slot = hour_slot(timestamp);
    has_level_[by_minute] = hour_.settled(slot);
    settled_[by_minute] = !doubtful_;
    levels_[by_minute] = others_level_ + hour_.mean(slot);
    consult(by_minute, mixture, limit);
    return mixture.mean();
}

Expectation::Expected Expectation::closest(double value, const Expected& expected) const {
    if (!doubtful_) return expected;
    const auto nearer = [&](double one, double other) {
        return std::fabs(value - other) < std::fabs(value - one) ? other : one;
    };
    const Expected other = settled_only_.mean();
    return {nearer(expected.forecast, other.forecast), nearer(expected.level, other.level)};
}

/// Finds the forecast of an expert that has a level, and adds what it says by what it counts.
void Expectation::consult(std::size_t k, Mixture& mixture, double limit) {
    if (!has_level_[k]) return;
    const Expert& expert = experts_[k];
    // Beyond 1 a forecast would run away from what it forecasts.
    const double kept = within(1.0 + expert.products / (expert.squares + parameters_.ridge), 1.0);
    forecasts_[k] = expert.follows ? levels_[k] + kept * expert.rest : levels_[k];
    if (!counts(k)) return;
    const Expected said{forecasts_[k], levels_[k]};
    const double by_forecast = weight(expert.forecast_error, experts_[0].forecast_error);
    const double by_level = weight(expert.level_error, experts_[0].level_error);
    mixture.add(said, by_forecast, by_level);
    if (!settled_[k] && std::fabs(levels_[k] - level_) > limit) {
        doubtful_ = true;
    } else {
        settled_only_.add(said, by_forecast, by_level);
    }
}

bool Expectation::counts(std::size_t k) const {
    const Expert& expert = experts_[k];
    if (k == by_minute)
        return expert.records >= records_to_improve && expert.level_error <= share_of_others * others_error_;
    return k == 0 || expert.records >= records_to_count;
}

/// The level of each expert that has one at this time, but for the last one.
void Expectation::find_levels(double timestamp) {
    levels_[0] = level_;
    has_level_ = {true, false, false, false};
    settled_ = {true, false, false, false};
    if (timestamp - begun_ < day_s) return;
    const std::size_t slot = day_slot(timestamp);
    for (std::size_t back = 0; back <= hour_of_slots && !has_level_[1]; ++back) {
        const std::size_t near = (slot + day_slots - back) % day_slots;
        if (!day_.known(near)) continue;
        levels_[1] = origin_ + day_.mean(near);
        settled_[1] = day_.settled(near);
        has_level_[1] = true;
    }
    // Between the middles of two hours.
    const int weekday = calendar::weekday(timestamp);
    const double hours = time_of_day(timestamp) / hour_s - 0.5;
    const int hour = static_cast<int>(std::floor(hours));
    const auto earlier = hour_mean(weekday, hour), later = hour_mean(weekday, hour + 1);
    if (!earlier && !later) return;
    const HourMean from = earlier ? *earlier : *later, to = later ? *later : *earlier;
    levels_[2] = origin_ + from.mean + (hours - hour) * (to.mean - from.mean);
    settled_[2] = from.settled && to.settled;
    has_level_[2] = true;
}

/// The mean of an hour, -1 to 24, of a weekday, or else of the last weekday of its kind.
std::optional<Expectation::HourMean> Expectation::hour_mean(int weekday, int hour) const {
    weekday = (weekday + (hour < 0 ? 6 : hour > 23 ? 1 : 0)) % 7;
    hour = (hour + 24) % 24;
    constexpr int alike[7] = {4, 0, 1, 2, 3, 5, 5};  // Monday is like Friday, Saturday like none before it
    for (const int day : {weekday, alike[weekday]}) {
        const std::size_t slot = static_cast<std::size_t>(day * 24 + hour);
        if (week_.known(slot)) return HourMean{week_.mean(slot), week_.settled(slot)};
    }
    return std::nullopt;
}

void Expectation::learn(double value, const Expected& expected, double rate, const Limits& limits) {
    const auto& p = parameters_;
    for (std::size_t k = 0; k < expert_count; ++k) {
        if (!has_level_[k]) {
            experts_[k].follows = 0;
            continue;
        }
        Expert& expert = experts_[k];
        ++expert.records;
        const double one_of_all = 1.0 / static_cast<double>(expert.records);  // at first, plain means
        const double rest = value - levels_[k];
        const double loss_rate = std::max(p.loss_rate, one_of_all);
        const double error = std::min(std::fabs(value - forecasts_[k]), limits.error);
        expert.forecast_error += loss_rate * (error - expert.forecast_error);
        expert.level_error += loss_rate * (std::min(std::fabs(rest), limits.distance) - expert.level_error);
        if (expert.follows) {
            const double from = within(expert.rest / limits.spread, furthest_position);
            const double to = within(rest / limits.spread, furthest_position);
            const double forecast_rate = std::max(p.forecast_rate, one_of_all);
            expert.squares += forecast_rate * (from * from - expert.squares);
            expert.products += forecast_rate * (from * (to - from) - expert.products);
        }
        expert.rest = within(rest, limits.rest);
        expert.follows = 1;
    }
    const double beside = value - others_level_;
    const double others_rate = std::max(p.loss_rate, 1.0 / static_cast<double>(experts_[0].records));
    others_error_ += others_rate * (std::min(std::fabs(beside), limits.distance) - others_error_);
    others_bias_ += others_rate * (within(beside, limits.distance) - others_bias_);
    hour_.add(beside - others_bias_, 0.0, limits.profile);
    level_ += std::max(p.level_rate, rate) * within(value - level_, limits.step);
    day_.add(value - origin_, expected.level - origin_, limits.profile);
    week_.add(value - origin_, expected.level - origin_, limits.profile);
}

void Expectation::restored() const {
    for (const double number : {begun_, origin_, level_, others_error_, others_bias_})
        if (!std::isfinite(number)) throw StateError("a number of an expectation is not finite");
    for (const Expert& expert : experts_)
        for (const double number :
             {expert.rest, expert.squares, expert.products, expert.forecast_error, expert.level_error})
            if (!std::isfinite(number)) throw StateError("a number of an expert of an expectation is not finite");
    day_.restored();
    week_.restored();
    hour_.restored();
}

}  // namespace htmengine
