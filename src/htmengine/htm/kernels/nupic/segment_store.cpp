#include "nupic/segment_store.hpp"

#include <algorithm>

namespace htmengine {

SegmentStore::SegmentStore(std::uint32_t cells, std::uint32_t max_synapses)
    : cell_count_(cells), max_synapses_(max_synapses), outgoing_(cells) {}

std::uint32_t SegmentStore::append(std::uint32_t cell) {
    cells_.push_back(cell);
    counts_.push_back(0);
    sources_.resize(cells_.size() * max_synapses_);
    permanences_.resize(cells_.size() * max_synapses_);
    return size() - 1;
}

void SegmentStore::free(std::uint32_t segment) {
    for (const std::uint32_t source : sources(segment)) outgoing_.remove(source, segment);
    set_count(segment, 0);
}

void SegmentStore::add_synapse(std::uint32_t segment, std::uint32_t source, float permanence) {
    const std::size_t position = first(segment) + counts_[segment];
    sources_[position] = source;
    permanences_[position] = permanence;
    outgoing_.add(source, segment);
    set_count(segment, counts_[segment] + 1u);
}

template <class Goes>
void SegmentStore::remove_if(std::uint32_t segment, Goes&& goes) {
    std::uint32_t* const sources = sources_.data() + first(segment);
    float* const permanences = permanences_.data() + first(segment);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < counts_[segment]; ++i) {
        if (goes(i)) {
            outgoing_.remove(sources[i], segment);
            continue;
        }
        sources[kept] = sources[i];
        permanences[kept] = permanences[i];
        ++kept;
    }
    set_count(segment, kept);
}

void SegmentStore::remove_synapse(std::uint32_t segment, std::uint32_t position) {
    remove_if(segment, [position](std::uint32_t i) { return i == position; });
}

void SegmentStore::flag_active(std::uint32_t segment, const IndexSet& active,
                               std::vector<std::uint8_t>& flags) const {
    const Span<const std::uint32_t> sources = this->sources(segment);
    const std::size_t offset = flags.size();
    flags.resize(offset + sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) flags[offset + i] = active.contains(sources[i]);
}

std::uint32_t SegmentStore::count_connected(std::uint32_t segment, const std::uint8_t* flags, float connected) const {
    const Span<const float> permanences = this->permanences(segment);
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < permanences.size(); ++i)
        count += static_cast<std::uint32_t>(permanences[i] >= connected) & flags[i];
    return count;
}

void SegmentStore::adapt(std::uint32_t segment, const std::uint8_t* flags, float active_change, float inactive_change,
                         float lowest) {
    float* const permanences = permanences_.data() + first(segment);
    const std::uint32_t count = counts_[segment];
    std::uint32_t below = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const float changed = permanences[i] + (flags[i] != 0 ? active_change : inactive_change);
        permanences[i] = changed < 1.0f ? changed : 1.0f;
        below += changed < lowest;
    }
    if (below != 0) remove_if(segment, [&](std::uint32_t i) { return permanences[i] < lowest; });
}

void SegmentStore::count_active(Span<const std::uint32_t> cells, std::vector<std::uint8_t>& counts) const {
    counts.assign(size(), 0);
    std::uint8_t* const count = counts.data();
    for (const std::uint32_t cell : cells) {
        const Span<const std::uint32_t> segments = outgoing_.segments(cell);
        for (const std::uint32_t segment : segments) ++count[segment];
    }
}

void SegmentStore::set_count(std::uint32_t segment, std::uint32_t count) {
    live_segments_ += static_cast<std::size_t>(count != 0) - static_cast<std::size_t>(counts_[segment] != 0);
    live_synapses_ += count;
    live_synapses_ -= counts_[segment];
    counts_[segment] = static_cast<std::uint8_t>(count);
}

void SegmentStore::unpack(const std::vector<std::uint32_t>& sources, const std::vector<float>& permanences) {
    if (counts_.size() != cells_.size()) throw StateError("segments and their sizes differ in number");
    std::size_t synapses = 0;
    for (const std::uint8_t count : counts_) {
        if (count > max_synapses_) throw StateError("a segment has too many synapses");
        synapses += count;
    }
    if (sources.size() != synapses || permanences.size() != synapses)
        throw StateError("synapses and the sizes of segments differ");
    const auto out_of_range = [this](std::uint32_t cell) { return cell >= cell_count_; };
    if (std::any_of(cells_.begin(), cells_.end(), out_of_range) ||
        std::any_of(sources.begin(), sources.end(), out_of_range))
        throw StateError("a segment or synapse names a cell that does not exist");
    if (!std::all_of(permanences.begin(), permanences.end(), [](float p) { return p >= 0.0f && p <= 1.0f; }))
        throw StateError("a permanence is out of range");

    std::vector<std::uint32_t> fan_out(cell_count_, 0);
    for (const std::uint32_t source : sources) ++fan_out[source];
    outgoing_.reset(fan_out);
    sources_.assign(cells_.size() * max_synapses_, 0);
    permanences_.assign(cells_.size() * max_synapses_, 0.0f);
    live_segments_ = live_synapses_ = 0;
    std::size_t next = 0;
    for (std::uint32_t segment = 0; segment < size(); ++segment) {
        std::copy_n(sources.begin() + next, counts_[segment], sources_.begin() + first(segment));
        std::copy_n(permanences.begin() + next, counts_[segment], permanences_.begin() + first(segment));
        next += counts_[segment];
        live_segments_ += counts_[segment] != 0;
        live_synapses_ += counts_[segment];
        for (const std::uint32_t source : this->sources(segment)) outgoing_.add(source, segment);
    }
}

void find_at_least(const std::vector<std::uint8_t>& counts, std::uint32_t threshold,
                   std::vector<std::uint32_t>& found) {
    // Few segments reach a threshold, so whole blocks are dismissed by their largest count.
    constexpr std::size_t block = 64;
    for (std::size_t start = 0; start < counts.size(); start += block) {
        const std::size_t stop = std::min(counts.size(), start + block);
        std::uint8_t largest = 0;
        if (stop - start == block) {
            for (std::size_t i = 0; i < block; ++i) largest = std::max(largest, counts[start + i]);
            if (largest < threshold) continue;
        }
        for (std::size_t i = start; i < stop; ++i)
            if (counts[i] >= threshold) found.push_back(static_cast<std::uint32_t>(i));
    }
}

}  // namespace htmengine
