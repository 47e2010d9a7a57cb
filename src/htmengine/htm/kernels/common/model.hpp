// A model; every metric has one. Samples go in, scores come out, the state is one block of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/classifier.hpp"
#include "common/explanation.hpp"
#include "common/span.hpp"
#include "common/state.hpp"
#include "common/stopwatch.hpp"

namespace htmengine {

enum class Outcome : std::uint8_t {
    scored = 0,
    missing = 1,       // no finite value: counted as a row, otherwise nothing changes
    out_of_order = 2,  // a timestamp before the last one: refused, nothing changes
    unreadable = 3,    // in a pool: the model was packed, and what was packed is damaged
};

class Model {
   public:
    virtual ~Model() = default;

    /// Scores the sample by all samples before it, then learns from it. The timestamp is finite.
    Outcome step(double timestamp, double value, Scores& scores, Stopwatch watch = {});

    /// From now on every sample gives predictions, too. Throws std::invalid_argument when the model has taken samples
    /// or has no buckets of the value, or a parameter is out of range.
    virtual void add_classifier(const ClassifierParameters& parameters) = 0;

    /// What follows, some steps after the last sample; null without a classifier.
    virtual const std::vector<Prediction>* predictions() const = 0;

    /// Numbers that `predictions` holds for each sample that was scored.
    virtual std::size_t prediction_count() const = 0;

    /// Why the sample scored last got its scores; nothing before the first, or when the model cannot tell.
    virtual std::optional<Explanation> explain() const { return std::nullopt; }

    /// Names of the stages whose time a stopwatch takes.
    virtual std::vector<std::string> stages() const = 0;

    /// Samples taken so far, missing ones included.
    std::uint64_t rows() const { return rows_; }

    /// Timestamp of the last sample taken; -infinity before the first.
    double last_timestamp() const { return last_timestamp_; }

    /// The whole state as bytes.
    virtual std::vector<std::uint8_t> save() const = 0;

    /// Restores the bytes that save() returned for a model with the same parameters. Throws StateError, and stays as
    /// it was, when the bytes do not fit.
    virtual void load(const std::uint8_t* data, std::size_t size) = 0;

    /// Whether it can be packed.
    virtual bool packs() const { return false; }

    /// The whole state as few bytes.
    virtual std::vector<std::uint8_t> pack() const { throw std::logic_error("such a model cannot be packed"); }

    /// Takes the state that pack() returned for a model with the same parameters, into the memory that it has. Throws
    /// StateError when the bytes do not fit; then the model must not be used any more, but to unpack another state.
    virtual void unpack(const std::uint8_t*, std::size_t) { throw std::logic_error("such a model cannot be unpacked"); }

    /// A model with the same parameters and state.
    virtual std::unique_ptr<Model> clone() const { throw std::logic_error("such a model cannot be copied"); }

    /// Bytes of memory that it takes; 0 when it is not known.
    virtual std::size_t memory() const { return 0; }

   protected:
    virtual Scores score(double timestamp, double value, Stopwatch& watch) = 0;

    /// Makes predictions at the sample scored last, where asked to.
    virtual void predict(double value) = 0;

    std::uint64_t rows_ = 0;
    double last_timestamp_ = -std::numeric_limits<double>::infinity();
};

/// A model that predicts, where asked to, by this kind of classifier.
template <class Kind>
class PredictingModel : public Model {
   public:
    void add_classifier(const ClassifierParameters& parameters) final {
        if (rows() > 0) throw std::invalid_argument("a classifier must be there from the first sample");
        if (pattern_cells() == 0) throw std::invalid_argument("a classifier needs an encoder of the value");
        classifier_.emplace(parameters, pattern_cells());
    }

    const std::vector<Prediction>* predictions() const final {
        return classifier_ ? &classifier_->predictions() : nullptr;
    }

    std::size_t prediction_count() const final { return classifier_ ? classifier_->parameters().steps.size() : 0; }

   protected:
    /// What the classifier learns from.
    struct Pattern {
        Span<const std::uint32_t> cells;
        std::int64_t bucket;
    };

    void predict(double value) final {
        if (!classifier_) return;
        const Pattern now = pattern(value);
        classifier_->compute(now.cells, now.bucket, value);
    }

    /// Of the sample scored last.
    virtual Pattern pattern(double value) const = 0;

    /// Of a pattern; 0 when the model knows no buckets of the value.
    virtual std::uint32_t pattern_cells() const = 0;

    std::optional<Kind> classifier_;  // whether there is one is a parameter
};

}  // namespace htmengine
