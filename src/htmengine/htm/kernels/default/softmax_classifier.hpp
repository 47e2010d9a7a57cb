// The classifier of the default model: learning first, a column for each bucket that has a value, a stable softmax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/classifier.hpp"

namespace htmengine {

class SoftmaxClassifier final : public Classifier<float> {
   public:
    SoftmaxClassifier(ClassifierParameters parameters, std::uint32_t cells);

    /// Learns from a sample: its active cells, each once in any order, the bucket and the value. Then predicts; the
    /// older bucket wins a tie.
    void compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value);

    /// Forgets all that was learned, as buckets mean something else from now on.
    void forget();

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.history_, self.buckets_, self.values_, self.row_cells_, self.weights_);
    }

    void restored();

   private:
    std::size_t see(std::int64_t bucket, double value);
    std::size_t nearest(std::int64_t bucket) const;
    void find_shares(std::size_t i, Span<const std::uint32_t> cells);

    std::vector<std::int64_t> buckets_;  // by column, in the order in which they came up
    std::vector<double> values_;         // by column
    std::vector<double> shares_;         // scratch, by column
};

}  // namespace htmengine
