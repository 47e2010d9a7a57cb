#include "nupic/temporal_memory.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "common/parameter_checks.hpp"

namespace htmengine {

namespace {

// Permanences that differ by less count as equal; a synapse below is destroyed.
constexpr float negligible = 1e-6f;
// A permanence counts as connected this far below the threshold, so that rounding cannot disconnect it.
constexpr float connected_margin = 1e-5f;

void check(const TemporalMemoryParameters& p) {
    check_range("columns", p.columns, 1, 1u << 20);
    check_range("cells_per_column", p.cells_per_column, 1, 1u << 10);
    check_range("max_synapses_per_segment", p.max_synapses_per_segment, 1, SegmentStore::largest_segment);
    check_range("max_segments_per_cell", p.max_segments_per_cell, 1, std::numeric_limits<std::uint16_t>::max());
    check_range("new_synapse_count", p.new_synapse_count, 1, p.max_synapses_per_segment);
    check_range("activation_threshold", p.activation_threshold, 1, p.max_synapses_per_segment);
    check_range("min_threshold", p.min_threshold, 1, p.activation_threshold);
    check_permanence("initial_permanence", p.initial_permanence);
    check_permanence("connected_permanence", p.connected_permanence);
    check_permanence("permanence_increment", p.permanence_increment);
    check_permanence("permanence_decrement", p.permanence_decrement);
    check_permanence("predicted_segment_decrement", p.predicted_segment_decrement);
}

const TemporalMemoryParameters& checked(const TemporalMemoryParameters& parameters) {
    check(parameters);
    return parameters;
}

}  // namespace

double raw_anomaly_score(std::size_t unpredicted, std::size_t active) {
    if (active == 0) return 0.0;
    return static_cast<double>(static_cast<float>(unpredicted) / static_cast<float>(active));
}

TemporalMemory::TemporalMemory(const TemporalMemoryParameters& parameters)
    : parameters_(checked(parameters)),
      random_(parameters.seed),
      active_(cells()),
      winners_(cells()),
      segments_(cells(), parameters.max_synapses_per_segment),
      segments_on_(cells(), 0),
      previous_winners_(cells()),
      known_sources_(cells()) {}

double TemporalMemory::compute(Span<const std::uint32_t> columns, bool learn) {
    std::size_t predicted = 0;
    auto match = matches_.begin();
    for (const std::uint32_t active : columns) {
        while (match != matches_.end() && (column(*match) < active || (column(*match) == active && !match->predicts)))
            ++match;
        predicted += match != matches_.end() && column(*match) == active;
    }
    std::swap(winners_, previous_winners_);
    activate_cells(columns, learn);
    find_matches();
    if (learn) {
        for (const Match& found : matches_)
            if (found.predicts) last_used_[found.segment] = iteration_;
        ++iteration_;
    }
    return raw_anomaly_score(columns.size() - predicted, columns.size());
}

void TemporalMemory::reset() {
    active_.clear();
    winners_.clear();
    matches_.clear();
}

std::vector<std::uint32_t> TemporalMemory::predictive_cells() const {
    std::vector<std::uint32_t> cells;
    for (const Match& match : matches_)
        if (match.predicts && (cells.empty() || cells.back() != match.cell)) cells.push_back(match.cell);
    return cells;
}

void TemporalMemory::activate_cells(Span<const std::uint32_t> columns, bool learn) {
    active_.clear();
    winners_.clear();
    // Two ascending lists, walked side by side: the active columns and the columns with matching segments.
    const Match* match = matches_.data();
    const Match* const end = match + matches_.size();
    const auto run_end = [&](std::uint32_t of) {
        const Match* last = match;
        while (last != end && column(*last) == of) ++last;
        return last;
    };
    for (const std::uint32_t active : columns) {
        const Match* const first_missed = match;
        while (match != end && column(*match) < active) ++match;
        if (learn) punish({first_missed, static_cast<std::size_t>(match - first_missed)});

        const Match* const last = run_end(active);
        const Matches matches(match, static_cast<std::size_t>(last - match));
        if (std::any_of(match, last, [](const Match& m) { return m.predicts; }))
            activate_predicted(matches, learn);
        else
            burst(active, matches, learn);
        match = last;
    }
    if (learn) punish({match, static_cast<std::size_t>(end - match)});
}

void TemporalMemory::activate_predicted(Matches matches, bool learn) {
    for (const Match& match : matches) {
        if (!match.predicts) continue;
        active_.insert(match.cell);
        winners_.insert(match.cell);
        if (learn) reinforce(match);
    }
}

void TemporalMemory::burst(std::uint32_t column, Matches matches, bool learn) {
    const std::uint32_t first = column * parameters_.cells_per_column;
    for (std::uint32_t k = 0; k < parameters_.cells_per_column; ++k) active_.insert(first + k);
    if (!matches.empty()) {
        const Match& best = *std::max_element(
            matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.potential < b.potential; });
        if (learn) reinforce(best);
        winners_.insert(best.cell);
        return;
    }
    const std::uint32_t winner = least_used_cell(column);
    if (learn && !previous_winners_.empty()) create_segment(winner);
    winners_.insert(winner);
}

void TemporalMemory::find_matches() {
    matches_.clear();
    found_.clear();
    segments_.count_active(active_.members(), activity_);
    find_at_least(activity_, parameters_.min_threshold, found_);
    const float connected = static_cast<float>(parameters_.connected_permanence) - connected_margin;
    active_synapses_.clear();
    for (const std::uint32_t segment : found_) {
        const std::size_t flags = active_synapses_.size();
        segments_.flag_active(segment, active_, active_synapses_);
        const std::uint32_t active = segments_.count_connected(segment, active_synapses_.data() + flags, connected);
        matches_.push_back({segments_.cell(segment), ordinals_[segment], segment, static_cast<std::uint32_t>(flags),
                            activity_[segment], active >= parameters_.activation_threshold});
    }
    std::sort(matches_.begin(), matches_.end(), [](const Match& a, const Match& b) {
        return std::tie(a.cell, a.ordinal) < std::tie(b.cell, b.ordinal);
    });
}

void TemporalMemory::punish(Matches matches) {
    for (const Match& match : matches)
        adapt(match, -static_cast<float>(parameters_.predicted_segment_decrement), 0.0f);
}

void TemporalMemory::reinforce(const Match& match) {
    adapt(match, static_cast<float>(parameters_.permanence_increment),
          -static_cast<float>(parameters_.permanence_decrement));
    if (match.potential < parameters_.new_synapse_count && !segments_.is_free(match.segment))
        grow(match.segment, parameters_.new_synapse_count - match.potential);
}

void TemporalMemory::adapt(const Match& match, float active_change, float inactive_change) {
    segments_.adapt(match.segment, active_synapses_.data() + match.flags, active_change, inactive_change, negligible);
    if (segments_.is_free(match.segment)) release(match.segment);
}

void TemporalMemory::grow(std::uint32_t segment, std::uint32_t wanted) {
    candidates_.clear();
    known_sources_.assign(segments_.sources(segment));
    for (const std::uint32_t winner : previous_winners_.members())
        if (!known_sources_.contains(winner)) candidates_.push_back(winner);

    const std::size_t room = parameters_.max_synapses_per_segment;
    std::size_t count = std::min<std::size_t>(wanted, candidates_.size());
    for (std::size_t excess = segments_.synapse_count(segment) + count; excess > room; --excess) remove_weakest(segment);
    count = std::min(count, room - segments_.synapse_count(segment));
    for (; count > 0; --count) {
        const std::uint32_t drawn = random_.below(static_cast<std::uint32_t>(candidates_.size()));
        segments_.add_synapse(segment, candidates_[drawn], static_cast<float>(parameters_.initial_permanence));
        candidates_.erase(candidates_.begin() + drawn);
    }
}

void TemporalMemory::remove_weakest(std::uint32_t segment) {
    const Span<const std::uint32_t> sources = segments_.sources(segment);
    const Span<const float> permanences = segments_.permanences(segment);
    std::uint32_t weakest = segments_.synapse_count(segment);
    float lowest = std::numeric_limits<float>::infinity();
    for (std::uint32_t i = 0; i < sources.size(); ++i) {
        if (permanences[i] < lowest - negligible && !previous_winners_.contains(sources[i])) {
            weakest = i;
            lowest = permanences[i];
        }
    }
    if (weakest < sources.size()) segments_.remove_synapse(segment, weakest);
}

void TemporalMemory::create_segment(std::uint32_t cell) {
    if (segments_on_[cell] == parameters_.max_segments_per_cell) {
        std::uint32_t oldest = segments_.size();
        for (std::uint32_t segment = 0; segment < segments_.size(); ++segment) {
            if (segments_.cell(segment) != cell || segments_.is_free(segment)) continue;
            if (oldest == segments_.size() || std::tie(last_used_[segment], ordinals_[segment]) <
                                                  std::tie(last_used_[oldest], ordinals_[oldest]))
                oldest = segment;
        }
        segments_.free(oldest);
        release(oldest);
    }
    std::uint32_t segment;
    if (free_.empty()) {
        segment = segments_.append(cell);
        ordinals_.push_back(0);
        last_used_.push_back(0);
    } else {
        segment = free_.back();
        free_.pop_back();
        segments_.give(segment, cell);
    }
    ordinals_[segment] = next_ordinal_++;
    last_used_[segment] = iteration_;
    ++segments_on_[cell];
    grow(segment, parameters_.new_synapse_count);
}

void TemporalMemory::release(std::uint32_t segment) {
    --segments_on_[segments_.cell(segment)];
    free_.push_back(segment);
}

std::uint32_t TemporalMemory::least_used_cell(std::uint32_t column) {
    const auto first = segments_on_.begin() + column * parameters_.cells_per_column;
    const auto last = first + parameters_.cells_per_column;
    const std::uint16_t fewest = *std::min_element(first, last);
    auto cell = std::find(first, last, fewest);
    for (auto left = random_.below(static_cast<std::uint32_t>(std::count(first, last, fewest))); left > 0; --left)
        cell = std::find(cell + 1, last, fewest);
    return static_cast<std::uint32_t>(cell - segments_on_.begin());
}

void TemporalMemory::restored() {
    random_.restored();
    active_.restored();
    winners_.restored();
    if (ordinals_.size() != segments_.size() || last_used_.size() != segments_.size())
        throw StateError("segments and their ages differ in number");
    if (free_.size() != segments_.size() - segments_.live_segments())
        throw StateError("the list of free segments does not fit the segments");
    IndexSet listed(segments_.size());
    for (const std::uint32_t segment : free_)
        if (segment >= segments_.size() || !segments_.is_free(segment) || !listed.insert(segment))
            throw StateError("the list of free segments names a segment that does not exist");
    std::fill(segments_on_.begin(), segments_on_.end(), std::uint16_t{0});
    for (std::uint32_t segment = 0; segment < segments_.size(); ++segment)
        if (!segments_.is_free(segment) && segments_on_[segments_.cell(segment)]++ == parameters_.max_segments_per_cell)
            throw StateError("a cell has too many segments");
    find_matches();
}

}  // namespace htmengine
