// A set of small whole numbers (cells, columns): constant-time membership, and its members as an array.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/span.hpp"
#include "common/state.hpp"

namespace htmengine {

class IndexSet {
   public:
    /// An empty set of numbers from 0 to bound - 1.
    explicit IndexSet(std::uint32_t bound) : bound_(bound), words_((std::size_t{bound} + 63) / 64, 0) {}

    /// The members, in the order in which they were inserted.
    const std::vector<std::uint32_t>& members() const { return members_; }
    std::size_t size() const { return members_.size(); }
    bool empty() const { return members_.empty(); }
    bool contains(std::uint32_t item) const { return words_[item >> 6] >> (item & 63) & 1; }

    /// Returns whether the item is new.
    bool insert(std::uint32_t item) {
        std::uint64_t& word = words_[item >> 6];
        const std::uint64_t bit = std::uint64_t{1} << (item & 63);
        if (word & bit) return false;
        word |= bit;
        members_.push_back(item);
        return true;
    }

    /// Costs as much as there are members.
    void clear() {
        for (const std::uint32_t item : members_) words_[item >> 6] = 0;
        members_.clear();
    }

    void assign(Span<const std::uint32_t> items) {
        clear();
        for (const std::uint32_t item : items) insert(item);
    }

    /// Puts the members into ascending order.
    void sort() { std::sort(members_.begin(), members_.end()); }

    /// Calls visit(member) for the members from first to last - 1, ascending; returns how many there are.
    template <class Visit>
    std::uint32_t visit_range(std::uint32_t first, std::uint32_t last, Visit&& visit) const {
        std::uint32_t found = 0;
        for (std::uint32_t item = first; item < last;) {
            const std::uint64_t rest = words_[item >> 6] >> (item & 63);
            if (rest == 0) {
                item = (item | 63) + 1;
                continue;
            }
            item += static_cast<std::uint32_t>(__builtin_ctzll(rest));
            if (item >= last) break;
            visit(item);
            ++found;
            ++item;
        }
        return found;
    }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.members_);
    }

    void restored() {
        std::fill(words_.begin(), words_.end(), std::uint64_t{0});
        for (const std::uint32_t item : std::exchange(members_, {}))
            if (item >= bound_ || !insert(item)) throw StateError("a set of cells has a member out of range or twice");
    }

   private:
    std::uint32_t bound_;
    std::vector<std::uint64_t> words_;
    std::vector<std::uint32_t> members_;
};

}  // namespace htmengine
