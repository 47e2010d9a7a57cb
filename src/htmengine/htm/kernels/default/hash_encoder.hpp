// A value and its time of day, encoded straight into columns: no spatial pooler behind it.
//
// Half of the bits say the value alone, half say the value together with the time of day. Each bit sees the value in
// steps of `overlap` buckets, shifted against its neighbours by one bucket, so that values a few buckets apart share
// bits and values `overlap` apart share none. What a bit sees is hashed to one of the columns.
// Source: coding by overlapping, shifted tilings: Albus (1975), CMAC; hashed as in Sutton and Barto, "Reinforcement
// Learning", chapter 9 (tile coding). Purdy (2016), "Encoding data for HTM systems", for what a good code needs.
#pragma once

#include <cstdint>
#include <vector>

namespace htmengine {

struct HashEncoderParameters {
    std::uint32_t columns;       // 1 .. 65535
    std::uint32_t value_bits;    // bits for the value; also how many buckets one bit spans
    std::uint32_t daytime_bits;  // bits for the value at this time of day
    std::uint32_t day_parts;     // steps of the day that a daytime bit tells apart
    std::uint64_t seed;
};

class HashEncoder {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit HashEncoder(const HashEncoderParameters& parameters);

    /// The columns, ascending and each once, of a value `buckets` steps of the resolution above zero at `timestamp`
    /// seconds since the epoch (UTC).
    void encode(double timestamp, double buckets, std::vector<std::uint32_t>& columns) const;

    const HashEncoderParameters& parameters() const { return parameters_; }

   private:
    HashEncoderParameters parameters_;
};

}  // namespace htmengine
