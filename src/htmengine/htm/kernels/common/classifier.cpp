#include "common/classifier.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "common/parameter_checks.hpp"

namespace htmengine {

namespace {

constexpr std::uint32_t furthest_step = 100;
constexpr std::size_t most_steps = 16;

ClassifierParameters checked(ClassifierParameters p) {
    if (p.steps.empty() || p.steps.size() > most_steps)
        throw std::invalid_argument("the classifier needs 1 to 16 numbers of steps");
    for (std::size_t i = 0; i < p.steps.size(); ++i) {
        check_range("steps", p.steps[i], 1, furthest_step);
        if (i && p.steps[i] <= p.steps[i - 1])
            throw std::invalid_argument("steps must ascend, and none may come twice");
    }
    check_range("alpha", p.alpha, 0.0, 1.0);
    check_range("value_gain", p.value_gain, 0.0, 1.0);
    check_range("max_buckets", p.max_buckets, 1, 1024);
    return p;
}

}  // namespace

template <class Weight>
Classifier<Weight>::Classifier(ClassifierParameters parameters, std::uint32_t cells)
    : parameters_(checked(std::move(parameters))),
      cells_(cells),
      weights_(parameters_.steps.size()),
      rows_(cells, none) {}

template <class Weight>
void Classifier<Weight>::activate(Span<const std::uint32_t> cells) {
    sorted_.assign(cells.begin(), cells.end());
    std::sort(sorted_.begin(), sorted_.end());
    if (history_.size() > parameters_.steps.back()) history_.drop(1);
    history_.push(sorted_);
    std::vector<std::uint32_t> fresh;
    active_cells_.assign(row_cells_.size(), 0);
    for (const std::uint32_t cell : sorted_) {
        if (rows_[cell] == none) {
            fresh.push_back(cell);
        } else {
            ++active_cells_[rows_[cell]];
        }
    }
    for (std::uint32_t row = 0; row < active_cells_.size(); ++row)
        if (active_cells_[row] > 0 && active_cells_[row] < row_cells_[row].size()) split_row(row);
    if (fresh.empty()) return;
    for (std::vector<Weight>& weights : weights_) weights.resize(weights.size() + columns_, Weight{0});
    add_row(std::move(fresh));
}

/// Gives the active cells of a row one of their own.
template <class Weight>
void Classifier<Weight>::split_row(std::uint32_t row) {
    std::vector<std::uint32_t>& cells = row_cells_[row];
    const auto active = std::stable_partition(cells.begin(), cells.end(), [this](std::uint32_t cell) {
        return !std::binary_search(sorted_.begin(), sorted_.end(), cell);
    });
    std::vector<std::uint32_t> moved(active, cells.end());
    cells.erase(active, cells.end());
    for (std::vector<Weight>& weights : weights_) {
        weights.resize(weights.size() + columns_);
        std::copy_n(weights.begin() + static_cast<std::ptrdiff_t>(row * columns_), columns_,
                    weights.end() - static_cast<std::ptrdiff_t>(columns_));
    }
    add_row(std::move(moved));
}

/// Enters the cells of the last row of weights.
template <class Weight>
void Classifier<Weight>::add_row(std::vector<std::uint32_t> cells) {
    for (const std::uint32_t cell : cells) rows_[cell] = static_cast<std::uint32_t>(row_cells_.size());
    row_cells_.push_back(std::move(cells));
}

template <class Weight>
const std::vector<std::uint32_t>* Classifier<Weight>::before(std::size_t i) const {
    const std::size_t steps = parameters_.steps[i];
    return history_.size() > steps ? &history_[history_.size() - 1 - steps] : nullptr;
}

template <class Weight>
double Classifier<Weight>::averaged(double average, double value) const {
    return (1.0 - parameters_.value_gain) * average + parameters_.value_gain * value;
}

template <class Weight>
void Classifier<Weight>::set_columns(const std::vector<std::size_t>& sources) {
    for (std::vector<Weight>& weights : weights_) {
        std::vector<Weight> found;
        found.reserve(row_cells_.size() * sources.size());
        for (std::size_t row = 0; row < row_cells_.size(); ++row)
            for (const std::size_t source : sources)
                found.push_back(source == no_column ? Weight{0} : weights[row * columns_ + source]);
        weights = std::move(found);
    }
    columns_ = sources.size();
}

template <class Weight>
void Classifier<Weight>::find_sums(std::size_t i, Span<const std::uint32_t> cells, std::vector<double>& sums) const {
    sums.assign(columns_, 0.0);
    for (const std::uint32_t cell : cells) {
        const Weight* row = weights_[i].data() + std::size_t{rows_[cell]} * columns_;
        for (std::size_t c = 0; c < columns_; ++c) sums[c] += static_cast<double>(row[c]);
    }
}

template <class Weight>
void Classifier<Weight>::learn(std::size_t i, Span<const std::uint32_t> cells, std::size_t column,
                               std::vector<double>& shares, double smallest) {
    for (std::size_t c = 0; c < columns_; ++c)
        shares[c] = parameters_.alpha * ((c == column ? 1.0 : 0.0) - shares[c]);
    for (const std::uint32_t cell : cells) {
        // All cells of a row were active.
        if (row_cells_[rows_[cell]].front() != cell) continue;
        Weight* row = weights_[i].data() + std::size_t{rows_[cell]} * columns_;
        for (std::size_t c = 0; c < columns_; ++c) {
            const double moved = static_cast<double>(row[c]) + shares[c];
            row[c] = static_cast<Weight>(std::abs(moved) <= smallest ? 0.0 : moved);
        }
    }
}

template <class Weight>
void Classifier<Weight>::restored(std::size_t columns) {
    history_.restored(parameters_.steps.back() + 1u, cells_);
    std::fill(rows_.begin(), rows_.end(), none);
    for (std::size_t row = 0; row < row_cells_.size(); ++row) {
        if (row_cells_[row].empty()) throw StateError("a row of the classifier's weights belongs to no cell");
        for (const std::uint32_t cell : row_cells_[row]) {
            if (cell >= cells_ || rows_[cell] != none)
                throw StateError("the classifier names a cell twice, or one that does not exist");
            rows_[cell] = static_cast<std::uint32_t>(row);
        }
    }
    for (std::size_t i = 0; i < history_.size(); ++i)
        for (const std::uint32_t cell : history_[i])
            if (rows_[cell] == none) throw StateError("the classifier has no weights for an active cell");
    if (weights_.size() != parameters_.steps.size())
        throw StateError("the classifier does not have one set of weights for each number of steps");
    for (const std::vector<Weight>& weights : weights_) {
        if (weights.size() != row_cells_.size() * columns)
            throw StateError("a set of the classifier's weights does not have one weight for each cell and bucket");
        if (!std::all_of(weights.begin(), weights.end(), [](Weight weight) { return std::isfinite(weight); }))
            throw StateError("a weight of the classifier is not a number");
    }
    columns_ = columns;
    predictions_.clear();
}

template class Classifier<float>;
template class Classifier<double>;

}  // namespace htmengine
