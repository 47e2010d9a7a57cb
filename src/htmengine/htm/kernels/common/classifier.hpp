// The SDR classifier: which value follows, some steps ahead, on the cells that are active now.
//
// Softmax regression, trained on every sample: a weight for each cell and column, which stands for one or more buckets
// of the value; the columns' shares are a softmax of the sums over the active cells, and each weight of an active cell
// moves by alpha times (what came - share). A bucket's value is a moving average of the values that fell into it. One
// set of weights for each number of steps ahead. Cells that were always active together have the same weights, so they
// share a row of them until only some of them are active.
//
// This file has what the two classifiers share; they differ in their columns, their softmax, and in what comes first,
// learning or predicting.
//
// Source: NuPIC's documentation of the SDR classifier; Bishop, "Pattern Recognition and Machine Learning", 4.3.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/input_history.hpp"
#include "common/span.hpp"
#include "common/state.hpp"

namespace htmengine {

struct ClassifierParameters {
    std::vector<std::uint32_t> steps{1};       // samples ahead: ascending, each once, 1 to 100; at most 16 of them
    double alpha;               // rate of learning
    double value_gain;          // share of a new value in its bucket's moving average
    std::uint32_t max_buckets;  // a value in a further bucket counts as one in the nearest
};

struct Prediction {
    double value;        // the likeliest, in the metric's unit
    double probability;  // its share, above 0 to 1
};

/// Weight: the type in which weights are kept. Sums are those of doubles.
template <class Weight>
class Classifier {
   public:
    const ClassifierParameters& parameters() const { return parameters_; }

    /// By number of steps, of the last sample; empty before the first.
    const std::vector<Prediction>& predictions() const { return predictions_; }

   protected:
    static constexpr std::size_t no_column = static_cast<std::size_t>(-1);

    /// Of a memory with so many cells. Throws std::invalid_argument when a parameter is out of range.
    Classifier(ClassifierParameters parameters, std::uint32_t cells);

    /// Takes the active cells of a sample, each once in any order.
    void activate(Span<const std::uint32_t> cells);

    /// The active cells of the last sample, ascending, as sums of weights depend on their order.
    const std::vector<std::uint32_t>& now() const { return history_[history_.size() - 1]; }

    /// The same, the i-th number of steps before the last sample; null when there were fewer samples.
    const std::vector<std::uint32_t>* before(std::size_t i) const;

    /// The moving average of a bucket's values, after one more.
    double averaged(double average, double value) const;

    /// Lays out the columns anew: each a copy of the column named, or of zeros for `no_column`.
    void set_columns(const std::vector<std::size_t>& sources);

    /// Sums of weights over cells, by column, for the i-th number of steps.
    void find_sums(std::size_t i, Span<const std::uint32_t> cells, std::vector<double>& sums) const;

    /// Moves the weights of these cells by what came, `column`, and what was expected, `shares`, which is overwritten.
    /// A weight whose magnitude is not above `smallest` becomes 0.
    void learn(std::size_t i, Span<const std::uint32_t> cells, std::size_t column, std::vector<double>& shares,
               double smallest);

    /// Throws StateError unless there are weights for so many columns.
    void restored(std::size_t columns);

    ClassifierParameters parameters_;
    std::uint32_t cells_;
    InputHistory history_;                               // active cells of the last samples, the current one last
    std::vector<std::vector<std::uint32_t>> row_cells_;  // by row: cells that were always active together, ascending
    std::vector<std::vector<Weight>> weights_;           // by steps: (rows, columns)
    std::vector<Prediction> predictions_;                // derived from the rest

   private:
    static constexpr std::uint32_t none = 0xffffffffu;

    void add_row(std::vector<std::uint32_t> cells);
    void split_row(std::uint32_t row);

    std::size_t columns_ = 0;                  // derived
    std::vector<std::uint32_t> rows_;          // derived, by cell: its row or `none`
    std::vector<std::uint32_t> sorted_;        // scratch
    std::vector<std::uint32_t> active_cells_;  // scratch, by row: how many of its cells are active
};

}  // namespace htmengine
