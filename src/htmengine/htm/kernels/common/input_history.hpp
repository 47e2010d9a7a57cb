// The last few inputs of a sequence, oldest first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/span.hpp"
#include "common/state.hpp"

namespace htmengine {

class InputHistory {
   public:
    std::size_t size() const { return size_; }
    const std::vector<std::uint32_t>& operator[](std::size_t i) const { return inputs_[i]; }

    void push(Span<const std::uint32_t> input) {
        if (size_ == inputs_.size()) inputs_.emplace_back();
        inputs_[size_++].assign(input.begin(), input.end());
    }

    /// Forgets the oldest `count` inputs; their memory is kept for inputs to come.
    void drop(std::size_t count) {
        std::for_each_n(inputs_.begin(), count, [](std::vector<std::uint32_t>& input) { input.clear(); });
        std::rotate(inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(count),
                    inputs_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ -= count;
    }

    void clear() { drop(size_); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.size_, self.inputs_);
    }

    void restored(std::size_t longest, std::uint32_t columns) const {
        if (size_ > inputs_.size() || size_ > longest) throw StateError("a history of inputs is too long");
        for (const auto& input : inputs_)
            for (const std::uint32_t column : input)
                if (column >= columns) throw StateError("a history of inputs names a column that does not exist");
    }

   private:
    std::uint64_t size_ = 0;
    std::vector<std::vector<std::uint32_t>> inputs_;  // `size_` of them are in use
};

}  // namespace htmengine
