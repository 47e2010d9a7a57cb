#include "nupic/scalar_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "common/state.hpp"

namespace htmengine {

namespace {

// Bounds, and values of the encoders that adapt to them, stay within this: so ranges and their multiples are finite.
constexpr double largest_magnitude = 1e300;

void require(bool holds, const std::string& message) {
    if (!holds) throw std::invalid_argument(message);
}

double within_magnitude(double value) {
    return std::min(std::max(value, -largest_magnitude), largest_magnitude);
}

bool is_range(double minimum, double maximum) {
    return minimum < maximum && minimum >= -largest_magnitude && maximum <= largest_magnitude;
}

void require_active_bits(std::uint32_t w) {
    require(w % 2 == 1 && w < max_encoder_width,
            "w is " + std::to_string(w) + ", but must be odd and below " + std::to_string(max_encoder_width));
}

/// Appends w bits of a ring of n bits from `first` on, ascending.
void append_run(std::uint32_t first, std::uint32_t w, std::uint32_t n, std::uint32_t first_bit,
                std::vector<std::uint32_t>& bits) {
    const std::uint32_t end = first + w;
    for (std::uint32_t bit = n; bit < end; ++bit) bits.push_back(first_bit + bit - n);
    for (std::uint32_t bit = first; bit < std::min(end, n); ++bit) bits.push_back(first_bit + bit);
}

}  // namespace

ScalarEncoder::ScalarEncoder(const ScalarEncoderParameters& p)
    : w_(p.w), minimum_(p.minimum), maximum_(p.maximum), periodic_(p.periodic), clip_(p.clip) {
    require_active_bits(p.w);
    require(is_range(p.minimum, p.maximum), "minimum must be below maximum, both within -1e300 .. 1e300");
    require(p.n.has_value() + p.radius.has_value() + p.resolution.has_value() == 1,
            "exactly one of n, radius and resolution must be given");
    require(!(p.periodic && p.clip), "a periodic encoder cannot clip");

    const double range = maximum_ - minimum_;
    if (p.n) {
        n_ = *p.n;
        require(n_ <= max_encoder_width, "n is " + std::to_string(n_) + ", but must be at most " +
                                             std::to_string(max_encoder_width));
        require(periodic_ ? n_ >= w_ : n_ > w_,
                "n is " + std::to_string(n_) + ", too few bits for w = " + std::to_string(w_));
        resolution_ = periodic_ ? range / n_ : range / (n_ - w_);
    } else {
        const double radius = p.radius ? *p.radius : w_ * *p.resolution;
        resolution_ = p.radius ? radius / w_ : *p.resolution;
        const double encoded = periodic_ ? range : range + resolution_;
        const double width = std::ceil(w_ * encoded / radius + (periodic_ ? 0 : w_ - 1));
        require(width >= w_ && width <= max_encoder_width,  // false for NaN
                "radius and resolution must be above 0 and make an encoder of w to " +
                    std::to_string(max_encoder_width) + " bits");
        n_ = static_cast<std::uint32_t>(width);
    }
    require(resolution_ >= std::numeric_limits<double>::min(), "the range is too small for its number of bits");
}

bool ScalarEncoder::encodes(double value) const {
    if (!std::isfinite(value)) return false;
    if (periodic_) return value >= minimum_ && value < maximum_;
    return clip_ || (value >= minimum_ && value <= maximum_);
}

std::optional<std::uint32_t> ScalarEncoder::encode(double value, std::uint32_t first_bit,
                                                   std::vector<std::uint32_t>& bits) const {
    if (!encodes(value)) return std::nullopt;
    if (periodic_) {
        const std::uint32_t half = (w_ - 1) / 2;
        const double place = (value - minimum_) * n_ / (maximum_ - minimum_);
        const std::uint32_t middle = static_cast<std::uint32_t>(place) % n_;
        append_run((middle + n_ - half) % n_, w_, n_, first_bit, bits);
        return middle;
    }
    const double inside = std::min(std::max(value, minimum_), maximum_);
    const double place = ((inside - minimum_) + resolution_ / 2) / resolution_;
    const std::uint32_t first = std::min(static_cast<std::uint32_t>(place), n_ - w_);
    append_run(first, w_, n_, first_bit, bits);
    return first;
}

AdaptiveScalarEncoder::AdaptiveScalarEncoder(const AdaptiveScalarEncoderParameters& parameters)
    : parameters_(parameters) {
    require(parameters.minimum.has_value() == parameters.maximum.has_value(),
            "minimum and maximum must be given both or neither");
    if (parameters.minimum) range_ = Range{*parameters.minimum, *parameters.maximum};
    ScalarEncoder encoder = encoder_for(range_.value_or(Range{0.0, 1.0}));  // checks w and n in any case
    if (range_) encoder_ = encoder;
}

ScalarEncoder AdaptiveScalarEncoder::encoder_for(const Range& range) const {
    ScalarEncoderParameters p{};
    p.w = parameters_.w;
    p.n = parameters_.n;
    p.minimum = range.minimum;
    p.maximum = range.maximum;
    p.clip = true;
    return ScalarEncoder(p);
}

std::optional<std::uint32_t> AdaptiveScalarEncoder::encode(double value, std::uint32_t first_bit,
                                                           std::vector<std::uint32_t>& bits) {
    if (!std::isfinite(value)) return std::nullopt;
    value = within_magnitude(value);
    if (!range_ || value < range_->minimum || value > range_->maximum) {
        if (!range_) {
            // Far from zero, value + 1 is no other number than value.
            const double above = std::max(value + 1, std::nextafter(value, std::numeric_limits<double>::max()));
            range_ = above <= largest_magnitude ? Range{value, above} : Range{std::nextafter(value, 0.0), value};
        }
        range_->minimum = std::min(range_->minimum, value);
        range_->maximum = std::max(range_->maximum, value);
        encoder_ = encoder_for(*range_);
    }
    return encoder_->encode(value, first_bit, bits);
}

void AdaptiveScalarEncoder::restored() {
    encoder_.reset();
    if (!range_) return;
    if (!is_range(range_->minimum, range_->maximum))
        throw StateError("the range of an adaptive encoder is not finite, or does not ascend");
    try {
        encoder_ = encoder_for(*range_);
    } catch (const std::invalid_argument& error) {
        throw StateError(error.what());
    }
}

std::optional<std::uint32_t> DeltaEncoder::encode(double value, std::uint32_t first_bit,
                                                  std::vector<std::uint32_t>& bits) {
    if (!std::isfinite(value)) return std::nullopt;
    value = within_magnitude(value);
    const double change = value - previous_.value_or(value);
    previous_ = value;
    return encoder_.encode(change, first_bit, bits);
}

void DeltaEncoder::restored() {
    encoder_.restored();
    if (previous_ && !(std::abs(*previous_) <= largest_magnitude))
        throw StateError("the previous value of a delta encoder is out of range");
}

}  // namespace htmengine
