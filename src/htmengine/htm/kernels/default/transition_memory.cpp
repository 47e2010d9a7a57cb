#include "default/transition_memory.hpp"

#include <algorithm>
#include <stdexcept>

#include "common/parameter_checks.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr std::uint16_t none = 0xffff;
constexpr std::uint32_t permanence_bits = 6;
constexpr std::size_t segments_at_once = 64;
constexpr std::uint32_t highest_permanence = (1u << permanence_bits) - 1;

std::uint32_t source(std::uint16_t synapse) { return synapse >> permanence_bits; }
std::uint32_t permanence(std::uint16_t synapse) { return synapse & highest_permanence; }
std::uint16_t synapse_from(std::uint32_t source, std::uint32_t permanence) {
    return static_cast<std::uint16_t>(source << permanence_bits | permanence);
}

}  // namespace

TransitionMemory::TransitionMemory(const TransitionMemoryParameters& parameters)
    : parameters_(parameters),
      random_(parameters.seed),
      heads_(parameters.columns, none),
      was_active_(parameters.columns, 0) {
    const auto& p = parameters;
    require(p.columns >= 1 && p.columns <= 1024, "columns must be from 1 to 1024", p.columns);
    require(p.max_segments >= 1 && p.max_segments < none, "max_segments must be from 1 to 65534", p.max_segments);
    require(p.new_synapses >= 1 && p.new_synapses <= synapses_per_segment,
            "new_synapses must be from 1 to 16", p.new_synapses);
    for (const std::uint32_t steps : {p.initial_permanence, p.connected_permanence, p.permanence_increment})
        if (steps < 1 || steps > highest_permanence)
            throw std::invalid_argument("permanences and their increment must be from 1 to 63");
    require(p.permanence_decrement <= highest_permanence,
            "permanence_decrement must be from 0 to 63", p.permanence_decrement);
}

double TransitionMemory::compute(Span<const std::uint32_t> active_columns) {
    const auto& p = parameters_;
    ++step_;
    std::size_t unpredicted = 0;
    foreseen_.clear();
    for (const std::uint32_t column : active_columns) {
        bool predicted = false;
        std::uint16_t best = none;
        std::uint32_t best_potential = std::max<std::uint32_t>(p.match_threshold, 1) - 1;
        for (std::uint16_t segment = heads_[column]; segment != none; segment = nexts_[segment]) {
            const Overlap found = overlap(segment, was_active_);
            if (found.connected >= p.activation_threshold) {
                predicted = true;
                reinforce(segment, found.potential);
            } else if (found.potential > best_potential) {
                best = segment;
                best_potential = found.potential;
            }
        }
        foreseen_.push_back(predicted);
        if (predicted) continue;
        ++unpredicted;
        if (best != none) {
            reinforce(best, best_potential);
        } else if (!previous_.empty()) {
            grow(new_segment(static_cast<std::uint16_t>(column)), p.new_synapses);
        }
    }
    mark_previous(0);
    before_.swap(previous_);
    previous_.assign(active_columns.begin(), active_columns.end());
    mark_previous(1);
    if (active_columns.empty()) return 0.0;
    return static_cast<double>(unpredicted) / static_cast<double>(active_columns.size());
}

std::vector<std::uint8_t> TransitionMemory::predicted() const {
    std::vector<std::uint8_t> active(parameters_.columns, 0);
    for (const std::uint16_t column : before_) active[column] = 1;
    std::vector<std::uint8_t> predicted(parameters_.columns, 0);
    for (std::size_t segment = 0; segment < owners_.size(); ++segment)
        if (overlap(segment, active).connected >= parameters_.activation_threshold) predicted[owners_[segment]] = 1;
    // Only segments of the last step's columns have learned since.
    for (std::size_t i = 0; i < previous_.size(); ++i) predicted[previous_[i]] = foreseen_[i];
    return predicted;
}

TransitionMemory::Overlap TransitionMemory::overlap(std::size_t segment,
                                                     const std::vector<std::uint8_t>& active) const {
    Overlap found{0, 0};
    const std::uint16_t* synapses = &synapses_[segment * synapses_per_segment];
    for (std::uint32_t i = 0; i < synapse_counts_[segment]; ++i) {
        const std::uint32_t on = active[source(synapses[i])];
        found.potential += on;
        found.connected += on & (permanence(synapses[i]) >= parameters_.connected_permanence);
    }
    return found;
}

/// Strengthens the synapses that foresaw this step, weakens the others, and grows more towards the previous step.
void TransitionMemory::reinforce(std::uint16_t segment, std::uint32_t potential) {
    std::uint16_t* synapses = &synapses_[std::size_t{segment} * synapses_per_segment];
    std::uint8_t kept = 0;
    for (std::uint32_t i = 0; i < synapse_counts_[segment]; ++i) {
        const std::uint32_t from = source(synapses[i]);
        std::uint32_t strength = permanence(synapses[i]);
        if (was_active_[from]) {
            strength = std::min(strength + parameters_.permanence_increment, highest_permanence);
        } else if (strength > parameters_.permanence_decrement) {
            strength -= parameters_.permanence_decrement;
        } else {
            continue;
        }
        synapses[kept++] = synapse_from(from, strength);
    }
    synapse_counts_[segment] = kept;
    last_used_[segment] = step_;
    if (potential < parameters_.new_synapses) grow(segment, parameters_.new_synapses - potential);
}

/// Adds up to `wanted` synapses from random columns of the previous step that the segment does not have yet.
void TransitionMemory::grow(std::uint16_t segment, std::uint32_t wanted) {
    std::uint16_t* synapses = &synapses_[std::size_t{segment} * synapses_per_segment];
    std::uint8_t& count = synapse_counts_[segment];
    candidates_.clear();
    for (const std::uint16_t column : previous_)
        if (std::none_of(synapses, synapses + count, [&](std::uint16_t s) { return source(s) == column; }))
            candidates_.push_back(column);
    while (wanted > 0 && count < synapses_per_segment && !candidates_.empty()) {
        const std::uint32_t drawn = random_.below(static_cast<std::uint32_t>(candidates_.size()));
        synapses[count++] = synapse_from(candidates_[drawn], parameters_.initial_permanence);
        candidates_[drawn] = candidates_.back();
        candidates_.pop_back();
        --wanted;
    }
}

/// An empty segment of `column`: a fresh one, or else the least recently used of all, the oldest place on ties.
std::uint16_t TransitionMemory::new_segment(std::uint16_t column) {
    std::uint16_t segment;
    if (owners_.size() < parameters_.max_segments) {
        segment = static_cast<std::uint16_t>(owners_.size());
        if (owners_.size() == owners_.capacity()) reserve(owners_.size() + segments_at_once);
        synapses_.resize(synapses_.size() + synapses_per_segment);
        synapse_counts_.push_back(0);
        owners_.push_back(column);
        nexts_.push_back(none);
        last_used_.push_back(step_);
    } else {
        segment = static_cast<std::uint16_t>(std::min_element(last_used_.begin(), last_used_.end()) -
                                             last_used_.begin());
        unlink(segment);
        synapse_counts_[segment] = 0;
        owners_[segment] = column;
        last_used_[segment] = step_;
    }
    nexts_[segment] = heads_[column];
    heads_[column] = segment;
    return segment;
}

/// Makes room for segments. A little at a time: a fleet has many memories, and what they do not use adds up.
void TransitionMemory::reserve(std::size_t segments) {
    synapses_.reserve(segments * synapses_per_segment);
    synapse_counts_.reserve(segments);
    owners_.reserve(segments);
    nexts_.reserve(segments);
    last_used_.reserve(segments);
}

void TransitionMemory::unlink(std::uint16_t segment) {
    std::uint16_t* link = &heads_[owners_[segment]];
    while (*link != segment) link = &nexts_[*link];
    *link = nexts_[segment];
}

void TransitionMemory::mark_previous(std::uint8_t mark) {
    for (const std::uint16_t column : previous_) was_active_[column] = mark;
}

std::size_t TransitionMemory::synapse_count() const {
    std::size_t total = 0;
    for (const std::uint8_t count : synapse_counts_) total += count;
    return total;
}

/// Where each segment stands in the list of its column.
std::vector<std::uint16_t> TransitionMemory::places() const {
    std::vector<std::uint16_t> places(owners_.size());
    for (std::uint16_t segment : heads_)
        for (std::uint16_t place = 0; segment != none; segment = nexts_[segment]) places[segment] = place++;
    return places;
}

/// The synapses of a segment in the order of their sources: no result depends on their order.
PackedSegments TransitionMemory::packed() const {
    PackedSegments packed;
    packed.owners = owners_;
    packed.synapse_counts = synapse_counts_;
    packed.places = places();
    for (std::size_t segment = 0; segment < owners_.size(); ++segment) {
        packed.ages.push_back(step_ - last_used_[segment]);
        const auto first = synapses_.begin() + static_cast<std::ptrdiff_t>(segment * synapses_per_segment);
        std::vector<std::uint16_t> synapses(first, first + synapse_counts_[segment]);
        std::sort(synapses.begin(), synapses.end());
        std::uint32_t expected = 0;
        for (const std::uint16_t synapse : synapses) {
            packed.gaps.push_back(static_cast<std::uint16_t>(source(synapse) - expected));
            packed.permanences.push_back(static_cast<std::uint8_t>(permanence(synapse)));
            expected = source(synapse) + 1;
        }
    }
    return packed;
}

void TransitionMemory::unpack(const PackedSegments& packed) {
    const std::size_t segments = packed.owners.size();
    if (segments > parameters_.max_segments) throw StateError("more segments than the parameters allow");
    std::size_t synapses = 0;
    for (const std::uint8_t count : packed.synapse_counts) synapses += count;
    if (packed.places.size() != segments || packed.ages.size() != segments ||
        packed.synapse_counts.size() != segments || packed.gaps.size() != synapses ||
        packed.permanences.size() != synapses)
        throw StateError("the fields of the segments differ in length");
    owners_ = packed.owners;
    synapse_counts_ = packed.synapse_counts;
    synapses_.assign(segments * synapses_per_segment, 0);
    last_used_.resize(segments);
    std::size_t next = 0;
    for (std::size_t segment = 0; segment < segments; ++segment) {
        if (owners_[segment] >= parameters_.columns) throw StateError("a segment names a column that does not exist");
        if (packed.ages[segment] > step_) throw StateError("a segment was used before the first step");
        if (synapse_counts_[segment] > synapses_per_segment) throw StateError("a segment has too many synapses");
        last_used_[segment] = step_ - packed.ages[segment];
        std::uint32_t column = 0;
        for (std::size_t i = 0; i < synapse_counts_[segment]; ++i, ++next, ++column) {
            column += packed.gaps[next];
            if (column >= parameters_.columns) throw StateError("a synapse names a column that does not exist");
            const std::uint32_t strength = packed.permanences[next];
            if (strength < 1 || strength > highest_permanence) throw StateError("a permanence is out of range");
            synapses_[segment * synapses_per_segment + i] = synapse_from(column, strength);
        }
    }
    link(packed.places);
}

/// Makes the lists of the columns, in which each segment has its place.
void TransitionMemory::link(const std::vector<std::uint16_t>& places) {
    const std::size_t segments = places.size();
    std::vector<std::uint32_t> firsts(parameters_.columns + 1, 0);  // where in `order` the list of a column begins
    for (const std::uint16_t column : owners_) ++firsts[column + 1];
    for (std::size_t column = 0; column < parameters_.columns; ++column) firsts[column + 1] += firsts[column];
    std::vector<std::uint16_t> order(segments, none);
    for (std::size_t s = 0; s < segments; ++s) {
        const std::uint32_t at = firsts[owners_[s]] + places[s];
        if (at >= firsts[owners_[s] + 1u] || order[at] != none) throw StateError("the lists of segments are broken");
        order[at] = static_cast<std::uint16_t>(s);
    }
    nexts_.assign(segments, none);
    for (std::size_t i = 1; i < segments; ++i)
        if (owners_[order[i - 1]] == owners_[order[i]]) nexts_[order[i - 1]] = order[i];
}

void TransitionMemory::restored() {
    const std::size_t segments = owners_.size();
    if (segments > parameters_.max_segments) throw StateError("more segments than the parameters allow");
    if (synapses_.size() != segments * synapses_per_segment || synapse_counts_.size() != segments ||
        nexts_.size() != segments || last_used_.size() != segments)
        throw StateError("the fields of the segments differ in length");
    for (std::size_t s = 0; s < segments; ++s) {
        if (owners_[s] >= parameters_.columns) throw StateError("a segment names a column that does not exist");
        if (synapse_counts_[s] > synapses_per_segment) throw StateError("a segment has too many synapses");
        for (std::uint32_t i = 0; i < synapse_counts_[s]; ++i)
            if (source(synapses_[s * synapses_per_segment + i]) >= parameters_.columns)
                throw StateError("a synapse names a column that does not exist");
    }
    // The head of a list is the one segment of its column that no other one names as its next.
    std::vector<std::uint8_t> named(segments, 0);
    for (std::size_t s = 0; s < segments; ++s) {
        if (nexts_[s] == none) continue;
        if (nexts_[s] >= segments || owners_[nexts_[s]] != owners_[s] || named[nexts_[s]]++)
            throw StateError("the lists of segments are broken");
    }
    heads_.assign(parameters_.columns, none);
    std::size_t listed = 0;
    for (std::size_t s = 0; s < segments; ++s) {
        if (named[s]) continue;
        if (heads_[owners_[s]] != none) throw StateError("a column has two lists of segments");
        heads_[owners_[s]] = static_cast<std::uint16_t>(s);
        for (std::uint16_t i = heads_[owners_[s]]; i != none; i = nexts_[i]) ++listed;
    }
    if (listed != segments) throw StateError("the lists of segments are broken");

    was_active_.assign(parameters_.columns, 0);
    for (const auto* columns : {&previous_, &before_})
        for (const std::uint16_t column : *columns)
            if (column >= parameters_.columns) throw StateError("a previously active column does not exist");
    if (foreseen_.size() != previous_.size())
        throw StateError("active columns and the marks of those that were predicted differ in number");
    mark_previous(1);
}

}  // namespace htmengine
