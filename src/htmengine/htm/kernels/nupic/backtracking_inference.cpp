// Inference of the backtracking temporal memory. Source: reference "HTM scalar anomaly models", section 7.2.
#include "nupic/backtracking_memory.hpp"

namespace htmengine {

void BacktrackingMemory::infer(Span<const std::uint32_t> columns) {
    std::swap(inferred_predicted_, inferred_predicted_before_);
    if (inference_history_.size() > parameters_.max_inference_backtrack) inference_history_.drop(1);
    inference_history_.push(columns);

    if (!infer_active(columns, was_reset_) || !infer_predicted()) {
        saved_active_ = inferred_active_;
        std::size_t start = 0;
        while (start < inference_history_.size() && !backtrack_inference(start)) ++start;
        if (start < inference_history_.size()) {
            inference_history_.drop(start + 1);
        } else {
            inference_history_.clear();
            inferred_active_ = saved_active_;
            infer_predicted();
        }
    }
    update_confidences();
}

/// Activates the predicted cells of each column, or all of its cells if none was predicted (with `from_start`
/// only start cells). Returns whether the input was expected.
bool BacktrackingMemory::infer_active(Span<const std::uint32_t> columns, bool from_start) {
    if (from_start) {
        activate_start_cells(columns, inferred_active_);
        return true;
    }
    inferred_active_.clear();
    const auto activate = [this](std::uint32_t cell) { inferred_active_.insert(cell); };
    std::size_t expected = 0;
    for (const std::uint32_t column : columns) {
        const std::uint32_t first = start_cell(column);
        const std::uint32_t last = first + parameters_.cells_per_column;
        if (inferred_predicted_before_.visit_range(first, last, activate) > 0) {
            ++expected;
        } else {
            for (std::uint32_t cell = first; cell < last; ++cell) activate(cell);
        }
    }
    return 2 * expected >= columns.size();
}

/// Predicts cells from the active ones. Returns whether enough columns are predicted to follow on.
bool BacktrackingMemory::infer_predicted() {
    find_matches(inferred_active_, parameters_.activation_threshold);
    inferred_predicted_.clear();
    predicting_columns_.clear();
    const float connected_permanence = static_cast<float>(parameters_.connected_permanence);
    for (const std::uint32_t segment : matches_) {
        active_synapses_.clear();
        segments_.flag_active(segment, inferred_active_, active_synapses_);
        if (segments_.count_connected(segment, active_synapses_.data(), connected_permanence) <
            parameters_.activation_threshold)
            continue;
        inferred_predicted_.insert(segments_.cell(segment));
        predicting_columns_.insert(column_of(segments_.cell(segment)));
    }
    return static_cast<double>(predicting_columns_.size()) >= 0.5 * *density_;
}

/// Replays the history from `start` as if a sequence had begun there. Returns whether that explains all inputs.
bool BacktrackingMemory::backtrack_inference(std::size_t start) {
    for (std::size_t i = start; i < inference_history_.size(); ++i) {
        std::swap(inferred_predicted_, inferred_predicted_before_);
        if (!infer_active(inference_history_[i], i == start) || !infer_predicted()) return false;
    }
    return true;
}

/// Shares of the columns in the duty cycles of the segments that matched last, connected or not.
void BacktrackingMemory::update_confidences() {
    // Sums of whole numbers do not depend on the order of the segments. All duty cycles together are at most the
    // activations of one step, and a segment that lives always counts.
    constexpr double one = 281474976710656.0;  // 2^48
    predicted_columns_.clear();
    std::uint64_t total = 0;
    for (const std::uint32_t segment : matches_) {
        const std::uint32_t column = column_of(segments_.cell(segment));
        if (predicted_columns_.insert(column)) duty_sums_[column] = 0;
        const std::uint64_t duty = 1 + static_cast<std::uint64_t>(duty_clock_.value(duties_[segment]) * one);
        duty_sums_[column] += duty;
        total += duty;
    }
    predicted_columns_.sort();
    confidences_.clear();
    for (const std::uint32_t column : predicted_columns_.members())
        confidences_.push_back(
            static_cast<float>(static_cast<double>(duty_sums_[column]) / static_cast<double>(total)));
}

}  // namespace htmengine
