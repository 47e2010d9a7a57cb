// Where each cell's axon leads: for every source cell, the segments that have a synapse from it.
//
// Lists lie in one pool, each in a block whose capacity is a power of two; blocks left behind by growing lists
// are reused. Copying an index copies three flat arrays. The order within a list has no meaning and depends on
// history, so no result may depend on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/span.hpp"

namespace htmengine {

class OutgoingIndex {
   public:
    explicit OutgoingIndex(std::uint32_t sources) : lists_(sources) {}

    /// The segments with a synapse from this source.
    Span<const std::uint32_t> segments(std::uint32_t source) const {
        return {pool_.data() + lists_[source].offset, lists_[source].size};
    }

    void add(std::uint32_t source, std::uint32_t segment);
    void remove(std::uint32_t source, std::uint32_t segment);

    /// Empties all lists and makes room for counts[source] segments in each.
    void reset(Span<const std::uint32_t> counts);

   private:
    struct List {
        std::uint32_t offset = 0;
        std::uint32_t size : 27;
        std::uint32_t block_class : 5;  // 0: no block; k: a block of 2^k
        List() : size(0), block_class(0) {}
    };

    std::uint32_t take_block(std::uint32_t block_class);

    std::vector<List> lists_;
    std::vector<std::uint32_t> pool_;
    std::array<std::vector<std::uint32_t>, 28> free_blocks_;  // by class: offsets
};

}  // namespace htmengine
