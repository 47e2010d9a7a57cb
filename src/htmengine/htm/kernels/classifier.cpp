#include "classifier.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "parameter_checks.hpp"
#include "portable_math.hpp"

namespace htmengine {

namespace {

constexpr std::uint32_t furthest_step = 100;
constexpr std::size_t most_steps = 16;

ClassifierParameters checked(ClassifierParameters p) {
    if (p.steps.empty() || p.steps.size() > most_steps)
        throw std::invalid_argument("the classifier needs 1 to 16 numbers of steps");
    for (std::size_t i = 0; i < p.steps.size(); ++i) {
        check_range("steps", p.steps[i], 1, furthest_step);
        if (i && p.steps[i] <= p.steps[i - 1]) throw std::invalid_argument("steps must ascend, each once");
    }
    check_range("alpha", p.alpha, 0.0, 1.0);
    check_range("value_gain", p.value_gain, 0.0, 1.0);
    check_range("max_buckets", p.max_buckets, 1, 1024);
    return p;
}

}  // namespace

Classifier::Classifier(ClassifierParameters parameters, std::uint32_t cells)
    : parameters_(checked(std::move(parameters))),
      cells_(cells),
      weights_(parameters_.steps.size()),
      rows_(cells, none) {}

void Classifier::compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value) {
    // Sums of weights depend on their order.
    sorted_.assign(cells.begin(), cells.end());
    std::sort(sorted_.begin(), sorted_.end());
    const std::size_t columns_before = buckets_.size();
    const std::size_t column = column_of(bucket);
    values_[column] = buckets_.size() > columns_before
                          ? value
                          : (1.0 - parameters_.value_gain) * values_[column] + parameters_.value_gain * value;

    if (history_.size() > parameters_.steps.back()) history_.drop(1);
    history_.push(sorted_);
    know(sorted_);
    predictions_.clear();
    for (std::size_t i = 0; i < parameters_.steps.size(); ++i) {
        std::vector<float>& weights = weights_[i];
        if (history_.size() > parameters_.steps[i]) {
            const std::vector<std::uint32_t>& past = history_[history_.size() - 1 - parameters_.steps[i]];
            find_shares(weights, past);
            for (std::size_t c = 0; c < shares_.size(); ++c)
                shares_[c] = parameters_.alpha * ((c == column ? 1.0 : 0.0) - shares_[c]);
            for (const std::uint32_t cell : past) {
                float* row = weights.data() + std::size_t{rows_[cell]} * buckets_.size();
                for (std::size_t c = 0; c < shares_.size(); ++c) row[c] = static_cast<float>(row[c] + shares_[c]);
            }
        }
        find_shares(weights, sorted_);
        const auto best = std::max_element(shares_.begin(), shares_.end());
        predictions_.push_back({values_[static_cast<std::size_t>(best - shares_.begin())], *best});
    }
}

/// The column of a bucket; a new one, or the nearest when there are no more.
std::size_t Classifier::column_of(std::int64_t bucket) {
    const auto found = std::find(buckets_.begin(), buckets_.end(), bucket);
    if (found != buckets_.end()) return static_cast<std::size_t>(found - buckets_.begin());
    if (buckets_.size() < parameters_.max_buckets) {
        add_column();
        buckets_.push_back(bucket);
        values_.push_back(0.0);
        return buckets_.size() - 1;
    }
    const auto distance = [bucket](std::int64_t other) {
        const auto [low, high] = std::minmax(bucket, other);
        return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    };
    const auto nearest = std::min_element(buckets_.begin(), buckets_.end(), [&](std::int64_t a, std::int64_t b) {
        return distance(a) < distance(b);
    });
    return static_cast<std::size_t>(nearest - buckets_.begin());
}

void Classifier::add_column() {
    const std::size_t columns = buckets_.size();
    for (std::vector<float>& weights : weights_) {
        std::vector<float> wider(known_cells_.size() * (columns + 1), 0.0f);
        for (std::size_t row = 0; row < known_cells_.size(); ++row)
            std::copy_n(weights.data() + row * columns, columns, wider.data() + row * (columns + 1));
        weights = std::move(wider);
    }
}

/// Gives a row of zeros to every cell that has none.
void Classifier::know(Span<const std::uint32_t> cells) {
    for (const std::uint32_t cell : cells) {
        if (rows_[cell] != none) continue;
        rows_[cell] = static_cast<std::uint32_t>(known_cells_.size());
        known_cells_.push_back(cell);
    }
    for (std::vector<float>& weights : weights_) weights.resize(known_cells_.size() * buckets_.size(), 0.0f);
}

/// Into shares_: the softmax of the columns' sums over these cells.
void Classifier::find_shares(const std::vector<float>& weights, Span<const std::uint32_t> cells) {
    shares_.assign(buckets_.size(), 0.0);
    for (const std::uint32_t cell : cells) {
        const float* row = weights.data() + std::size_t{rows_[cell]} * buckets_.size();
        for (std::size_t c = 0; c < shares_.size(); ++c) shares_[c] += static_cast<double>(row[c]);
    }
    const double largest = *std::max_element(shares_.begin(), shares_.end());
    double total = 0.0;
    for (double& share : shares_) total += share = portable::exp(share - largest);
    for (double& share : shares_) share /= total;
}

void Classifier::forget() { *this = Classifier(parameters_, cells_); }

void Classifier::restored() {
    history_.restored(parameters_.steps.back() + 1u, cells_);
    if (buckets_.size() > parameters_.max_buckets || values_.size() != buckets_.size())
        throw StateError("the classifier has too many buckets, or values and buckets differ in number");
    for (std::size_t i = 0; i < buckets_.size(); ++i)
        if (!std::isfinite(values_[i]) || std::count(buckets_.begin(), buckets_.end(), buckets_[i]) != 1)
            throw StateError("a bucket of the classifier has no value or comes twice");
    std::fill(rows_.begin(), rows_.end(), none);
    for (std::size_t row = 0; row < known_cells_.size(); ++row) {
        const std::uint32_t cell = known_cells_[row];
        if (cell >= cells_ || rows_[cell] != none)
            throw StateError("the classifier names a cell that does not exist, or one twice");
        rows_[cell] = static_cast<std::uint32_t>(row);
    }
    for (std::size_t i = 0; i < history_.size(); ++i)
        for (const std::uint32_t cell : history_[i])
            if (rows_[cell] == none) throw StateError("the classifier has no weights for an active cell");
    if (weights_.size() != parameters_.steps.size()) throw StateError("the classifier's weights are not by its steps");
    for (const std::vector<float>& weights : weights_) {
        if (weights.size() != known_cells_.size() * buckets_.size())
            throw StateError("the classifier's weights are not by cell and bucket");
        if (!std::all_of(weights.begin(), weights.end(), [](float weight) { return std::isfinite(weight); }))
            throw StateError("a weight of the classifier is not a number");
    }
    predictions_.clear();
}

}  // namespace htmengine
