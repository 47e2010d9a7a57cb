// Learning of the backtracking temporal memory. Source: reference "HTM scalar anomaly models", section 7.3.
#include "nupic/backtracking_memory.hpp"

namespace htmengine {

void BacktrackingMemory::learn(Span<const std::uint32_t> columns) {
    shift_learning();
    if (learning_history_.size() > parameters_.max_learning_backtrack) learning_history_.drop(1);
    learning_history_.push(columns);
    process_queue(columns);
    if (pam_counter_ > 0) --pam_counter_;
    ++learned_length_;
    if (!was_reset_ && learn_active(columns, true)) pam_counter_ = parameters_.pam_length;
    if (was_reset_ || pam_counter_ == 0 || learned_length_ >= parameters_.max_sequence_length) start_over(columns);
    learn_predicted(true);
}

void BacktrackingMemory::shift_learning() {
    std::swap(learned_active_, learned_active_before_);
    std::swap(learned_predicted_, learned_predicted_before_);
}

void BacktrackingMemory::process_queue(Span<const std::uint32_t> columns) {
    active_columns_.assign(columns);
    std::uint32_t start = 0;
    for (std::size_t i = 0; i < queue_.segments.size(); ++i) {
        const std::uint32_t end = queue_.ends[i];
        if (active_columns_.contains(column_of(segments_.cell(queue_.segments[i]))))
            reinforce(queue_.segments[i], {queue_.new_sources.data() + start, end - start});
        start = end;
    }
    queue_.clear();
}

/// Activates one cell per column: the predicted one or, if `learn`, the one that fits or learns best. Returns
/// whether the input was expected.
bool BacktrackingMemory::learn_active(Span<const std::uint32_t> columns, bool learn) {
    learned_active_.clear();
    const auto activate = [this](std::uint32_t cell) { learned_active_.insert(cell); };
    std::size_t unexpected = 0;
    for (const std::uint32_t column : columns) {
        const std::uint32_t first = start_cell(column);
        if (learned_predicted_before_.visit_range(first, first + parameters_.cells_per_column, activate) > 0) continue;
        // What is learned in one column does not change the matches of another.
        if (learn && unexpected == 0) find_best_matches(learned_active_before_, parameters_.min_threshold);
        ++unexpected;
        if (learn) activate(learn_surprise(column));
    }
    return unexpected < columns.size() / 2;
}

std::uint32_t BacktrackingMemory::learn_surprise(std::uint32_t column) {
    const std::uint32_t best = best_matches_[column];
    chosen_.clear();
    if (matched_columns_.contains(column)) {
        choose_new_sources(best, learned_active_before_);
        const std::uint32_t cell = segments_.cell(best);
        reinforce(best, chosen_);
        return cell;
    }
    const std::uint32_t cell = cell_for_new_segment(column);
    choose_new_sources(none, learned_active_before_);
    if (!chosen_.empty()) create_segment(cell, chosen_);
    return cell;
}

/// Predicts one cell per column, and queues the reinforcement of its segment if `learn`.
void BacktrackingMemory::learn_predicted(bool learn) {
    find_best_matches(learned_active_, parameters_.activation_threshold);
    matched_columns_.sort();
    learned_predicted_.clear();
    for (const std::uint32_t column : matched_columns_.members()) {
        const std::uint32_t segment = best_matches_[column];
        learned_predicted_.insert(segments_.cell(segment));
        if (!learn) continue;
        chosen_.clear();
        choose_new_sources(segment, learned_active_);
        queue_.segments.push_back(segment);
        queue_.new_sources.insert(queue_.new_sources.end(), chosen_.begin(), chosen_.end());
        queue_.ends.push_back(static_cast<std::uint32_t>(queue_.new_sources.size()));
    }
}

/// Ends the sequence. The next one begins at the earliest input since which everything would have been expected
/// or, if there is none, with the current one.
void BacktrackingMemory::start_over(Span<const std::uint32_t> columns) {
    const double length = static_cast<double>(learned_length_) - (pam_counter_ == 0 ? parameters_.pam_length : 0);
    const double gain = duty_clock_.steps() < 100 ? 0.5 : 0.1;
    average_learned_length_ =
        static_cast<float>((1.0 - gain) * static_cast<double>(average_learned_length_) + gain * length);
    if (was_reset_ || !backtrack_learning()) {
        activate_start_cells(columns, learned_active_);
        learning_history_.clear();
        learned_length_ = 0;
    }
    pam_counter_ = parameters_.pam_length;
    queue_.clear();
}

bool BacktrackingMemory::backtrack_learning() {
    const std::size_t current = learning_history_.size() - 1;
    for (std::size_t start = 0; start < current; ++start) {
        if (!replay_learning(start, false)) continue;
        queue_.clear();
        replay_learning(start, true);
        learned_length_ = static_cast<std::uint32_t>(current - start);
        learning_history_.drop(start + 1);
        return true;
    }
    return false;
}

/// Replays the history as if a sequence had begun at `start`. Returns whether every input was expected.
bool BacktrackingMemory::replay_learning(std::size_t start, bool learn) {
    const std::size_t current = learning_history_.size() - 1;
    for (std::size_t i = start; i <= current; ++i) {
        const std::vector<std::uint32_t>& columns = learning_history_[i];
        shift_learning();
        if (learn) process_queue(columns);
        if (i == start) {
            activate_start_cells(columns, learned_active_);
        } else if (!learn_active(columns, learn)) {
            return false;
        }
        if (i < current) learn_predicted(learn);
    }
    return true;
}

void BacktrackingMemory::activate_start_cells(Span<const std::uint32_t> columns, IndexSet& active) const {
    active.clear();
    for (const std::uint32_t column : columns) active.insert(start_cell(column));
}

}  // namespace htmengine
