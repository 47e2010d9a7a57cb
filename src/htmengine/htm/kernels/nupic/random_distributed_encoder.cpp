#include "nupic/random_distributed_encoder.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>

#include "nupic/scalar_encoder.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {
constexpr std::uint32_t largest_far_overlap = 2;
}

RandomDistributedScalarEncoder::RandomDistributedScalarEncoder(
    const RandomDistributedScalarEncoderParameters& parameters)
    : parameters_(parameters), random_(parameters.seed), offset_(parameters.offset) {
    const auto& p = parameters;
    if (!(p.resolution > 0.0) || !std::isfinite(p.resolution))
        throw std::invalid_argument("resolution is " + std::to_string(p.resolution) + ", but must be above 0 and finite");
    if (p.w % 2 == 0) throw std::invalid_argument("w is " + std::to_string(p.w) + ", but must be odd");
    if (p.n > max_encoder_width || p.n / 6 < p.w || p.n == 6 * p.w)
        throw std::invalid_argument("n is " + std::to_string(p.n) + ", but must be above 6 w and at most " +
                                    std::to_string(max_encoder_width));
    if (p.offset && !std::isfinite(*p.offset)) throw std::invalid_argument("offset must be finite");

    std::vector<std::uint32_t> shuffled(p.n);
    std::iota(shuffled.begin(), shuffled.end(), 0u);
    random_.shuffle(shuffled);
    middle_.assign(shuffled.begin(), shuffled.begin() + p.w);
    buckets_with_.resize(p.n);
    enter(middle_bucket);
}

std::optional<std::uint32_t> RandomDistributedScalarEncoder::encode(double value, std::uint32_t first_bit,
                                                                    std::vector<std::uint32_t>& bits) {
    if (!std::isfinite(value)) return std::nullopt;
    if (!offset_) offset_ = value;
    const std::int32_t bucket = bucket_of(value);
    while (last_bucket() < bucket) {
        above_.push_back(draw_bit(last_bucket() + 1, last_bucket()));
        enter(last_bucket());
    }
    while (first_bucket() > bucket) {
        below_.push_back(draw_bit(first_bucket() - 1, first_bucket()));
        enter(first_bucket());
    }

    const std::size_t start = bits.size();
    bits.resize(start + parameters_.w);
    copy_slots(bucket, &bits[start]);
    for (std::size_t i = start; i < bits.size(); ++i) bits[i] += first_bit;
    std::sort(bits.begin() + static_cast<std::ptrdiff_t>(start), bits.end());
    return static_cast<std::uint32_t>(bucket);
}

std::int32_t RandomDistributedScalarEncoder::bucket_of(double value) const {
    // std::round rounds halves away from zero. The steps can be infinite, but not NaN.
    const double bucket = middle_bucket + std::round((value - *offset_) / parameters_.resolution);
    return static_cast<std::int32_t>(std::min(std::max(bucket, 0.0), bucket_count - 1.0));
}

std::size_t RandomDistributedScalarEncoder::slot_of(std::int32_t bucket) const {
    const auto w = static_cast<std::int32_t>(parameters_.w);
    return static_cast<std::size_t>((bucket % w + w) % w);
}

void RandomDistributedScalarEncoder::copy_slots(std::int32_t bucket, std::uint32_t* slots) const {
    // Of w buckets in a row, up to this one, each has filled one slot: those between the middle one and this one
    // with a bit of their own, the others not at all.
    const auto w = static_cast<std::int32_t>(parameters_.w);
    const std::int32_t first = bucket > middle_bucket ? bucket - w + 1 : bucket;
    for (std::int32_t filler = first; filler < first + w; ++filler) {
        const std::size_t slot = slot_of(filler);
        if (bucket > middle_bucket && filler > middle_bucket)
            slots[slot] = above_[static_cast<std::size_t>(filler - middle_bucket - 1)];
        else if (bucket < middle_bucket && filler < middle_bucket)
            slots[slot] = below_[static_cast<std::size_t>(middle_bucket - filler - 1)];
        else
            slots[slot] = middle_[slot];
    }
}

std::vector<std::uint32_t> RandomDistributedScalarEncoder::slots(std::int32_t bucket) const {
    std::vector<std::uint32_t> slots(parameters_.w);
    copy_slots(bucket, slots.data());
    return slots;
}

/// Draws the bit in which a new bucket differs from its neighbour.
std::uint32_t RandomDistributedScalarEncoder::draw_bit(std::int32_t bucket, std::int32_t neighbour) {
    const auto w = static_cast<std::int32_t>(parameters_.w);
    std::array<std::uint16_t, bucket_count> shared{};  // bits that the new bucket shares with each so far
    const auto slots = this->slots(neighbour);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
        if (slot == slot_of(bucket)) continue;
        for (const std::uint16_t other : buckets_with_[slots[slot]]) ++shared[other];
    }
    // With many buckets in few bits no bit may be left. Then the far ones may share one more, and so on.
    for (std::uint32_t far_overlap = largest_far_overlap;; ++far_overlap) {
        const auto fits = [&](std::uint32_t bit) {
            const auto& others = buckets_with_[bit];
            return std::none_of(others.begin(), others.end(), [&](std::int32_t other) {
                const bool near = other == neighbour || std::abs(bucket - other) < w;
                return near || shared[static_cast<std::size_t>(other)] >= far_overlap;
            });
        };
        std::uint32_t bit = 0;
        while (bit < parameters_.n && !fits(bit)) ++bit;
        if (bit == parameters_.n) continue;
        do {
            bit = random_.below(parameters_.n);
        } while (!fits(bit));
        return bit;
    }
}

/// Enters a bucket into the table of buckets by bit.
void RandomDistributedScalarEncoder::enter(std::int32_t bucket) {
    for (const std::uint32_t bit : slots(bucket)) buckets_with_[bit].push_back(static_cast<std::uint16_t>(bucket));
}

void RandomDistributedScalarEncoder::restored() {
    random_.restored();
    if (offset_ && !std::isfinite(*offset_)) throw StateError("the offset of an encoder is not finite");
    if (first_bucket() < 0 || last_bucket() >= bucket_count) throw StateError("an encoder has too many buckets");
    for (const auto* bits : {&above_, &below_})
        for (const std::uint32_t bit : *bits)
            if (bit >= parameters_.n) throw StateError("a bucket has a bit outside the encoder");

    buckets_with_.assign(parameters_.n, {});
    for (std::int32_t bucket = first_bucket(); bucket <= last_bucket(); ++bucket) {
        enter(bucket);
        for (const std::uint32_t bit : slots(bucket)) {
            const auto& others = buckets_with_[bit];
            if (others.size() > 1 && others[others.size() - 2] == bucket) throw StateError("a bucket has a bit twice");
        }
    }
}

}  // namespace htmengine
