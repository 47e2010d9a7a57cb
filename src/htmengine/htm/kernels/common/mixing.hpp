// Integer mixing: hashes and random numbers of the default model.
//
// Source: the splitmix64 generator and its finaliser; Steele, Lea, Flood (2014), "Fast splittable pseudorandom
// number generators", OOPSLA, doi:10.1145/2660193.2660195.
#pragma once

#include <cstdint>

namespace htmengine {

/// Spreads the bits of a word over the whole word; a bijection.
inline std::uint64_t mix(std::uint64_t word) {
    word += 0x9e3779b97f4a7c15u;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

/// A sequence of random words; its whole state is one word.
class MixingRandom {
   public:
    explicit MixingRandom(std::uint64_t seed) : state_(mix(seed)) {}

    /// A whole number from 0 to bound - 1, for bounds far below 2^32.
    std::uint32_t below(std::uint32_t bound) {
        const std::uint64_t word = mix(state_);
        state_ += 0x9e3779b97f4a7c15u;
        return static_cast<std::uint32_t>(((word >> 32) * bound) >> 32);
    }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.state_);
    }

   private:
    std::uint64_t state_;
};

}  // namespace htmengine
