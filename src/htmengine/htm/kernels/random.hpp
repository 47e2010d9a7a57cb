// The random generator of NuPIC, which its poolers, memories and encoders draw from.
//
// An additive lagged Fibonacci generator over 31 words, seeded by a multiplicative congruential one.
// Source: reference "HTM scalar anomaly models", section 3; golden vectors random.json.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "span.hpp"

namespace htmengine {

class Random {
   public:
    static constexpr std::uint32_t default_bound = 0xffffffffu;

    /// Throws std::invalid_argument for a multiple of 2^32 - 1, 0 among them: all draws would be 0.
    explicit Random(std::uint64_t seed = 1);

    /// A whole number from 0 to bound - 1; `bound` is at least 1.
    std::uint32_t below(std::uint32_t bound = default_bound);

    /// A real number in [0, 1) with 48 random bits.
    double real();

    /// Shuffles in place.
    template <class T>
    void shuffle(std::vector<T>& items) {
        for (std::size_t i = 0; i < items.size(); ++i)
            std::swap(items[i], items[i + below(static_cast<std::uint32_t>(items.size() - i))]);
    }

    /// `count` of `population`, keeping its order.
    template <class T>
    std::vector<T> sample(Span<const T> population, std::size_t count) {
        std::vector<T> taken;
        taken.reserve(count);
        for (std::size_t i = 0; i < population.size() && taken.size() < count; ++i)
            if (below(static_cast<std::uint32_t>(population.size() - i)) < count - taken.size())
                taken.push_back(population[i]);
        return taken;
    }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        for (auto& word : self.words_) archive(word);
        archive(self.front_, self.rear_);
    }

    /// Throws StateError unless the restored words and pointers are those of a generator.
    void restored() const;

   private:
    std::uint32_t draw();

    std::array<std::uint32_t, 31> words_{};  // each below 2^32 - 1
    std::uint32_t front_ = 3;
    std::uint32_t rear_ = 0;
};

}  // namespace htmengine
