#include "default/softmax_classifier.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/portable_math.hpp"

namespace htmengine {

SoftmaxClassifier::SoftmaxClassifier(ClassifierParameters parameters, std::uint32_t cells)
    : Classifier(std::move(parameters), cells) {}

void SoftmaxClassifier::compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value) {
    const std::size_t column = see(bucket, value);
    activate(cells);
    predictions_.clear();
    for (std::size_t i = 0; i < parameters_.steps.size(); ++i) {
        if (const auto* past = before(i)) {
            find_shares(i, *past);
            learn(i, *past, column, shares_, 0.0);
        }
        find_shares(i, now());
        const auto best = std::max_element(shares_.begin(), shares_.end());
        predictions_.push_back({values_[static_cast<std::size_t>(best - shares_.begin())], *best});
    }
}

/// Enters a value into its bucket, or into the nearest one when there are no more. Returns the bucket's column.
std::size_t SoftmaxClassifier::see(std::int64_t bucket, double value) {
    const auto found = std::find(buckets_.begin(), buckets_.end(), bucket);
    if (found == buckets_.end() && buckets_.size() < parameters_.max_buckets) {
        std::vector<std::size_t> sources(buckets_.size());
        std::iota(sources.begin(), sources.end(), std::size_t{0});
        sources.push_back(no_column);
        set_columns(sources);
        buckets_.push_back(bucket);
        values_.push_back(value);
        return buckets_.size() - 1;
    }
    const std::size_t column =
        found != buckets_.end() ? static_cast<std::size_t>(found - buckets_.begin()) : nearest(bucket);
    values_[column] = averaged(values_[column], value);
    return column;
}

std::size_t SoftmaxClassifier::nearest(std::int64_t bucket) const {
    const auto distance = [bucket](std::int64_t other) {
        const auto [low, high] = std::minmax(bucket, other);
        return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    };
    const auto found = std::min_element(buckets_.begin(), buckets_.end(), [&](std::int64_t a, std::int64_t b) {
        return distance(a) < distance(b);
    });
    return static_cast<std::size_t>(found - buckets_.begin());
}

/// Into shares_: the softmax of the columns' sums over these cells.
void SoftmaxClassifier::find_shares(std::size_t i, Span<const std::uint32_t> cells) {
    find_sums(i, cells, shares_);
    const double largest = *std::max_element(shares_.begin(), shares_.end());
    double total = 0.0;
    for (double& share : shares_) total += share = portable::exp(share - largest);
    for (double& share : shares_) share /= total;
}

void SoftmaxClassifier::forget() { *this = SoftmaxClassifier(parameters_, cells_); }

void SoftmaxClassifier::restored() {
    if (buckets_.size() > parameters_.max_buckets || values_.size() != buckets_.size())
        throw StateError("the classifier has too many buckets, or values and buckets differ in number");
    for (std::size_t i = 0; i < buckets_.size(); ++i)
        if (!std::isfinite(values_[i]) || std::count(buckets_.begin(), buckets_.end(), buckets_[i]) != 1)
            throw StateError("a bucket of the classifier has no value or comes twice");
    Classifier::restored(buckets_.size());
}

}  // namespace htmengine
