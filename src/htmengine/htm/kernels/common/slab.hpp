// Blocks of bytes of any size in memory that is asked for in large pieces: no allocation for a block, and no holes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace htmengine {

/// A block is a list of chunks. Not safe to use from two threads at once.
class Slab {
   public:
    struct Block {
        std::uint32_t first = none;
        std::uint32_t size = 0;
    };

    static constexpr std::uint32_t none = 0xffffffff;

    Block put(const std::uint8_t* data, std::size_t size) {
        Block block{none, static_cast<std::uint32_t>(size)};
        const std::size_t chunks = (size + payload - 1) / payload;
        while (free_count_ < chunks) grow();
        std::uint32_t* link = &block.first;
        for (std::size_t at = 0; at < size; at += payload) {
            const std::uint32_t number = free_;
            Chunk& chunk = at_number(number);
            free_ = chunk.next;
            *link = number;
            link = &chunk.next;
            std::memcpy(chunk.bytes.data(), data + at, std::min(payload, size - at));
        }
        *link = none;
        free_count_ -= chunks;
        used_count_ += chunks;
        return block;
    }

    std::vector<std::uint8_t> get(const Block& block) const {
        std::vector<std::uint8_t> bytes(block.size);
        std::uint32_t number = block.first;
        for (std::size_t at = 0; at < block.size; at += payload) {
            const Chunk& chunk = at_number(number);
            std::memcpy(bytes.data() + at, chunk.bytes.data(), std::min<std::size_t>(payload, block.size - at));
            number = chunk.next;
        }
        return bytes;
    }

    void drop(const Block& block) {
        if (block.first == none) return;
        std::uint32_t last = block.first;
        std::size_t chunks = 1;
        for (; at_number(last).next != none; last = at_number(last).next) ++chunks;
        at_number(last).next = free_;
        free_ = block.first;
        free_count_ += chunks;
        used_count_ -= chunks;
    }

    /// Bytes of memory that blocks take.
    std::size_t used() const { return used_count_ * sizeof(Chunk); }

   private:
    static constexpr std::size_t payload = 1020;
    static constexpr std::size_t chunks_in_piece = 1024;  // a piece is a mebibyte

    struct Chunk {
        std::uint32_t next;
        std::array<std::uint8_t, payload> bytes;
    };

    Chunk& at_number(std::uint32_t number) const { return pieces_[number / chunks_in_piece][number % chunks_in_piece]; }

    void grow() {
        // Not initialised: the system gives memory when it is written to.
        pieces_.emplace_back(new Chunk[chunks_in_piece]);
        const auto first = static_cast<std::uint32_t>((pieces_.size() - 1) * chunks_in_piece);
        for (std::uint32_t number = first + chunks_in_piece; number-- > first;) {
            at_number(number).next = free_;
            free_ = number;
        }
        free_count_ += chunks_in_piece;
    }

    std::vector<std::unique_ptr<Chunk[]>> pieces_;
    std::uint32_t free_ = none;
    std::size_t free_count_ = 0;
    std::size_t used_count_ = 0;
};

}  // namespace htmengine
