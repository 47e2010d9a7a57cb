// NuPIC's SDR classifier, with its faults, so that predictions are those of the original: decision 9.
//
// Unlike in the default model's,
// - prediction comes before learning from the same sample;
// - all buckets from 0 to the highest so far take part. One without a value stands for the current value; equal values
//   add up their shares;
// - the softmax reduces, by the largest sum, the columns up to that of the largest sum only, as the original subtracts
//   in place and reads the largest, by then 0, again for each. Where the exponential of another then overflows and the
//   original's shares are no numbers, all are reduced;
// - a weight of 1e-6 or less, in magnitude, becomes 0.
//
// Buckets without a value between two that have one were never told apart, so they share a column.
//
// Source: NuPIC's documentation of the SDR classifier; golden vectors opf_predictions.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/classifier.hpp"

namespace htmengine {

// Weights are doubles: with floats, single predictions differ from those of the original.
class NupicClassifier final : public Classifier<double> {
   public:
    NupicClassifier(ClassifierParameters parameters, std::uint32_t cells);

    /// Predicts on the active cells of a sample, each once in any order; the value that comes first by bucket wins a
    /// tie. Then learns from the sample. A bucket below 0 counts as 0.
    void compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.history_, self.columns_, self.row_cells_, self.weights_);
    }

    void restored();

   private:
    /// A bucket with a value, or all without one between two such. A bucket with a value comes last.
    struct Column {
        std::int64_t last;  // bucket; the first one lies behind the last of the column before
        std::optional<double> value;

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.last, self.value);
        }
    };

    Prediction predict(std::size_t i, double value);
    std::size_t see(std::int64_t bucket, double value);
    std::size_t enter(std::size_t at, std::int64_t bucket, double value);
    void find_shares(std::size_t i, Span<const std::uint32_t> cells);
    double exponentiate(std::size_t reduced, double largest);
    std::int64_t first(std::size_t column) const { return column == 0 ? 0 : columns_[column - 1].last + 1; }
    double width(std::size_t column) const { return static_cast<double>(columns_[column].last - first(column)) + 1.0; }

    std::vector<Column> columns_;       // ascending; twice as many as buckets with a value, at most
    std::vector<double> sums_;          // scratch, by column
    std::vector<double> shares_;        // scratch, by column: of each of its buckets
    std::vector<Prediction> by_value_;  // scratch
};

}  // namespace htmengine
