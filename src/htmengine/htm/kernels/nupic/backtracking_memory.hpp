// The backtracking temporal memory: two state machines, inference and learning, over the same segments.
//
// Inference keeps all contexts that explain the input and, when lost, searches the last inputs for a start from
// which everything since would have been predicted. Learning follows one path and ends a sequence when it is
// surprised for too long, or after a fixed length. The first cell of a column is its start cell: it stands for
// "first element of a sequence", and no segment is ever created on it.
//
// Shapes: C columns of K cells; cell = column * K + k.
// Source: reference "HTM scalar anomaly models", section 7; golden vectors backtracking_tm_small.json.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nupic/duty_clock.hpp"
#include "common/index_set.hpp"
#include "common/input_history.hpp"
#include "nupic/random.hpp"
#include "nupic/segment_store.hpp"
#include "common/span.hpp"

namespace htmengine {

struct BacktrackingMemoryParameters {
    std::uint32_t columns;
    std::uint32_t cells_per_column;          // at least 2: the start cell and others
    std::uint32_t activation_threshold;      // active synapses that make a segment predict
    std::uint32_t min_threshold;             // active synapses that make a segment match when learning
    std::uint32_t new_synapse_count;         // active synapses that learning brings a segment to
    std::uint32_t max_segments_per_cell;
    std::uint32_t max_synapses_per_segment;  // at most 255
    double initial_permanence;
    double connected_permanence;
    double permanence_increment;
    double permanence_decrement;
    std::uint32_t pam_length;                // surprising inputs in a row that end a learned sequence
    std::uint32_t max_sequence_length;       // inputs
    std::uint32_t max_inference_backtrack;   // inputs before the current one
    std::uint32_t max_learning_backtrack;    // inputs before the current one
    std::uint64_t seed;
};

class BacktrackingMemory {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit BacktrackingMemory(const BacktrackingMemoryParameters& parameters);

    /// One step. `columns`: the active columns, ascending, each once. Returns the raw anomaly score: the share
    /// of them that were not among the predicted columns.
    double compute(Span<const std::uint32_t> columns, bool learn);

    /// Forgets what is active and predicted, not what was learned: the next input starts a sequence.
    void reset();

    std::uint32_t columns() const { return parameters_.columns; }
    std::uint32_t cells() const { return parameters_.columns * parameters_.cells_per_column; }
    /// In no particular order.
    const std::vector<std::uint32_t>& inferred_active_cells() const { return inferred_active_.members(); }
    /// In no particular order.
    const std::vector<std::uint32_t>& inferred_predicted_cells() const { return inferred_predicted_.members(); }
    /// Ascending, at most one per column.
    const std::vector<std::uint32_t>& learned_active_cells() const { return learned_active_.members(); }
    /// Ascending, at most one per column.
    const std::vector<std::uint32_t>& learned_predicted_cells() const { return learned_predicted_.members(); }
    /// Ascending: columns with a segment that has enough active synapses, connected or not.
    const std::vector<std::uint32_t>& predicted_columns() const { return predicted_columns_.members(); }
    /// One per predicted column, above 0, together 1.
    const std::vector<float>& column_confidences() const { return confidences_; }
    /// Inputs; a moving average over ended sequences.
    double average_learned_length() const { return average_learned_length_; }
    const SegmentStore& segments() const { return segments_; }
    std::size_t segment_count() const { return segments_.live_segments(); }
    std::size_t synapse_count() const { return segments_.live_synapses(); }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.random_, self.duty_clock_, self.density_, self.was_reset_, self.pam_counter_,
                self.learned_length_, self.average_learned_length_);
        archive(self.inferred_active_, self.inferred_predicted_, self.predicted_columns_, self.confidences_,
                self.inference_history_);
        archive(self.learned_active_, self.learned_predicted_, self.learning_history_, self.queue_);
        archive(self.segments_, self.slots_, self.duties_, self.previously_released_, self.last_released_);
    }

    void restored();

   private:
    static constexpr std::uint32_t none = 0xffffffffu;

    /// Segments that predicted at the end of a step, to be reinforced if their column becomes active in the
    /// next one, and the synapses that each would get besides.
    struct UpdateQueue {
        std::vector<std::uint32_t> segments;
        std::vector<std::uint32_t> ends;         // by update: where its new sources end
        std::vector<std::uint32_t> new_sources;  // of all updates, one after the other

        void clear() {
            segments.clear();
            ends.clear();
            new_sources.clear();
        }

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.segments, self.ends, self.new_sources);
        }
    };

    std::uint32_t column_of(std::uint32_t cell) const { return cell / parameters_.cells_per_column; }
    std::uint32_t start_cell(std::uint32_t column) const { return column * parameters_.cells_per_column; }
    void find_matches(const IndexSet& active, std::uint32_t threshold);

    // backtracking_inference.cpp
    void infer(Span<const std::uint32_t> columns);
    bool infer_active(Span<const std::uint32_t> columns, bool from_start);
    bool infer_predicted();
    bool backtrack_inference(std::size_t start);
    void update_confidences();

    // backtracking_learning.cpp
    void learn(Span<const std::uint32_t> columns);
    void shift_learning();
    void process_queue(Span<const std::uint32_t> columns);
    bool learn_active(Span<const std::uint32_t> columns, bool learn);
    std::uint32_t learn_surprise(std::uint32_t column);
    void learn_predicted(bool learn);
    void start_over(Span<const std::uint32_t> columns);
    bool backtrack_learning();
    bool replay_learning(std::size_t start, bool learn);
    void activate_start_cells(Span<const std::uint32_t> columns, IndexSet& active) const;

    // backtracking_segments.cpp
    void find_best_matches(const IndexSet& active, std::uint32_t threshold);
    bool is_better(std::uint32_t segment, std::uint32_t than) const;
    void choose_new_sources(std::uint32_t segment, const IndexSet& active);
    void reinforce(std::uint32_t segment, Span<const std::uint32_t> new_sources);
    void make_room(std::uint32_t segment, std::size_t surplus);
    std::uint32_t cell_for_new_segment(std::uint32_t column);
    void create_segment(std::uint32_t cell, Span<const std::uint32_t> sources);
    void release(std::uint32_t segment);

    BacktrackingMemoryParameters parameters_;
    Random random_;
    DutyClock duty_clock_;
    std::optional<double> density_;  // active columns, a moving average
    bool was_reset_ = false;
    std::uint32_t pam_counter_;
    std::uint32_t learned_length_ = 0;
    float average_learned_length_ = 0.0f;

    IndexSet inferred_active_, inferred_predicted_;
    IndexSet predicted_columns_;
    std::vector<float> confidences_;  // by predicted column
    InputHistory inference_history_;

    IndexSet learned_active_, learned_predicted_;
    InputHistory learning_history_;
    UpdateQueue queue_;

    SegmentStore segments_;
    std::vector<std::uint16_t> slots_;                // by segment: its place among those of its cell
    std::vector<float> duties_;                       // by segment: see DutyClock
    std::vector<std::uint32_t> previously_released_;  // by free segment: the one that its cell released before
    std::vector<std::uint32_t> last_released_;        // by cell: its free segments are reused last in, first out

    std::vector<std::uint16_t> segments_on_;  // derived, by cell: segments in use
    std::vector<std::uint16_t> slots_on_;     // derived, by cell: segments in use or free

    // Of the step before; meaningful within a step only.
    IndexSet inferred_predicted_before_, learned_active_before_, learned_predicted_before_;
    // Scratch.
    IndexSet saved_active_, predicting_columns_, active_columns_, known_sources_;
    std::vector<std::uint8_t> activity_;               // by segment
    std::vector<std::uint8_t> active_synapses_;        // of one segment
    std::vector<std::uint32_t> matches_;               // segments
    std::vector<std::uint32_t> best_matches_;          // by column, `none` but for matched_columns_
    IndexSet matched_columns_;
    std::vector<std::uint64_t> duty_sums_;             // by column
    std::vector<std::uint32_t> candidates_, chosen_, order_;
};

}  // namespace htmengine
