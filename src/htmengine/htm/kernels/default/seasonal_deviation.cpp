#include "default/seasonal_deviation.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr double least_share = 0.1;         // of the long-term size that the recent one is at least
constexpr double furthest_size = 1e5;       // usual sizes that a deviation is at most
constexpr double furthest_recent = 20.0;    // usual sizes that one record adds to averages
constexpr double followed_at_once = 9.0;     // long-term distances by which a profile moves in a day
constexpr double habitual_strength = 0.5;    // of deviations from which a time has a habit of them
constexpr std::uint64_t assumed_records = 5;  // that the bulk's scale weighs
constexpr std::int32_t longest_outside = 30;

constexpr double far_size = 20.0;             // usual distances from which a value may stand for something else
constexpr double wild_size = 100.0;           // and from which it is wild
constexpr std::uint64_t bulk_records = 8;     // after which a usual distance is one
constexpr double share_of_known = 0.5;        // of its strength that a stand-in keeps until it is usual

constexpr double tiny = 1e-300;

double within(double x, double limit) { return std::min(std::max(x, -limit), limit); }

/// Mostly the size of the long run: an eighth, as an exponent, is the recent one's.
double unit_of(double recent, double long_term) {
    return long_term > 0.0 ? long_term * std::sqrt(std::sqrt(std::sqrt(recent / long_term))) : 0.0;
}

}  // namespace

SeasonalDeviation::SeasonalDeviation(const SeasonalDeviationParameters& parameters,
                                     const ExpectationParameters& expectation, const AlarmSizeParameters& alarm_size,
                                     const TailParameters& tail, const HabitParameters& habits)
    : parameters_(parameters),
      expectation_parameters_(expectation),
      alarm_size_parameters_(alarm_size),
      tail_parameters_(tail),
      habit_parameters_(habits),
      expectation_(expectation),
      habits_(habits),
      alarm_error_(alarm_size),
      alarm_distance_(alarm_size),
      alarm_offset_(alarm_size),
      distance_tail_(tail),
      error_tail_(tail),
      offset_tail_(tail),
      unrest_tail_(tail) {
    const auto& p = parameters;
    for (const double rate : {p.spread_rate, p.long_rate, p.offset_rate, p.recent_rate})
        require(rate > 0.0 && rate <= 1.0, "each rate of a seasonal deviation must be above 0 and at most 1", rate);
    if (!(p.limit >= 1.0 && p.profile_limit >= p.limit && p.furthest >= p.limit))
        throw std::invalid_argument("limit must be at least 1, profile_limit and furthest at least limit");
    require(p.constant_records >= 1, "constant_records must be at least 1", p.constant_records);
}

SeasonalDeviation SeasonalDeviation::renewed(const BulkScale& bulk) const {
    SeasonalDeviation fresh(parameters_, expectation_parameters_, alarm_size_parameters_, tail_parameters_,
                            habit_parameters_);
    fresh.assumed_ = 1;
    fresh.recent_error_ = fresh.long_error_ = bulk.error;
    fresh.recent_distance_ = fresh.long_distance_ = bulk.distance;
    fresh.expectation_.assume(bulk.level);
    return fresh;
}

SeasonalDeviation::Score SeasonalDeviation::update(double timestamp, double value) {
    Score score;
    habits_.visit(timestamp);
    if (records_ == 0) {
        expectation_.begin(timestamp, value);
        habits_.add(0.0, value - expectation_.origin());
        records_ = 1;
        score.forecast = score.usual_low = score.usual_high = std::numeric_limits<double>::quiet_NaN();
        return score;
    }
    const Expectation::Expected expected =
        expectation_.expect(timestamp, followed_at_once * std::max(long_distance_, tiny));
    const Expectation::Expected closest = expectation_.closest(value, expected);
    const double error = value - closest.forecast;
    const double distance = value - closest.level;
    const double recent_error = std::max(recent_error_, least_share * long_error_);
    const double recent_distance = std::max(recent_distance_, least_share * long_distance_);
    const double error_unit = unit_of(recent_error, long_error_);
    const double distance_unit = unit_of(recent_distance, long_distance_);
    const double error_size = size_of(error, error_unit);
    const double distance_size = size_of(distance, distance_unit);
    const StandIn::Kind stands_in = stand_in_.observe(value, varies() && distance_size >= far_size);
    const double units_away = distance_unit > 0.0 ? within(distance / distance_unit, furthest_recent) : 0.0;
    if (stands_in == StandIn::Kind::none) offset_ += parameters_.offset_rate * (units_away - offset_);

    score.forecast = expected.forecast;
    const double margin = error_unit * alarm_error_.usual();
    score.usual_low = expected.forecast - margin;
    score.usual_high = expected.forecast + margin;
    score.unit = error_unit;
    score.distance = alarm_distance_.strength(distance_size);
    score.error = alarm_error_.strength(error_size);
    score.offset = alarm_offset_.strength(std::fabs(offset_));
    if (alarm_error_.typical() > 0.0)
        score.prominence = std::max(distance_size, error_size) / alarm_error_.typical();
    const double strength = score.strength();
    score.habitual = habits_.usual_strength() > habitual_strength || habits_.usual_value(value - expectation_.origin());
    const std::initializer_list<double*> measures = {&score.distance, &score.error, &score.offset, &score.prominence};
    for (double* found : measures) *found = habits_.beyond_usual(*found);
    if (stands_in != StandIn::Kind::none) {
        for (double* found : measures)
            *found *= stands_in == StandIn::Kind::usual ? 0.0 : share_of_known;
        score.habitual = true;
        return score;
    }

    const double far = recent_distance > 0.0 ? within(distance / recent_distance, Tail::highest) : 0.0;
    const double surprising = recent_error > 0.0 ? within(std::fabs(error) / recent_error, Tail::highest) : 0.0;
    recent_offset_ += parameters_.recent_rate * (within(far, furthest_recent) - recent_offset_);
    unrest_ += parameters_.recent_rate * (std::min(surprising, furthest_recent) - unrest_);
    score.rareness = {distance_tail_.update(std::fabs(far)), error_tail_.update(surprising),
                      offset_tail_.update(std::fabs(recent_offset_)), unrest_tail_.update(unrest_)};

    const bool lone = burst_.observe(varies() && distance_size >= wild_size);
    // The first deviation of a metric that stood still says nothing of the next record: what was expected still is.
    const bool first = distance_unit <= 0.0 && distance != 0.0 && records_ >= bulk_records;
    learn(value, closest, !lone && !first, recent_error, recent_distance);
    alarm_error_.learn(error_size);
    alarm_distance_.learn(distance_size);
    alarm_offset_.learn(std::fabs(offset_));
    habits_.add(strength, value - expectation_.origin());
    return score;
}

/// A deviation in usual ones. Where nothing ever deviated, it is the larger the longer that was so.
double SeasonalDeviation::size_of(double deviation, double unit) const {
    if (unit > 0.0) return std::min(std::fabs(deviation) / unit, furthest_size);
    if (deviation == 0.0) return 0.0;
    return std::min(alarm_size_parameters_.least * static_cast<double>(records_) / parameters_.constant_records, furthest_size);
}

/// Whether the metric rarely stands still; on probation it is taken to vary.
bool SeasonalDeviation::varies() const {
    return alarm_error_.size() > 0.0 ? alarm_error_.varies() : records_ >= bulk_records;
}

/// Follows the metric; single values count up to the limit.
void SeasonalDeviation::learn(double value, const Expectation::Expected& expected, bool follows, double recent_error,
                              double recent_distance) {
    const auto& p = parameters_;
    const double infinity = std::numeric_limits<double>::infinity();
    const double error = value - expected.forecast;
    const double distance = value - expected.level;
    const double known = static_cast<double>(records_ + (assumed_ ? assumed_records : 0));
    const double one_of_all = 1.0 / known;  // at first, plain means

    // A level that has really moved is followed: each further record on the same side counts twice as much.
    if (recent_error > 0.0 && std::fabs(distance) > p.limit * recent_distance) {
        const std::int32_t side = distance > 0.0 ? 1 : -1;
        outside_ = outside_ * side > 0 ? outside_ + side : side;
        outside_ = std::min(std::max(outside_, -longest_outside), longest_outside);
    } else {
        outside_ = 0;
    }
    const double doubled = std::ldexp(1.0, std::max(std::abs(outside_) - 1, 0));
    const double furthest_distance = std::max(recent_distance, long_distance_);

    Expectation::Limits limits;
    limits.step = recent_distance > 0.0 ? p.limit * recent_distance * doubled : infinity;
    limits.error = recent_error > 0.0 ? p.furthest * recent_error : infinity;
    limits.distance = recent_distance > 0.0 ? p.furthest * recent_distance : infinity;
    limits.rest = furthest_distance > 0.0 ? p.limit * furthest_distance : infinity;
    limits.profile = furthest_distance > 0.0 ? p.profile_limit * furthest_distance : infinity;
    limits.spread = recent_distance > 0.0 ? recent_distance : 1.0;
    if (follows) expectation_.learn(value, expected, 1.0 / (known + 1.0), limits);

    const double counted_error = std::fabs(recent_error > 0.0 ? within(error, p.limit * recent_error) : error);
    const double counted_distance = std::fabs(recent_distance > 0.0 ? within(distance, p.limit * recent_distance) : distance);
    recent_error_ += std::max(p.spread_rate, one_of_all) * (counted_error - recent_error_);
    long_error_ += std::max(p.long_rate, one_of_all) * (counted_error - long_error_);
    recent_distance_ += std::max(p.spread_rate, one_of_all) * (counted_distance - recent_distance_);
    long_distance_ += std::max(p.long_rate, one_of_all) * (counted_distance - long_distance_);
    ++records_;
}

void SeasonalDeviation::restored() const {
    for (const double number : {recent_error_, long_error_, recent_distance_, long_distance_, offset_, recent_offset_, unrest_})
        if (!std::isfinite(number)) throw StateError("a number of a deviation is not finite");
    if (std::abs(outside_) > longest_outside) throw StateError("a deviation has lain outside for too long");
    if (assumed_ > 1) throw StateError("the mark of an assumed scale is neither 0 nor 1");
    expectation_.restored();
    habits_.restored();
    burst_.restored();
    stand_in_.restored();
    for (const AlarmSize* size : {&alarm_error_, &alarm_distance_, &alarm_offset_}) size->restored();
    for (const Tail* tail : {&distance_tail_, &error_tail_, &offset_tail_, &unrest_tail_}) tail->restored();
}

}  // namespace htmengine
