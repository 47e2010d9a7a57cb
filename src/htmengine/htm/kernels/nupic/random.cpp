#include "nupic/random.hpp"

#include <stdexcept>

#include "common/state.hpp"

namespace htmengine {

namespace {
constexpr int draws_thrown_away = 310;
}  // namespace

Random::Random(std::uint64_t seed) {
    words_[0] = static_cast<std::uint32_t>(seed % word_modulus);
    if (words_[0] == 0) throw std::invalid_argument("a seed must not be a multiple of 4294967295, nor 0");
    for (std::size_t i = 1; i < words_.size(); ++i) {
        // 16807 * previous mod (2^31 - 1) by Schrage's method, on the word read as a signed number.
        const std::int64_t previous = static_cast<std::int32_t>(words_[i - 1]);
        std::int64_t word = 16807 * (previous % 127773) - 2836 * (previous / 127773);
        if (word < 0) word += 2147483647;
        words_[i] = static_cast<std::uint32_t>(word);
    }
    for (int i = 0; i < draws_thrown_away; ++i) draw();
}

void Random::restored() const {
    if (front_ >= words_.size() || rear_ >= words_.size())
        throw StateError("an index of the random state is out of range");
    bool all_zero = true;
    for (const std::uint32_t word : words_) {
        if (word >= word_modulus) throw StateError("a word of the random state is out of range");
        all_zero = all_zero && word == 0;
    }
    if (all_zero) throw StateError("the random state has only zeros");
}

}  // namespace htmengine
