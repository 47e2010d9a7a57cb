// The dendrite segments of a temporal memory: flat arrays with room for a fixed number of synapses per segment.
//
// A segment belongs to a cell and holds synapses (source cell, permanence) in the order of their creation. A
// segment without synapses is free: it keeps its number until the memory gives it to a cell again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "common/index_set.hpp"
#include "nupic/outgoing_index.hpp"
#include "common/span.hpp"
#include "common/state.hpp"

namespace htmengine {

class SegmentStore {
   public:
    /// Synapses of one segment fit a byte, so that activity can be counted in bytes.
    static constexpr std::uint32_t largest_segment = 255;

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

    /// The caller ensures that there is room and that the source is new to the segment.
    void add_synapse(std::uint32_t segment, std::uint32_t source, float permanence);
    /// The synapses behind it move up.
    void remove_synapse(std::uint32_t segment, std::uint32_t position);

    /// Appends to `flags`, for every synapse of the segment, whether its source is active: 1 or 0.
    void flag_active(std::uint32_t segment, const IndexSet& active, std::vector<std::uint8_t>& flags) const;

    /// Counts the synapses that are flagged and have at least this permanence.
    std::uint32_t count_connected(std::uint32_t segment, const std::uint8_t* flags, float connected) const;

    /// Adds to the permanences of flagged synapses one change and to the others another. They end at 1; synapses
    /// that fall below `lowest` are removed, and the others move up.
    void adapt(std::uint32_t segment, const std::uint8_t* flags, float active_change, float inactive_change,
               float lowest);

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
    /// Removes the synapses for which goes(position) holds; the others move up.
    template <class Goes>
    void remove_if(std::uint32_t segment, Goes&& goes);
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
