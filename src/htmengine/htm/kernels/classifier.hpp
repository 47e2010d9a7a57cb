// The SDR classifier: which value follows, some steps ahead, on the cells that are active now.
//
// Softmax regression, trained on every sample: a weight for each cell and bucket of the value; the buckets' shares are
// the softmax of the sums over the active cells, and each weight of an active cell moves by alpha times (what came -
// share). A bucket's value is a moving average of the values that fell into it. One set of weights for each number of
// steps ahead.
//
// Source: NuPIC's documentation of the SDR classifier; Bishop, "Pattern Recognition and Machine Learning", 4.3.4.
// Unlike NuPIC's, buckets without a value so far take no part, and learning comes before predicting.
#pragma once

#include <cstdint>
#include <vector>

#include "input_history.hpp"
#include "span.hpp"
#include "state.hpp"

namespace htmengine {

struct ClassifierParameters {
    std::vector<std::uint32_t> steps{1};       // samples ahead: ascending, each once, 1 to 100; at most 16 of them
    double alpha = 0.035828933612157998;       // rate of learning
    double value_gain = 0.3;                   // share of a new value in its bucket's moving average
    std::uint32_t max_buckets = 128;           // a value in a further bucket counts as one in the nearest
};

class Classifier {
   public:
    struct Prediction {
        double value;        // of the likeliest bucket, in the metric's unit; the older bucket wins a tie
        double probability;  // its share, above 0 to 1
    };

    /// Of a memory with so many cells. Throws std::invalid_argument when a parameter is out of range.
    Classifier(ClassifierParameters parameters, std::uint32_t cells);

    const ClassifierParameters& parameters() const { return parameters_; }

    /// Learns from a sample: its active cells, each once in any order, the bucket and the value. Then predicts.
    void compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value);

    /// By number of steps, of the last sample; empty before the first.
    const std::vector<Prediction>& predictions() const { return predictions_; }

    /// Forgets all that was learned, as buckets mean something else from now on.
    void forget();

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.history_, self.buckets_, self.values_, self.known_cells_, self.weights_);
    }

    void restored();

   private:
    static constexpr std::uint32_t none = 0xffffffffu;

    std::size_t column_of(std::int64_t bucket);
    void add_column();
    void know(Span<const std::uint32_t> cells);
    void find_shares(const std::vector<float>& weights, Span<const std::uint32_t> cells);

    ClassifierParameters parameters_;
    std::uint32_t cells_;
    InputHistory history_;                          // active cells of the last samples, the current one last
    std::vector<std::int64_t> buckets_;             // by column, in the order in which they came up
    std::vector<double> values_;                    // by column
    std::vector<std::uint32_t> known_cells_;        // by row: a cell that has learned
    std::vector<std::vector<float>> weights_;       // by steps: (rows, columns)
    std::vector<std::uint32_t> rows_;               // derived, by cell: its row or `none`
    std::vector<Prediction> predictions_;           // derived from the rest
    std::vector<std::uint32_t> sorted_;             // scratch
    std::vector<double> shares_;                    // scratch, by column
};

}  // namespace htmengine
