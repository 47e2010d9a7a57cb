#include "default/habits.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "default/calendar.hpp"
#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr std::size_t half_hours = 48;
constexpr double half_hour_s = 1800.0;
constexpr std::uint8_t most_days = 250;
constexpr double highest_strength = 1000.0;
constexpr double largest_float = std::numeric_limits<float>::max();

float rounded(double x) { return static_cast<float>(std::min(std::max(x, -largest_float), largest_float)); }

}  // namespace

Habits::Habits(const HabitParameters& parameters)
    : parameters_(parameters),
      days_(half_hours, 0),
      peaks_(half_hours, 0.0f),
      usual_peaks_(half_hours, 0.0f),
      lows_(half_hours, 0.0f),
      highs_(half_hours, 0.0f),
      usual_lows_(half_hours, 0.0f),
      usual_highs_(half_hours, 0.0f),
      time_(half_hours) {
    require(parameters.fading >= 0.0 && parameters.fading <= 1.0,
            "fading of habits must be from 0 to 1", parameters.fading);
    require(parameters.margin > 0.0, "margin of habits must be above 0", parameters.margin);
    require(parameters.value_margin >= 0.0, "value_margin must be at least 0", parameters.value_margin);
}

void Habits::visit(double timestamp) {
    const auto time = static_cast<std::uint32_t>(calendar::time_of_day(timestamp) / half_hour_s);
    if (time == time_) return;
    if (time_ < half_hours) end_visit();
    time_ = time;
    peak_ = 0.0;
    low_ = std::numeric_limits<double>::infinity();
    high_ = -std::numeric_limits<double>::infinity();
}

void Habits::end_visit() {
    if (low_ > high_) return;  // none of its values was the metric's own
    const double kept = 1.0 - parameters_.fading;
    const double middle = 0.5 * (low_ + high_);
    float& peak = peaks_[time_];
    float& low = lows_[time_];
    float& high = highs_[time_];
    std::uint8_t& days = days_[time_];
    // What both this visit and an earlier one reached; then what the earlier one did, fading.
    const double twice = std::min(peak_, static_cast<double>(peak));
    const double low_twice = std::max(low_, static_cast<double>(low));
    const double high_twice = std::min(high_, static_cast<double>(high));
    if (days == 0) {
        usual_lows_[time_] = usual_highs_[time_] = rounded(middle);
        peak = rounded(peak_);
        low = rounded(low_);
        high = rounded(high_);
    } else {
        usual_peaks_[time_] = rounded(std::max(twice, kept * usual_peaks_[time_]));
        const double usual_low = middle + kept * (usual_lows_[time_] - middle);
        const double usual_high = middle + kept * (usual_highs_[time_] - middle);
        usual_lows_[time_] = rounded(days == 1 ? low_twice : std::min(low_twice, usual_low));
        usual_highs_[time_] = rounded(days == 1 ? high_twice : std::max(high_twice, usual_high));
        peak = rounded(std::max(peak_, kept * peak));
        low = rounded(std::min(low_, middle + kept * (low - middle)));
        high = rounded(std::max(high_, middle + kept * (high - middle)));
    }
    if (days < most_days) ++days;
}

double Habits::usual_strength() const {
    double strength = 0.0;
    for (const std::size_t step : {half_hours - 1, std::size_t{0}, std::size_t{1}})
        strength = std::max(strength, static_cast<double>(usual_peaks_[(time_ + step) % half_hours]));
    return strength;
}

double Habits::beyond_usual(double strength) const {
    return strength / std::max(1.0, parameters_.margin * usual_strength());
}

bool Habits::usual_value(double value) const {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();
    for (const std::size_t step : {half_hours - 1, std::size_t{0}, std::size_t{1}}) {
        const std::size_t time = (time_ + step) % half_hours;
        if (days_[time] < 2) continue;
        low = std::min(low, static_cast<double>(usual_lows_[time]));
        high = std::max(high, static_cast<double>(usual_highs_[time]));
    }
    const double margin = parameters_.value_margin * (high - low);
    return high >= low && value >= low - margin && value <= high + margin;
}

void Habits::add(double strength, double value) {
    peak_ = std::max(peak_, std::min(strength, highest_strength));
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
}

void Habits::restored() const {
    if (days_.size() != half_hours) throw StateError("habits have another number of half-hours");
    for (const auto* field : {&peaks_, &usual_peaks_, &lows_, &highs_, &usual_lows_, &usual_highs_})
        if (field->size() != half_hours) throw StateError("habits have another number of half-hours");
    for (const auto* field : {&peaks_, &usual_peaks_, &lows_, &highs_, &usual_lows_, &usual_highs_})
        for (const float number : *field)
            if (!std::isfinite(number)) throw StateError("a number of the habits is not finite");
    if (time_ > half_hours) throw StateError("the present half-hour of the habits does not exist");
}

}  // namespace htmengine
