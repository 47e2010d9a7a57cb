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

#include "common/span.hpp"

namespace htmengine {

class Random {
   public:
    static constexpr std::uint32_t default_bound = 0xffffffffu;

    /// Throws std::invalid_argument for a multiple of 2^32 - 1, 0 among them: all draws would be 0.
    explicit Random(std::uint64_t seed = 1);

    /// A whole number from 0 to bound - 1; `bound` is at least 1.
    std::uint32_t below(std::uint32_t bound = default_bound) {
        // Drawn numbers have 31 bits, so the last, incomplete multiple of a small bound is never reached and only
        // a bound above 2^31 could ask for a second draw; none does: below(2^32 - 1) is the draw itself.
        return draw() % bound;
    }

    /// A real number in [0, 1) with 48 random bits.
    double real() {
        const std::uint64_t low = draw();
        const std::uint64_t high = draw();
        const std::uint64_t bits = (low + (high << 32)) & ((std::uint64_t{1} << 48) - 1);
        return static_cast<double>(bits) / 281474976710656.0;  // 2^48
    }

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
    static constexpr std::uint32_t word_modulus = 0xffffffffu;

    /// 31 random bits.
    std::uint32_t draw() {
        // Both words are below the modulus, so one subtraction takes the remainder.
        std::uint64_t sum = std::uint64_t{words_[front_]} + words_[rear_];
        if (sum >= word_modulus) sum -= word_modulus;
        words_[front_] = static_cast<std::uint32_t>(sum);
        if (++front_ == words_.size()) front_ = 0;
        if (++rear_ == words_.size()) rear_ = 0;
        return static_cast<std::uint32_t>(sum) >> 1;
    }

    std::array<std::uint32_t, 31> words_{};  // each below 2^32 - 1
    std::uint32_t front_ = 3;
    std::uint32_t rear_ = 0;
};

}  // namespace htmengine
