// Segments of the backtracking temporal memory: matching, reinforcement, creation and release.
// Source: reference "HTM scalar anomaly models", sections 7.3 and 7.4.
#include <algorithm>
#include <limits>
#include <tuple>

#include "nupic/backtracking_memory.hpp"

namespace htmengine {

/// Finds, for each column, the segment with most active synapses if it has at least `threshold` of them.
void BacktrackingMemory::find_best_matches(const IndexSet& active, std::uint32_t threshold) {
    find_matches(active, threshold);
    matched_columns_.clear();
    for (const std::uint32_t segment : matches_) {
        const std::uint32_t column = column_of(segments_.cell(segment));
        if (matched_columns_.insert(column) || is_better(segment, best_matches_[column]))
            best_matches_[column] = segment;
    }
}

/// Ties go to the higher cell and, on the same cell, to the lower slot.
bool BacktrackingMemory::is_better(std::uint32_t segment, std::uint32_t than) const {
    if (activity_[segment] != activity_[than]) return activity_[segment] > activity_[than];
    if (segments_.cell(segment) != segments_.cell(than)) return segments_.cell(segment) > segments_.cell(than);
    return slots_[segment] < slots_[than];
}

/// Draws into chosen_ the active cells that bring `segment` (or a new one: `none`) to its full activity.
void BacktrackingMemory::choose_new_sources(std::uint32_t segment, const IndexSet& active) {
    std::size_t on = 0;
    known_sources_.clear();
    if (segment != none) {
        for (const std::uint32_t source : segments_.sources(segment))
            if (active.contains(source)) {
                known_sources_.insert(source);
                ++on;
            }
    }
    if (on >= parameters_.new_synapse_count) return;
    const std::size_t wanted = parameters_.new_synapse_count - on;
    candidates_.clear();
    for (const std::uint32_t cell : active.members())
        if (!known_sources_.contains(cell)) candidates_.push_back(cell);
    if (candidates_.size() <= wanted) {
        chosen_ = candidates_;
    } else if (wanted == 1) {
        chosen_.push_back(candidates_[random_.below(static_cast<std::uint32_t>(candidates_.size()))]);
    } else {
        // Random::sample, without an allocation.
        for (std::size_t i = 0; chosen_.size() < wanted; ++i)
            if (random_.below(static_cast<std::uint32_t>(candidates_.size() - i)) < wanted - chosen_.size())
                chosen_.push_back(candidates_[i]);
    }
}

/// Strengthens the synapses from the cells that were active in learning, weakens the others, adds new ones.
void BacktrackingMemory::reinforce(std::uint32_t segment, Span<const std::uint32_t> new_sources) {
    duties_[segment] = duty_clock_.after_activation(duties_[segment]);
    active_synapses_.clear();
    segments_.flag_active(segment, learned_active_before_, active_synapses_);
    // A synapse is removed at or below zero.
    segments_.adapt(segment, active_synapses_.data(), static_cast<float>(parameters_.permanence_increment),
                    -static_cast<float>(parameters_.permanence_decrement),
                    std::numeric_limits<float>::denorm_min());
    const std::size_t full = segments_.synapse_count(segment) + new_sources.size();
    if (full > parameters_.max_synapses_per_segment) make_room(segment, full - parameters_.max_synapses_per_segment);
    for (const std::uint32_t source : new_sources)
        segments_.add_synapse(segment, source, static_cast<float>(parameters_.initial_permanence));
    if (segments_.is_free(segment)) release(segment);
}

/// Removes the synapses that are worth least: inactive before active ones, weak before strong, low source first.
void BacktrackingMemory::make_room(std::uint32_t segment, std::size_t surplus) {
    const Span<const std::uint32_t> sources = segments_.sources(segment);
    const Span<const float> permanences = segments_.permanences(segment);
    const auto worth = [&](std::uint32_t i) {
        return std::make_tuple(learned_active_before_.contains(sources[i]), permanences[i], sources[i]);
    };
    order_.clear();
    for (std::uint32_t i = 0; i < sources.size(); ++i) order_.push_back(i);
    const auto cut = order_.begin() + static_cast<std::ptrdiff_t>(surplus);
    std::partial_sort(order_.begin(), cut, order_.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return worth(a) < worth(b); });
    std::sort(order_.begin(), cut);
    for (auto position = cut; position != order_.begin();) segments_.remove_synapse(segment, *--position);
}

/// Draws a cell with room for a segment, other than the start cell; makes room if there is none.
std::uint32_t BacktrackingMemory::cell_for_new_segment(std::uint32_t column) {
    const std::uint32_t first = start_cell(column) + 1;
    const std::uint32_t last = start_cell(column + 1);
    candidates_.clear();
    for (std::uint32_t cell = first; cell < last; ++cell)
        if (segments_on_[cell] < parameters_.max_segments_per_cell) candidates_.push_back(cell);
    if (!candidates_.empty()) return candidates_[random_.below(static_cast<std::uint32_t>(candidates_.size()))];

    std::uint32_t weakest = none;
    const auto rank = [this](std::uint32_t segment) {
        return std::make_tuple(duties_[segment], segments_.cell(segment), slots_[segment]);
    };
    for (std::uint32_t segment = 0; segment < segments_.size(); ++segment) {
        if (column_of(segments_.cell(segment)) != column || segments_.is_free(segment)) continue;
        if (weakest == none || rank(segment) < rank(weakest)) weakest = segment;
    }
    segments_.free(weakest);
    release(weakest);
    return segments_.cell(weakest);
}

void BacktrackingMemory::create_segment(std::uint32_t cell, Span<const std::uint32_t> sources) {
    std::uint32_t segment = last_released_[cell];
    if (segment != none) {
        last_released_[cell] = previously_released_[segment];
        previously_released_[segment] = none;
    } else {
        segment = segments_.append(cell);
        slots_.push_back(slots_on_[cell]++);
        duties_.push_back(0.0f);
        previously_released_.push_back(none);
    }
    ++segments_on_[cell];
    duties_[segment] = duty_clock_.first();
    for (const std::uint32_t source : sources)
        segments_.add_synapse(segment, source, static_cast<float>(parameters_.initial_permanence));
}

void BacktrackingMemory::release(std::uint32_t segment) {
    const std::uint32_t cell = segments_.cell(segment);
    previously_released_[segment] = last_released_[cell];
    last_released_[cell] = segment;
    --segments_on_[cell];
}

}  // namespace htmengine
