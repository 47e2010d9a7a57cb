// The plain temporal memory: learns which cells follow which, and predicts by connected synapses alone.
//
// Shapes: C columns of K cells; cell = column * K + k.
// Source: reference "HTM scalar anomaly models", section 6; golden vectors tm_small.json.
#pragma once

#include <cstdint>
#include <vector>

#include "common/index_set.hpp"
#include "nupic/random.hpp"
#include "nupic/segment_store.hpp"
#include "common/span.hpp"

namespace htmengine {

struct TemporalMemoryParameters {
    std::uint32_t columns;
    std::uint32_t cells_per_column;
    std::uint32_t activation_threshold;      // connected active synapses that make a segment predict
    std::uint32_t min_threshold;             // active synapses of any permanence that make a segment match
    std::uint32_t new_synapse_count;         // active synapses that learning brings a segment to
    std::uint32_t max_segments_per_cell;
    std::uint32_t max_synapses_per_segment;  // at most 255
    double initial_permanence;
    double connected_permanence;
    double permanence_increment;
    double permanence_decrement;
    double predicted_segment_decrement;      // taken from segments that predicted a column in vain
    std::uint64_t seed;
};

/// |active columns that were not predicted| / |active columns| as a 32-bit float; 0 if no column is active.
double raw_anomaly_score(std::size_t unpredicted, std::size_t active);

class TemporalMemory {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit TemporalMemory(const TemporalMemoryParameters& parameters);

    /// One step. `columns`: the active columns, ascending, each once. Returns the raw anomaly score: the share
    /// of them that had no predictive cell.
    double compute(Span<const std::uint32_t> columns, bool learn);

    /// Forgets what is active and predicted, not what was learned: a new sequence begins.
    void reset();

    std::uint32_t columns() const { return parameters_.columns; }
    std::uint32_t cells() const { return parameters_.columns * parameters_.cells_per_column; }
    /// Ascending.
    const std::vector<std::uint32_t>& active_cells() const { return active_.members(); }
    /// Ascending. One or more per active column: those that learn.
    const std::vector<std::uint32_t>& winner_cells() const { return winners_.members(); }
    /// Ascending. Owners of the segments that predict for the next step.
    std::vector<std::uint32_t> predictive_cells() const;
    const SegmentStore& segments() const { return segments_; }
    std::size_t segment_count() const { return segments_.live_segments(); }
    std::size_t synapse_count() const { return segments_.live_synapses(); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.random_, self.iteration_, self.next_ordinal_, self.active_, self.winners_, self.segments_,
                self.ordinals_, self.last_used_, self.free_);
    }

    void restored();

   private:
    /// A segment with enough active synapses to learn from the next input.
    struct Match {
        std::uint32_t cell;
        std::uint32_t ordinal;
        std::uint32_t segment;
        std::uint32_t flags;      // where the flags of its active synapses begin
        std::uint32_t potential;  // how many of them are set
        bool predicts;            // enough of those are connected
    };
    using Matches = Span<const Match>;

    std::uint32_t column(const Match& match) const { return match.cell / parameters_.cells_per_column; }
    void activate_cells(Span<const std::uint32_t> columns, bool learn);
    void activate_predicted(Matches matches, bool learn);
    void burst(std::uint32_t column, Matches matches, bool learn);
    void find_matches();
    void punish(Matches matches);
    void reinforce(const Match& match);
    void adapt(const Match& match, float active_change, float inactive_change);
    void grow(std::uint32_t segment, std::uint32_t wanted);
    void remove_weakest(std::uint32_t segment);
    void create_segment(std::uint32_t cell);
    void release(std::uint32_t segment);
    std::uint32_t least_used_cell(std::uint32_t column);

    TemporalMemoryParameters parameters_;
    Random random_;
    std::uint32_t iteration_ = 0;
    std::uint32_t next_ordinal_ = 0;
    IndexSet active_, winners_;
    SegmentStore segments_;
    std::vector<std::uint32_t> ordinals_;       // by segment: rises with creation, so it orders a cell's segments
    std::vector<std::uint32_t> last_used_;      // by segment: iteration in which it last predicted or was created
    std::vector<std::uint32_t> free_;           // segments to be reused

    std::vector<std::uint16_t> segments_on_;    // derived, by cell
    std::vector<Match> matches_;                // derived, by (cell, ordinal)
    std::vector<std::uint8_t> active_synapses_; // derived: 1 or 0 for each synapse of each match
    IndexSet previous_winners_;                 // of the step before, while cells are activated
    IndexSet known_sources_;                    // scratch
    std::vector<std::uint8_t> activity_;        // scratch
    std::vector<std::uint32_t> found_;          // scratch
    std::vector<std::uint32_t> candidates_;     // scratch
};

}  // namespace htmengine
