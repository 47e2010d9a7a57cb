// First-order temporal memory: which columns follow which, from one step to the next.
//
// A column has segments, each a set of synapses from columns that were active one step before. There is one cell per
// column, so the memory sees one step back and no further: for metrics this is what detects best, and it lets a step
// look at the segments of the active columns only, so work per step and state are capped.
// Source: Hawkins and Ahmad (2016), "Why neurons have thousands of synapses", doi:10.3389/fncir.2016.00023;
// reference "HTM scalar anomaly models", section 6, for one cell per column.
#pragma once

#include <cstdint>
#include <vector>

#include "common/mixing.hpp"
#include "common/span.hpp"

namespace htmengine {

struct TransitionMemoryParameters {
    std::uint32_t columns;               // 1 .. 1024: a synapse keeps its source in 10 bits
    std::uint32_t max_segments;          // over all columns, up to 65534; the least recently used makes room
    std::uint32_t activation_threshold;  // connected active synapses of a segment that predicts its column
    std::uint32_t match_threshold;       // active synapses of a segment that is worth teaching
    std::uint32_t new_synapses;          // active synapses that a taught segment should have, at most 16
    std::uint32_t initial_permanence;    // permanences are whole numbers from 1 to 63
    std::uint32_t connected_permanence;
    std::uint32_t permanence_increment;
    std::uint32_t permanence_decrement;
    std::uint64_t seed;
};

/// The segments of a memory as few bytes that compress well: a column for each kind of number, sources as ascending gaps.
struct PackedSegments {
    std::vector<std::uint16_t> owners;          // per segment: its column
    std::vector<std::uint16_t> places;          // in the list of its column, from the newest on
    std::vector<std::uint32_t> ages;            // steps since it was used
    std::vector<std::uint8_t> synapse_counts;
    std::vector<std::uint16_t> gaps;            // per synapse, by segment: columns left out since the source before
    std::vector<std::uint8_t> permanences;      // per synapse

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.owners, self.places, self.ages, self.synapse_counts, self.gaps, self.permanences);
    }
};

class TransitionMemory {
   public:
    static constexpr std::uint32_t synapses_per_segment = 16;

    /// Throws std::invalid_argument when a parameter is out of range.
    explicit TransitionMemory(const TransitionMemoryParameters& parameters);

    /// Takes the active columns (ascending, each once) and returns the share of them that the previous step did not
    /// predict, from 0 to 1; 0 when no column is active. Then learns the transition.
    double compute(Span<const std::uint32_t> active_columns);

    /// For each column whether the step before the last one predicted it, by what was known before the last step was
    /// learned; but a segment that made room for what was learned then is gone.
    std::vector<std::uint8_t> predicted() const;

    const TransitionMemoryParameters& parameters() const { return parameters_; }
    std::size_t segment_count() const { return owners_.size(); }
    std::size_t synapse_count() const;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        if constexpr (Archive::packs) {
            archive(self.step_);
        } else if constexpr (Archive::compact) {
            PackedSegments segments;
            archive(self.step_);
            if constexpr (Archive::writes) segments = self.packed();
            archive(segments);
            if constexpr (!Archive::writes) self.unpack(segments);
        } else {
            archive(self.synapses_, self.synapse_counts_, self.owners_, self.nexts_, self.last_used_, self.step_);
        }
        archive(self.previous_, self.foreseen_, self.before_, self.random_);
    }

    /// Appends the segments as few bits: what `fields` leaves out when it packs.
    void pack_segments(std::vector<std::uint8_t>& bytes) const;

    /// Reads them back, when the other fields are in place, and returns how many bytes they took. Throws StateError.
    std::size_t unpack_segments(const std::uint8_t* data, std::size_t size);

    /// Bytes of memory beside the object itself and its fields.
    std::size_t derived_memory() const;

    /// Rebuilds the heads of the columns' lists. Throws StateError when the state does not fit the parameters.
    void restored();

   private:
    struct Overlap {
        std::uint32_t potential;  // synapses from columns of the previous step
        std::uint32_t connected;  // those of them whose permanence counts
    };

    Overlap overlap(std::size_t segment, const std::vector<std::uint8_t>& active) const;
    void reinforce(std::uint16_t segment, std::uint32_t potential);
    void grow(std::uint16_t segment, std::uint32_t wanted);
    std::uint16_t new_segment(std::uint16_t column);
    void reserve(std::size_t segments);
    void unlink(std::uint16_t segment);
    void mark_previous(std::uint8_t mark);
    std::vector<std::uint16_t> places() const;
    std::vector<std::uint16_t> by_age() const;
    PackedSegments packed() const;
    void unpack(const PackedSegments& packed);
    void link(const std::vector<std::uint16_t>& places);

    TransitionMemoryParameters parameters_;
    // A synapse is source << 6 | permanence. Segment s has synapse_counts_[s] of them from 16 * s on.
    std::vector<std::uint16_t> synapses_;
    std::vector<std::uint8_t> synapse_counts_;
    std::vector<std::uint16_t> owners_;  // per segment: its column
    std::vector<std::uint16_t> nexts_;   // per segment: the next one of its column
    std::vector<std::uint32_t> last_used_;
    std::uint32_t step_ = 0;
    std::vector<std::uint16_t> previous_;  // active columns of the previous step
    std::vector<std::uint8_t> foreseen_;   // per column of these: whether it was predicted
    std::vector<std::uint16_t> before_;    // active columns of the step before
    MixingRandom random_;
    // Derived: the newest segment of each column; whether a column was active in the previous step.
    std::vector<std::uint16_t> heads_;
    std::vector<std::uint8_t> was_active_;
    std::vector<std::uint16_t> candidates_;  // scratch
};

}  // namespace htmengine
