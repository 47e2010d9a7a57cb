// The random distributed scalar encoder (RDSE): a value falls into one of 1000 buckets of equal size, and each bucket
// has a random set of bits. Buckets less than w apart share w minus their distance, others at most 2.
//
// Source: reference "HTM scalar anomaly models", section 4.1; golden vectors rdse.json. Purdy (2016), "Encoding data
// for HTM systems", arXiv:1602.05925, for the idea.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nupic/random.hpp"

namespace htmengine {

struct RandomDistributedScalarEncoderParameters {
    double resolution;   // size of a bucket, in the value's unit
    std::uint32_t w;     // active bits, odd
    std::uint32_t n;     // width in bits, above 6 w
    std::uint64_t seed;  // of the random bits
    std::optional<double> offset;  // centre of the middle bucket; else the first value
};

/// Buckets get their bits when a value first falls into them or beyond them, outward from the middle one, and keep
/// them. So the code of a value depends on the order in which the range grew.
class RandomDistributedScalarEncoder {
   public:
    static constexpr std::int32_t bucket_count = 1000;
    static constexpr std::int32_t middle_bucket = 500;

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit RandomDistributedScalarEncoder(const RandomDistributedScalarEncoderParameters& parameters);

    std::uint32_t width() const { return parameters_.n; }

    /// Appends the bits of `value`, ascending, `first_bit` added to each, and returns its bucket, 0 to 999. A value
    /// that is not finite is missing: no bits, no bucket, no change of state.
    std::optional<std::uint32_t> encode(double value, std::uint32_t first_bit, std::vector<std::uint32_t>& bits);

    /// The buckets that have bits are first_bucket() to last_bucket().
    std::int32_t first_bucket() const { return middle_bucket - static_cast<std::int32_t>(below_.size()); }
    std::int32_t last_bucket() const { return middle_bucket + static_cast<std::int32_t>(above_.size()); }

    /// The w bits of a bucket that has bits, in the order of their slots.
    std::vector<std::uint32_t> slots(std::int32_t bucket) const;

    const std::optional<double>& offset() const { return offset_; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.random_, self.offset_, self.above_, self.below_);
    }

    /// Rebuilds the table of buckets. Throws StateError unless every bucket has w different bits.
    void restored();

   private:
    std::int32_t bucket_of(double value) const;
    std::size_t slot_of(std::int32_t bucket) const;
    void copy_slots(std::int32_t bucket, std::uint32_t* slots) const;
    std::uint32_t draw_bit(std::int32_t bucket, std::int32_t neighbour);
    void enter(std::int32_t bucket);

    RandomDistributedScalarEncoderParameters parameters_;
    Random random_;
    std::optional<double> offset_;
    std::vector<std::uint32_t> middle_;  // the bits of the middle bucket by slot; they follow from the seed
    // A bucket differs from its inner neighbour in one bit, in slot bucket mod w. It is all that is kept:
    std::vector<std::uint32_t> above_;  // of buckets 501, 502, ...
    std::vector<std::uint32_t> below_;  // of buckets 499, 498, ...
    // Derived: which buckets have a bit.
    std::vector<std::vector<std::uint16_t>> buckets_with_;
};

}  // namespace htmengine
