// Bits in a block of bytes, lowest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/state.hpp"

namespace htmengine {

/// Writes numbers of some bits to memory in which there are at least 8 bytes more than it takes.
class BitWriter {
   public:
    explicit BitWriter(std::uint8_t* memory) : next_(memory) {}

    /// Appends the lowest `count` bits (at most 56) of a number that has no others.
    void put(std::uint64_t number, unsigned count) {
        held_ |= number << used_;
        used_ += count;
        std::memcpy(next_, &held_, 8);
        next_ += used_ / 8;
        held_ >>= used_ & ~7u;
        used_ %= 8;
    }

    /// Fills up the last byte and returns where the bits end.
    std::uint8_t* finish() const { return next_ + (used_ > 0); }

   private:
    std::uint8_t* next_;
    std::uint64_t held_ = 0;
    unsigned used_ = 0;
};

/// Reads what a BitWriter has written. Behind the end there are zeros, of which `finish` tells.
class BitReader {
   public:
    BitReader(const std::uint8_t* data, std::size_t size) : begin_(data), next_(data), end_(data + size) { fill(); }

    /// The next bits, at least 56 of them; `skip` up to 56 before the next `fill`.
    std::uint64_t peek() const { return held_; }

    void skip(unsigned count) {
        held_ >>= count;
        used_ += count;
    }

    void fill() {
        next_ += used_ / 8;
        used_ %= 8;
        if (end_ - next_ >= 8) {
            std::memcpy(&held_, next_, 8);
        } else {
            held_ = 0;
            if (next_ < end_) std::memcpy(&held_, next_, static_cast<std::size_t>(end_ - next_));
            // As if the bytes went on: only how far it is counts any more.
            if (next_ > end_ + 8) {
                overrun_ = true;
                next_ = end_ + 8;
            }
        }
        held_ >>= used_;
    }

    std::uint32_t take(unsigned count) {
        const auto number = static_cast<std::uint32_t>(held_ & ((std::uint64_t{1} << count) - 1));
        skip(count);
        fill();
        return number;
    }

    /// How many bytes were read, the last of them whole. Throws StateError when more than there are.
    std::size_t finish() const {
        const std::uint8_t* read = next_ + (used_ + 7) / 8;
        if (overrun_ || read > end_) throw StateError("the block ends inside a field");
        return static_cast<std::size_t>(read - begin_);
    }

   private:
    const std::uint8_t* begin_;
    const std::uint8_t* next_;
    const std::uint8_t* end_;
    std::uint64_t held_ = 0;
    unsigned used_ = 0;
    bool overrun_ = false;
};

}  // namespace htmengine
