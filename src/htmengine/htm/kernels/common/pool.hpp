// Many models, scored a batch of samples at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/model.hpp"
#include "common/span.hpp"

namespace htmengine {

/// Models in numbered slots. Not safe to use from two threads at once; score() itself works on several.
class Pool {
   public:
    /// Puts a model into a free slot and returns its number.
    std::uint32_t add(std::shared_ptr<Model> model);

    /// Frees a slot. Throws std::out_of_range when it is empty.
    void remove(std::uint32_t slot);

    /// The model in a slot. Throws std::out_of_range when it is empty.
    const std::shared_ptr<Model>& at(std::uint32_t slot) const;

    /// Scores sample i by the model in slots[i]. The samples of one model run one after the other, in the order given;
    /// models run side by side on `threads` threads. Neither order of models nor threads change any result.
    ///
    /// Samples whose log score is at least `explain_from` are explained: with the sample's number, in no order.
    ///
    /// scores: Scores::count numbers per sample. predictions: `prediction_width` numbers per sample, NaN where there
    /// is none. Throws std::out_of_range, before anything is scored, when a slot is
    /// empty.
    void score(Span<const std::uint32_t> slots, Span<const double> timestamps, Span<const double> values,
               unsigned threads, Span<double> scores, Span<double> predictions, std::size_t prediction_width,
               Span<std::uint8_t> outcomes, double explain_from,
               std::vector<std::pair<std::size_t, Explanation>>& explanations);

    /// The most predictions that a sample of one of these slots gets. Throws std::out_of_range when a slot is empty.
    std::size_t prediction_width(Span<const std::uint32_t> slots) const;

   private:
    std::vector<std::shared_ptr<Model>> models_;
    std::vector<std::uint32_t> free_;
};

/// Writes the scores of one sample to Scores::count places.
void store(const Scores& scores, double* places);

/// Writes the predictions made at the sample scored last to as many places as there are.
void store_predictions(const Model& model, double* places);

}  // namespace htmengine
