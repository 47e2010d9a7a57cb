#include "nupic/backtracking_memory.hpp"

#include <algorithm>
#include <limits>

#include "common/parameter_checks.hpp"
#include "nupic/temporal_memory.hpp"

namespace htmengine {

namespace {

const BacktrackingMemoryParameters& checked(const BacktrackingMemoryParameters& p) {
    check_range("columns", p.columns, 1, 1u << 20);
    check_range("cells_per_column", p.cells_per_column, 2, 1u << 10);
    check_range("max_synapses_per_segment", p.max_synapses_per_segment, 1, SegmentStore::largest_segment);
    check_range("max_segments_per_cell", p.max_segments_per_cell, 1, std::numeric_limits<std::uint16_t>::max());
    check_range("new_synapse_count", p.new_synapse_count, 1, p.max_synapses_per_segment);
    check_range("activation_threshold", p.activation_threshold, 1, p.max_synapses_per_segment);
    check_range("min_threshold", p.min_threshold, 1, p.max_synapses_per_segment);
    check_permanence("initial_permanence", p.initial_permanence);
    check_permanence("connected_permanence", p.connected_permanence);
    check_permanence("permanence_increment", p.permanence_increment);
    check_permanence("permanence_decrement", p.permanence_decrement);
    check_range("pam_length", p.pam_length, 1, 1u << 20);
    check_range("max_sequence_length", p.max_sequence_length, 1, 1u << 20);
    check_range("max_inference_backtrack", p.max_inference_backtrack, 0, 1000);
    check_range("max_learning_backtrack", p.max_learning_backtrack, 0, 1000);
    return p;
}

}  // namespace

BacktrackingMemory::BacktrackingMemory(const BacktrackingMemoryParameters& parameters)
    : parameters_(checked(parameters)),
      random_(parameters.seed),
      pam_counter_(parameters.pam_length),
      inferred_active_(cells()),
      inferred_predicted_(cells()),
      predicted_columns_(parameters.columns),
      learned_active_(cells()),
      learned_predicted_(cells()),
      segments_(cells(), parameters.max_synapses_per_segment),
      last_released_(cells(), none),
      segments_on_(cells(), 0),
      slots_on_(cells(), 0),
      inferred_predicted_before_(cells()),
      learned_active_before_(cells()),
      learned_predicted_before_(cells()),
      saved_active_(cells()),
      predicting_columns_(parameters.columns),
      active_columns_(parameters.columns),
      known_sources_(cells()),
      best_matches_(parameters.columns, none),
      matched_columns_(parameters.columns),
      duty_sums_(parameters.columns, 0) {}

double BacktrackingMemory::compute(Span<const std::uint32_t> columns, bool learning) {
    const auto surprising = std::count_if(columns.begin(), columns.end(), [this](std::uint32_t column) {
        return !predicted_columns_.contains(column);
    });
    const double active = static_cast<double>(columns.size());
    density_ = density_ ? 0.99 * *density_ + 0.01 * active : active;
    if (learning) duty_clock_.tick(duties_);
    infer(columns);
    if (learning) learn(columns);
    was_reset_ = false;
    return raw_anomaly_score(static_cast<std::size_t>(surprising), columns.size());
}

void BacktrackingMemory::reset() {
    inferred_active_.clear();
    inferred_predicted_.clear();
    predicted_columns_.clear();
    confidences_.clear();
    inference_history_.clear();
    learned_active_.clear();
    learned_predicted_.clear();
    learning_history_.clear();
    queue_.clear();
    was_reset_ = true;
}

void BacktrackingMemory::find_matches(const IndexSet& active, std::uint32_t threshold) {
    matches_.clear();
    segments_.count_active(active.members(), activity_);
    find_at_least(activity_, threshold, matches_);
}

void BacktrackingMemory::restored() {
    random_.restored();
    for (IndexSet* set : {&inferred_active_, &inferred_predicted_, &predicted_columns_, &learned_active_,
                          &learned_predicted_})
        set->restored();
    if (confidences_.size() != predicted_columns_.size())
        throw StateError("predicted columns and their confidences differ in number");
    inference_history_.restored(parameters_.max_inference_backtrack + 1u, parameters_.columns);
    learning_history_.restored(parameters_.max_learning_backtrack + 1u, parameters_.columns);

    const std::uint32_t count = segments_.size();
    if (slots_.size() != count || duties_.size() != count || previously_released_.size() != count ||
        last_released_.size() != cells())
        throw StateError("segments and what belongs to them differ in number");
    // A step reinforces a segment from the queue and as a surprise, and so does the replay of each input.
    duty_clock_.restored(duties_, 2 * (parameters_.max_learning_backtrack + 2));
    std::fill(segments_on_.begin(), segments_on_.end(), std::uint16_t{0});
    std::fill(slots_on_.begin(), slots_on_.end(), std::uint16_t{0});
    for (std::uint32_t segment = 0; segment < count; ++segment) {
        const std::uint32_t cell = segments_.cell(segment);
        if (slots_on_[cell]++ == parameters_.max_segments_per_cell) throw StateError("a cell has too many segments");
        segments_on_[cell] += !segments_.is_free(segment);
    }
    std::uint64_t released = 0;
    for (std::uint32_t cell = 0; cell < cells(); ++cell) {
        for (std::uint32_t segment = last_released_[cell]; segment != none; segment = previously_released_[segment]) {
            if (segment >= count || segments_.cell(segment) != cell || !segments_.is_free(segment) ||
                ++released > count)
                throw StateError("a cell lists free segments that are not its own");
        }
    }
    if (released != count - segments_.live_segments()) throw StateError("a free segment is not listed");

    if (queue_.ends.size() != queue_.segments.size() ||
        (queue_.ends.empty() ? 0 : queue_.ends.back()) != queue_.new_sources.size() ||
        !std::is_sorted(queue_.ends.begin(), queue_.ends.end()))
        throw StateError("the fields of the queue of updates differ in length");
    IndexSet queued(count);
    std::uint32_t start = 0;
    for (std::size_t i = 0; i < queue_.segments.size(); ++i) {
        if (queue_.segments[i] >= count || segments_.is_free(queue_.segments[i]) ||
            !queued.insert(queue_.segments[i]) ||
            queue_.ends[i] - start > parameters_.new_synapse_count)
            throw StateError("the queue of updates names a segment twice or one that does not exist, or adds too many synapses");
        start = queue_.ends[i];
    }
    for (const std::uint32_t source : queue_.new_sources)
        if (source >= cells()) throw StateError("the queue of updates names a cell that does not exist");
}

}  // namespace htmengine
