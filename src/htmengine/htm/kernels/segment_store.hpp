// The dendrite segments of a temporal memory: flat arrays with room for a fixed number of synapses per segment.
//
// A segment belongs to a cell and holds synapses (source cell, permanence) in the order of their creation. A
// segment without synapses is free: it keeps its number until the memory gives it to a cell again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "outgoing_index.hpp"
#include "span.hpp"
#include "state.hpp"

namespace htmengine {

class SegmentStore {
   public:
    /// Synapses of one segment fit a byte, so that activity can be counted in bytes.
    static constexpr std::uint32_t largest_segment = 255;
    /// What a new permanence is when the synapse is to go.
    static constexpr float removed = -1.0f;

    SegmentStore(std::uint32_t cells, std::uint32_t max_synapses);

    std::uint32_t size() const { return static_cast<std::uint32_t>(cells_.size()); }  // free segments included
    std::size_t live_segments() const { return live_segments_; }
    std::size_t live_synapses() const { return live_synapses_; }

    bool is_free(std::uint32_t segment) const { return counts_[segment] == 0; }
    std::uint32_t cell(std::uint32_t segment) const { return cells_[segment]; }
    std::uint32_t synapse_count(std::uint32_t segment) const { return counts_[segment]; }
    Span<const std::uint32_t> sources(std::uint32_t segment) const {
        return {sources_.data() + first(segment), counts_[segment]};
    }
    Span<const float> permanences(std::uint32_t segment) const {
        return {permanences_.data() + first(segment), counts_[segment]};
    }

    /// A further segment, still free, for this cell.
    std::uint32_t append(std::uint32_t cell);
    /// Gives a free segment to a cell.
    void give(std::uint32_t segment, std::uint32_t cell) { cells_[segment] = cell; }
    /// Removes all synapses.
    void free(std::uint32_t segment);

    /// The caller sees to it that there is room and that the source is new to the segment.
    void add_synapse(std::uint32_t segment, std::uint32_t source, float permanence);
    /// The synapses behind it move up.
    void remove_synapse(std::uint32_t segment, std::uint32_t position);

    /// Sets every permanence to change(source, permanence), and removes synapses for which that is `removed`.
    template <class Change>
    void update_synapses(std::uint32_t segment, Change&& change) {
        const std::uint32_t count = counts_[segment];
        std::uint32_t* const sources = sources_.data() + first(segment);
        float* const permanences = permanences_.data() + first(segment);
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint32_t source = sources[i];
            const float permanence = change(source, permanences[i]);
            if (permanence == removed) {
                outgoing_.remove(source, segment);
                continue;
            }
            sources[kept] = source;
            permanences[kept] = permanence;
            ++kept;
        }
        set_count(segment, kept);
    }

    /// Counts, for every segment, the synapses whose source is among these cells (each listed once). Any permanence.
    void count_active(Span<const std::uint32_t> cells, std::vector<std::uint8_t>& counts) const;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.cells_, self.counts_);
        if constexpr (std::is_const_v<Self>) {
            std::vector<std::uint32_t> sources;
            std::vector<float> permanences;
            for (std::uint32_t segment = 0; segment < self.size(); ++segment) {
                sources.insert(sources.end(), self.sources(segment).begin(), self.sources(segment).end());
                permanences.insert(permanences.end(), self.permanences(segment).begin(),
                                   self.permanences(segment).end());
            }
            archive(sources, permanences);
        } else {
            std::vector<std::uint32_t> sources;
            std::vector<float> permanences;
            archive(sources, permanences);
            self.unpack(sources, permanences);
        }
    }

   private:
    std::size_t first(std::uint32_t segment) const { return std::size_t{segment} * max_synapses_; }
    void set_count(std::uint32_t segment, std::uint32_t count);
    void unpack(const std::vector<std::uint32_t>& sources, const std::vector<float>& permanences);

    std::uint32_t cell_count_;
    std::uint32_t max_synapses_;
    std::vector<std::uint32_t> cells_;         // by segment: its cell
    std::vector<std::uint8_t> counts_;         // by segment: its synapses
    std::vector<std::uint32_t> sources_;       // (segments * max_synapses,)
    std::vector<float> permanences_;           // (segments * max_synapses,)
    OutgoingIndex outgoing_;                   // derived
    std::size_t live_segments_ = 0;            // derived
    std::size_t live_synapses_ = 0;            // derived
};

/// Appends to `found` the segments whose count is at least the threshold, by rising number.
void find_at_least(const std::vector<std::uint8_t>& counts, std::uint32_t threshold,
                   std::vector<std::uint32_t>& found);

}  // namespace htmengine
