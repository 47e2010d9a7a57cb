// How often segments were right: exponential averages over learning steps, with a time constant that grows.
// A segment may be right several times within a step that replays past inputs, so an average may exceed 1.
//
// All averages decay alike, so they are kept divided by the decay since the last rebase: an activation adds to
// one of them, a step multiplies a single number. For the first 100 steps the average is activations / steps.
// Source: reference "HTM scalar anomaly models", section 7.5.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "common/state.hpp"

namespace htmengine {

class DutyClock {
   public:
    std::uint64_t steps() const { return steps_; }

    /// Counts a learning step; rebases all averages (kept in `scaled`) when the time constant changes.
    void tick(std::vector<float>& scaled) {
        if (ends_tier(steps_)) {
            for (float& average : scaled) average = static_cast<float>(value(average));
            decay_ = 1.0;
        }
        ++steps_;
        decay_ = steps_ <= tier_ends[0] ? gain() : decay_ * (1.0 - gain());
    }

    double value(float scaled) const { return static_cast<double>(scaled) * decay_; }

    /// A segment that was right now, and never before in all steps.
    float first() const { return static_cast<float>(1.0 / static_cast<double>(steps_) / decay_); }

    float after_activation(float scaled) const {
        return static_cast<float>(static_cast<double>(scaled) + gain() / decay_);
    }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.steps_, self.decay_);
    }

    /// `busiest`: activations of one segment that a single step can bring.
    void restored(const std::vector<float>& scaled, std::uint32_t busiest) const {
        // Rounding may take an average a little above what it is made of.
        const auto possible = [&](float average) { return average >= 0.0f && value(average) <= busiest + 1.0; };
        if (!(decay_ > 0.0 && decay_ <= 1.0) || !std::all_of(scaled.begin(), scaled.end(), possible))
            throw StateError("a duty cycle is out of range");
    }

   private:
    static constexpr std::array<std::uint64_t, 8> tier_ends{100, 320, 1000, 3200, 10000, 32000, 100000, 320000};
    static constexpr std::array<double, 9> gains{0.0,      0.0032,   0.0010,    0.00032,  0.00010,
                                                 0.000032, 0.000010, 0.0000032, 0.0000010};
    /// The last tier has no end: rebasing now and then keeps its decay from vanishing.
    static constexpr std::uint64_t longest_run = 100000;

    static bool ends_tier(std::uint64_t steps) {
        for (const std::uint64_t end : tier_ends)
            if (steps == end) return true;
        return steps != 0 && steps % longest_run == 0;
    }

    double gain() const {
        if (steps_ <= tier_ends[0]) return 1.0 / static_cast<double>(steps_);
        std::size_t tier = 1;
        while (tier < tier_ends.size() && steps_ > tier_ends[tier]) ++tier;
        return gains[tier];
    }

    std::uint64_t steps_ = 0;
    double decay_ = 1.0;
};

}  // namespace htmengine
