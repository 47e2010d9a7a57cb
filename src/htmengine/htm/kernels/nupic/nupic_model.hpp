// The models of NuPIC: encoders, spatial pooler, temporal memory, likelihood.
//
// Source: reference "HTM scalar anomaly models", sections 1 and 2; golden vectors run_*.csv.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "nupic/backtracking_memory.hpp"
#include "nupic/encoders.hpp"
#include "common/likelihood.hpp"
#include "common/model.hpp"
#include "nupic/nupic_classifier.hpp"
#include "nupic/spatial_pooler.hpp"
#include "nupic/temporal_memory.hpp"

namespace htmengine {

using NupicMemory = std::variant<TemporalMemory, BacktrackingMemory>;

class NupicModel final : public PredictingModel<NupicClassifier> {
   public:
    /// The parts are those of a new model. Throws std::invalid_argument when they do not fit each other.
    NupicModel(MultiEncoder encoder, SpatialPooler pooler, NupicMemory memory, Likelihood likelihood);

    std::vector<std::uint8_t> save() const override;
    void load(const std::uint8_t* data, std::size_t size) override;
    std::vector<std::string> stages() const override { return {"encoder", "pooler", "memory", "likelihood"}; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.rows_, self.last_timestamp_, self.encoder_, self.pooler_, self.likelihood_);
        std::visit([&](auto& memory) { archive(memory); }, self.memory_);
        if (self.classifier_) archive(*self.classifier_);
    }

    void restored();

   protected:
    Scores score(double timestamp, double value, Stopwatch& watch) override;
    Pattern pattern(double value) const override;
    std::uint32_t pattern_cells() const override;

   private:
    MultiEncoder encoder_;
    SpatialPooler pooler_;
    NupicMemory memory_;
    Likelihood likelihood_;
    std::vector<std::uint32_t> bits_;            // scratch
    std::optional<std::uint32_t> value_bucket_;  // of the sample scored last
};

}  // namespace htmengine
