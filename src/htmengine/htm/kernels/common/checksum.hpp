// A checksum of a block of bytes, some bytes a cycle: tells damage, not intent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace htmengine {

/// 64 bits that depend on every bit of the data and of the seed. Where all that is different lies within 8 bytes at a
/// multiple of 8, the checksum is another one for certain.
inline std::uint64_t checksum(const std::uint8_t* data, std::size_t size, std::uint64_t seed) {
    constexpr std::uint64_t factor = 0x9e3779b97f4a7c15u;
    const auto mixed = [](std::uint64_t word) {
        // The last steps of SplitMix64: Steele, Lea, Flood (2014), doi:10.1145/2660193.2660195.
        word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
        word = (word ^ word >> 27) * 0x94d049bb133111ebu;
        return word ^ word >> 31;
    };
    const auto taken = [&](std::uint64_t lane, std::uint64_t word) {
        lane = (lane ^ word) * factor;
        return lane << 29 | lane >> 35;
    };
    // Four lanes, so that one does not wait for the other.
    std::array<std::uint64_t, 4> lanes{seed, seed + 1, seed + 2, seed + 3};
    std::size_t at = 0;
    for (; at + 32 <= size; at += 32) {
        std::array<std::uint64_t, 4> words;
        std::memcpy(words.data(), data + at, 32);
        for (std::size_t i = 0; i < 4; ++i) lanes[i] = taken(lanes[i], words[i]);
    }
    for (std::size_t i = 0; at < size; at += 8, i = (i + 1) % 4) {
        std::uint64_t word = 0;
        std::memcpy(&word, data + at, size - at < 8 ? size - at : 8);
        lanes[i] = taken(lanes[i], word);
    }
    std::uint64_t sum = mixed(size + factor);
    for (const std::uint64_t lane : lanes) sum = mixed(sum + mixed(lane));
    return sum;
}

}  // namespace htmengine
