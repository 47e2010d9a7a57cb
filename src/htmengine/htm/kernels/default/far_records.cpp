#include "default/far_records.hpp"

#include <algorithm>
#include <cmath>

#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr double burst_fading = 1.0 / 1024.0;  // per record
constexpr double most_bursts = 1.5;
constexpr std::uint8_t longest_burst = 12;  // far records after which it is no burst

constexpr double visit_fading = 1.0 / 2048.0;  // per record
constexpr double usual_visits = 8.0;           // about one in 250 records
constexpr std::uint8_t known_votes = 2;
constexpr std::uint8_t most_votes = 8;
constexpr std::uint8_t level_records = 12;

template <class Whole>
Whole one_more(Whole number, Whole most) {
    return number < most ? static_cast<Whole>(number + 1) : most;
}

}  // namespace

bool LoneBurst::observe(bool far) {
    bursts_ -= burst_fading * bursts_;
    since_ = one_more(since_, apart);
    if (!far) return false;
    if (since_ == apart) {
        bursts_ += 1.0;
        records_ = 0;
    }
    since_ = 0;
    records_ = one_more(records_, static_cast<std::uint8_t>(longest_burst + 1));
    return bursts_ <= most_bursts && records_ <= longest_burst;
}

void LoneBurst::restored() const {
    if (!(bursts_ >= 0.0) || !std::isfinite(bursts_)) throw StateError("the number of bursts is out of range");
    if (since_ > apart || records_ > longest_burst + 1) throw StateError("a burst has more records than are counted");
}

StandIn::Kind StandIn::observe(double value, bool far) {
    visits_ -= visit_fading * visits_;
    const bool here = votes_ > 0 && value == value_ && (far || records_ > 0);
    if (here) {
        if (records_ == 0) {
            visits_ += 1.0;
            votes_ = one_more(votes_, most_votes);
        }
        records_ = one_more(records_, level_records);
        if (votes_ < known_votes || records_ == level_records) return Kind::none;
        return visits_ >= usual_visits ? Kind::usual : Kind::known;
    }
    records_ = 0;
    if (!far) return Kind::none;
    if (votes_ > 0) {
        --votes_;
    } else {
        value_ = value;
        visits_ = 1.0;
        votes_ = records_ = 1;
    }
    return Kind::none;
}

void StandIn::restored() const {
    if (!std::isfinite(value_)) throw StateError("the value of a stand-in is not finite");
    if (!(visits_ >= 0.0) || !std::isfinite(visits_)) throw StateError("the visits of a stand-in are out of range");
    if (votes_ > most_votes || records_ > level_records) throw StateError("a stand-in has more visits than are counted");
}

}  // namespace htmengine
