#include "nupic/nupic_classifier.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/portable_math.hpp"

namespace htmengine {

namespace {

constexpr double smallest_weight = 1e-6;

}  // namespace

NupicClassifier::NupicClassifier(ClassifierParameters parameters, std::uint32_t cells)
    : Classifier(std::move(parameters), cells) {}

void NupicClassifier::compute(Span<const std::uint32_t> cells, std::int64_t bucket, double value) {
    activate(cells);
    predictions_.clear();
    for (std::size_t i = 0; i < parameters_.steps.size(); ++i) predictions_.push_back(predict(i, value));
    const std::size_t column = see(std::max<std::int64_t>(bucket, 0), value);
    for (std::size_t i = 0; i < parameters_.steps.size(); ++i) {
        if (const auto* past = before(i)) {
            find_shares(i, *past);
            learn(i, *past, column, shares_, smallest_weight);
        }
    }
}

Prediction NupicClassifier::predict(std::size_t i, double value) {
    if (columns_.empty()) return {value, 1.0};
    find_shares(i, now());
    by_value_.clear();
    Prediction best{value, 0.0};
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const double predicted = columns_[c].value.value_or(value);
        const double share = width(c) * shares_[c];
        auto same = std::find_if(by_value_.begin(), by_value_.end(),
                                 [predicted](const Prediction& other) { return other.value == predicted; });
        if (same == by_value_.end()) {
            same = by_value_.insert(same, {predicted, share});
        } else {
            same->probability += share;
        }
        if (same->probability > best.probability) best = *same;
    }
    return best;
}

/// Enters a value into its bucket, or into the nearest one when there are no more. Returns the bucket's column.
std::size_t NupicClassifier::see(std::int64_t bucket, double value) {
    auto found = std::lower_bound(columns_.begin(), columns_.end(), bucket,
                                  [](const Column& column, std::int64_t b) { return column.last < b; });
    if (found == columns_.end() || !found->value) {
        const auto with_value = std::count_if(columns_.begin(), columns_.end(), [](const Column& column) {
            return column.value.has_value();
        });
        if (static_cast<std::size_t>(with_value) < parameters_.max_buckets)
            return enter(static_cast<std::size_t>(found - columns_.begin()), bucket, value);
        // Both neighbours of a bucket without a value have one.
        if (found == columns_.end() ||
            (found != columns_.begin() && bucket - (found - 1)->last <= (found + 1)->last - bucket)) {
            --found;
        } else {
            ++found;
        }
    }
    found->value = averaged(*found->value, value);
    return static_cast<std::size_t>(found - columns_.begin());
}

/// Gives a bucket a column of its own: out of the column `at`, or behind the last one.
std::size_t NupicClassifier::enter(std::size_t at, std::int64_t bucket, double value) {
    const bool within = at < columns_.size();
    std::vector<Column> parts;
    if (bucket > first(at)) parts.push_back({bucket - 1, std::nullopt});
    parts.push_back({bucket, value});
    const std::size_t column = at + parts.size() - 1;
    if (within && bucket < columns_[at].last) parts.push_back({columns_[at].last, std::nullopt});

    std::vector<std::size_t> sources(columns_.size());
    std::iota(sources.begin(), sources.end(), std::size_t{0});
    const auto replace = [at, within](auto& items) {
        const auto place = items.begin() + static_cast<std::ptrdiff_t>(at);
        return items.erase(place, place + (within ? 1 : 0));
    };
    sources.insert(replace(sources), parts.size(), within ? at : no_column);
    columns_.insert(replace(columns_), parts.begin(), parts.end());
    set_columns(sources);
    return column;
}

/// Into shares_: those of each column's buckets, one by one, on these cells.
void NupicClassifier::find_shares(std::size_t i, Span<const std::uint32_t> cells) {
    find_sums(i, cells, sums_);
    const auto largest = std::max_element(sums_.begin(), sums_.end());
    double total = exponentiate(static_cast<std::size_t>(largest - sums_.begin()) + 1, *largest);
    if (!std::isfinite(total)) total = exponentiate(sums_.size(), *largest);
    for (double& share : shares_) share /= total;
}

/// Into shares_: the exponentials of the sums, of which so many are reduced by the largest. Returns their total.
double NupicClassifier::exponentiate(std::size_t reduced, double largest) {
    shares_.resize(sums_.size());
    double total = 0.0;
    for (std::size_t c = 0; c < sums_.size(); ++c) {
        shares_[c] = portable::exp(c < reduced ? sums_[c] - largest : sums_[c]);
        total += width(c) * shares_[c];
    }
    return total;
}

void NupicClassifier::restored() {
    std::size_t with_value = 0;
    bool valued = true;  // the column before, the first one having no neighbour without a value
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const Column& column = columns_[c];
        if (column.last < 0 || (c > 0 && column.last <= columns_[c - 1].last))
            throw StateError("buckets of the classifier do not ascend");
        const bool was_valued = std::exchange(valued, column.value.has_value());
        if (!was_valued && !valued) throw StateError("two columns of the classifier in a row have no value");
        if (!valued) continue;
        ++with_value;
        if (column.last != first(c) || !std::isfinite(*column.value))
            throw StateError("a column of the classifier with a value does not have one bucket");
    }
    if (!valued) throw StateError("the last bucket of the classifier has no value");
    if (with_value > parameters_.max_buckets) throw StateError("the classifier has too many buckets");
    Classifier::restored(columns_.size());
}

}  // namespace htmengine
