// Many models, scored a batch of samples at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/model.hpp"
#include "common/slab.hpp"
#include "common/span.hpp"

namespace htmengine {

/// Models in numbered slots. A slot that was given a prototype (a new model with the same parameters) holds its model
/// either ready for use, or packed; it is unpacked when it is used, into the memory of one that was packed before. To pack
/// takes longer than to score some samples: so a model that was unpacked for a few of them is not packed anew, but takes
/// them again when it is unpacked the next time, to the same state.
///
/// Not safe to use from two threads at once; some functions work on several threads themselves.
class Pool {
   public:
    /// A model's rows and its packed state.
    struct State {
        std::uint64_t rows = 0;
        std::vector<std::uint8_t> bytes;
    };

    /// Puts a model into a free slot and returns its number. With a prototype it can be packed.
    std::uint32_t add(std::shared_ptr<Model> model, std::shared_ptr<const Model> prototype = nullptr);

    /// The same with a model that is packed. Whether it can be unpacked is seen when it is.
    std::uint32_t add_packed(std::shared_ptr<const Model> prototype, std::uint64_t rows, const std::uint8_t* data,
                             std::size_t size);

    /// Frees a slot. Throws std::out_of_range when it is empty.
    void remove(std::uint32_t slot);

    /// The model in a slot, unpacked. Throws std::out_of_range when it is empty, StateError when it cannot be unpacked.
    std::shared_ptr<Model> at(std::uint32_t slot);

    /// Whether the model in a slot is packed. Throws std::out_of_range when it is empty.
    bool is_packed(std::uint32_t slot) const { return !checked(slot).model; }

    /// Packs the models in slots that can be packed, on so many threads. Throws std::out_of_range, before anything is done,
    /// when a slot is empty.
    void pack(Span<const std::uint32_t> slots, unsigned threads);

    /// The packed states of the models in slots, which stay as they are. Throws as pack() does, std::logic_error when a
    /// slot has no prototype, and StateError when a model cannot be unpacked.
    std::vector<State> states(Span<const std::uint32_t> slots, unsigned threads);

    /// Packed models that are used stay unpacked as long as there are no more than so many.
    void set_most_unpacked(std::size_t count) { most_unpacked_ = count; }

    /// How many of the models that can be packed are not.
    std::size_t unpacked() const { return unpacked_; }

    /// A model that was unpacked for samples takes them again, if they are no more than so many, instead of being packed.
    static constexpr std::size_t most_behind = 6;

    /// Bytes of memory that models with a prototype take: unpacked, with those whose memory waits for others; and packed.
    std::size_t unpacked_bytes() const { return unpacked_bytes_ + spare_bytes_; }
    std::size_t packed_bytes() const { return slab_.used(); }

    /// Scores sample i by the model in slots[i]. The samples of one model run one after the other, in the order given;
    /// models run side by side on `threads` threads. Neither order of models nor threads change any result.
    ///
    /// Samples whose log score is at least `explain_from` are explained: with the sample's number, in no order.
    ///
    /// scores: Scores::count numbers per sample. predictions: `prediction_width` numbers per sample, NaN where there
    /// is none. Samples of a model that cannot be unpacked are Outcome::unreadable, and it stays as it is. Throws
    /// std::out_of_range, before anything is scored, when a slot is empty.
    void score(Span<const std::uint32_t> slots, Span<const double> timestamps, Span<const double> values,
               unsigned threads, Span<double> scores, Span<double> predictions, std::size_t prediction_width,
               Span<std::uint8_t> outcomes, double explain_from,
               std::vector<std::pair<std::size_t, Explanation>>& explanations);

    /// The most predictions that a sample of one of these slots gets. Throws std::out_of_range when a slot is empty.
    std::size_t prediction_width(Span<const std::uint32_t> slots) const;

   private:
    struct Sample {
        double timestamp;
        double value;
    };

    struct Slot {
        std::shared_ptr<Model> model;            // null: packed, or empty
        std::shared_ptr<const Model> prototype;  // null: never packed
        Slab::Block packed;
        std::uint64_t rows = 0;      // while it is packed: of the packed state,
        std::vector<Sample> behind;  // which these follow
        std::size_t memory = 0;      // as it is counted, while it is unpacked
    };

    const Slot& checked(std::uint32_t slot) const;
    void check(Span<const std::uint32_t> slots) const;
    std::uint32_t free_slot();
    std::shared_ptr<Model> model_of(const Slot& slot);
    void unpack(Slot& slot);
    void pack(Slot& slot);
    void measure(Slot& slot);
    void release(Slot& slot);
    void keep(const std::shared_ptr<const Model>& prototype, std::shared_ptr<Model> model);
    std::shared_ptr<Model> spare(const std::shared_ptr<const Model>& prototype);

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    static constexpr std::size_t any_number = static_cast<std::size_t>(-1);

    std::size_t most_unpacked_ = any_number;
    // Guarded, as threads unpack and pack:
    std::mutex guard_;
    Slab slab_;
    std::unordered_map<const Model*, std::vector<std::shared_ptr<Model>>> spares_;  // by prototype, to be used again
    std::size_t spare_count_ = 0;
    std::size_t spare_bytes_ = 0;
    std::size_t unpacked_ = 0;
    std::size_t unpacked_bytes_ = 0;
};

/// Writes the scores of one sample to Scores::count places.
void store(const Scores& scores, double* places);

/// Writes the predictions made at the sample scored last to as many places as there are.
void store_predictions(const Model& model, double* places);

}  // namespace htmengine
