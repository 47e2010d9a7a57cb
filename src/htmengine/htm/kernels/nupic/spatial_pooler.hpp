// The spatial pooler: learns which columns stand for an input, and makes a fixed number of them active.
//
// Shapes: I inputs, C columns. Each column has permanences to a random part of the inputs (its potential pool); an
// input counts for the column while its permanence is at least the connected one. Inhibition is global.
// Permanences, duty cycles and boost factors are 32-bit floats, as in the original, so that results agree bit for bit.
// Source: reference "HTM scalar anomaly models", section 5; golden vectors sp_nab_init.json and
// sp_nab_nyc_taxi_active_columns.csv. BaMI, "Spatial Pooling Algorithm Details", for the algorithm.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "nupic/random.hpp"
#include "common/span.hpp"

namespace htmengine {

struct SpatialPoolerParameters {
    std::uint32_t inputs;             // I, input bits
    std::uint32_t columns;            // C
    std::uint32_t active_columns;     // per step
    float potential_pct;              // share of the inputs in the potential pool of a column, above 0, up to 1
    float connected_permanence;       // above 0 and below 1, like all permanences from 0 to 1
    float active_increment;           // per step, for synapses of an active column to an active input
    float inactive_decrement;         // the same, to an inactive input
    float boost_strength;             // 0: no boosting
    std::uint32_t duty_cycle_period;  // steps over which duty cycles are averaged
    float min_overlap_duty;           // columns below this share of the largest overlap duty cycle are strengthened
    std::uint64_t seed;               // of the potential pools and initial permanences
};

class SpatialPooler {
   public:
    /// Throws std::invalid_argument when a parameter is out of range. Drawing the initial permanences of the default
    /// size takes some 10 ms; a copy of an untrained pooler with the same parameters is the same and faster.
    explicit SpatialPooler(const SpatialPoolerParameters& parameters);

    /// The active columns, ascending, for the active input bits (ascending, each below I). Without `learn` neither
    /// the state changes nor does boosting count. The reference holds until the next call.
    const std::vector<std::uint32_t>& compute(Span<const std::uint32_t> bits, bool learn);

    const SpatialPoolerParameters& parameters() const { return parameters_; }

    /// Active connected inputs of each column in the latest step. (C,)
    std::vector<std::uint32_t> overlaps() const;

    /// Permanences by column, -1 for inputs outside the potential pool. (C * I,)
    const std::vector<float>& permanences() const { return permanences_; }

    /// Share of the recent steps in which each column was active, and in which it had an overlap. (C,)
    const std::vector<float>& active_duty_cycles() const { return active_duty_cycles_; }
    const std::vector<float>& overlap_duty_cycles() const { return overlap_duty_cycles_; }

    /// Factors on the overlaps while learning. (C,)
    const std::vector<float>& boost_factors() const { return boost_factors_; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        // Where the potential pools are follows from the seed, so only what is inside them is stored.
        std::vector<float> pooled;
        if constexpr (std::is_const_v<Self>) pooled = self.pooled_permanences();
        archive(pooled);
        if constexpr (!std::is_const_v<Self>) self.set_pooled_permanences(pooled);
        archive(self.active_duty_cycles_, self.overlap_duty_cycles_, self.weak_duty_cycle_, self.steps_);
    }

    /// Rebuilds what is derived. Throws StateError when the state does not fit the parameters.
    void restored();

   private:
    using Word = std::uint64_t;  // one bit for each of 64 columns

    void draw_column(Random& random, std::uint32_t column);
    std::vector<float> pooled_permanences() const;
    void set_pooled_permanences(const std::vector<float>& pooled);
    void connect();
    void count_overlaps(Span<const std::uint32_t> bits);
    void combine_digits(std::vector<std::uint32_t>& counts) const;
    void choose_by_overlap();
    void choose_by_boosted_overlap();
    void learn(Span<const std::uint32_t> bits);
    void adapt(std::uint32_t column, const std::vector<float>& changes);
    void find_columns_without_overlap();
    void update_duty_cycles(std::vector<float>& duty_cycles, float usual, const std::vector<std::uint32_t>& others);
    void strengthen_weak_columns();
    void update_boost_factors();

    SpatialPoolerParameters parameters_;
    float connected_threshold_;
    float trim_threshold_;
    std::size_t words_;  // for a bit per column
    Word last_word_;     // the bits of the last word that stand for columns

    std::vector<float> permanences_;
    std::vector<float> active_duty_cycles_;
    std::vector<float> overlap_duty_cycles_;
    float weak_duty_cycle_ = 0.0f;  // columns with a smaller overlap duty cycle are strengthened
    std::uint64_t steps_ = 0;       // with learning

    // Derived.
    std::vector<Word> connected_;  // (I, words_): the columns to which an input is connected
    std::vector<float> boost_factors_;

    // Of the latest step. Overlaps are binary numbers: bit c of digit d is digit d of the overlap of column c.
    std::vector<Word> digits_;  // (digit_count_, words_), the lowest digit first
    std::size_t digit_count_ = 0;
    std::vector<std::uint32_t> active_;

    // Scratch.
    std::vector<Word> carry_, winners_, tied_;  // (words_,)
    std::vector<float> input_changes_;          // (I,): of permanences to active and to inactive inputs
    std::vector<float> weak_changes_;           // (I,): of permanences of weak columns
    std::vector<float> before_;                 // (I,): permanences of a column before a change
    std::vector<std::uint8_t> crossed_;         // per chunk of them: whether one crossed the threshold
    std::vector<std::uint32_t> without_overlap_;
    std::vector<float> duty_cycles_before_;
    std::vector<std::uint32_t> counts_;
    std::vector<float> boosted_;
    std::vector<std::uint32_t> order_;
};

}  // namespace htmengine
