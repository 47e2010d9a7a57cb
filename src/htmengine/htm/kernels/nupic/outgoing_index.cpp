#include "nupic/outgoing_index.hpp"

#include <algorithm>

namespace htmengine {

namespace {
constexpr std::uint32_t smallest_block_class = 2;
}

void OutgoingIndex::add(std::uint32_t source, std::uint32_t segment) {
    List& list = lists_[source];
    if (list.block_class == 0 || list.size == 1u << list.block_class) {
        const std::uint32_t grown = std::max<std::uint32_t>(list.block_class + 1, smallest_block_class);
        const std::uint32_t offset = take_block(grown);
        std::copy_n(pool_.begin() + list.offset, list.size, pool_.begin() + offset);
        if (list.block_class != 0) free_blocks_[list.block_class].push_back(list.offset);
        list.offset = offset;
        list.block_class = grown;
    }
    pool_[list.offset + list.size++] = segment;
}

void OutgoingIndex::remove(std::uint32_t source, std::uint32_t segment) {
    List& list = lists_[source];
    std::uint32_t* const first = pool_.data() + list.offset;
    // Searched from the back: what is removed soonest was often added last.
    std::uint32_t* found = first + --list.size;
    const std::uint32_t last = *found;
    while (*found != segment) --found;
    *found = last;
}

void OutgoingIndex::reset(Span<const std::uint32_t> counts) {
    pool_.clear();
    for (auto& blocks : free_blocks_) blocks.clear();
    for (std::size_t source = 0; source < lists_.size(); ++source) {
        lists_[source] = List();
        if (counts[source] == 0) continue;
        std::uint32_t block_class = smallest_block_class;
        while (counts[source] > 1u << block_class) ++block_class;
        lists_[source].block_class = block_class;
        lists_[source].offset = take_block(block_class);
    }
}

std::uint32_t OutgoingIndex::take_block(std::uint32_t block_class) {
    std::vector<std::uint32_t>& blocks = free_blocks_[block_class];
    if (!blocks.empty()) {
        const std::uint32_t offset = blocks.back();
        blocks.pop_back();
        return offset;
    }
    const std::size_t offset = pool_.size();
    pool_.resize(offset + (std::size_t{1} << block_class));
    return static_cast<std::uint32_t>(offset);
}

}  // namespace htmengine
