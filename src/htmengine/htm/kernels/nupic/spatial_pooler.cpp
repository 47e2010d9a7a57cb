#include "nupic/spatial_pooler.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "common/portable_math.hpp"
#include "common/state.hpp"

// Compiles a loop once more for wider vectors, chosen when the program is loaded. Only for loops whose elements do not
// touch each other: their results are the same at any width.
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define HTMENGINE_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define HTMENGINE_WIDE
#endif

namespace htmengine {

namespace {

constexpr float outside_pool = -1.0f;
constexpr float connected_tolerance = 1e-6f;
constexpr float permanence_steps = 100000.0f;  // initial permanences have 5 decimals
constexpr std::uint32_t weak_duty_cycle_interval = 50;
constexpr std::uint32_t max_size = 1u << 16;  // of inputs, and of columns
constexpr std::uint32_t max_duty_cycle_period = 1u << 24;  // whole numbers up to here are floats
constexpr float max_boost_strength = 64.0f;  // boosted overlaps stay finite
constexpr std::size_t word_bits = 64;
constexpr std::size_t chunk = 64;

void require(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

float truncated(float permanence) {
    return static_cast<float>(static_cast<std::int32_t>(permanence * permanence_steps)) / permanence_steps;
}

std::uint32_t count_bits(std::uint64_t word) { return static_cast<std::uint32_t>(__builtin_popcountll(word)); }

/// Appends the columns whose bit is set in word `w` of a bit per column.
void append_columns(std::size_t w, std::uint64_t word, std::vector<std::uint32_t>& columns) {
    for (; word != 0; word &= word - 1)
        columns.push_back(static_cast<std::uint32_t>(w * word_bits) + static_cast<std::uint32_t>(__builtin_ctzll(word)));
}

/// Adds one to the binary numbers whose bit in `row` is set. `carry` is scratch.
HTMENGINE_WIDE void add_row(const std::uint64_t* row, std::size_t words, std::uint64_t* digits,
                            std::size_t digit_count, std::uint64_t* carry) {
    for (std::size_t w = 0; w < words; ++w) {
        carry[w] = row[w] & digits[w];
        digits[w] ^= row[w];
    }
    for (std::size_t d = 1; d < digit_count; ++d) {
        std::uint64_t* digit = digits + d * words;
        for (std::size_t w = 0; w < words; ++w) {
            const std::uint64_t next = digit[w] & carry[w];
            digit[w] ^= carry[w];
            carry[w] = next;
        }
    }
}

/// Changes the permanences of one column, within 0 and 1. Keeps the old ones in `before`, and says in `crossed`, for
/// each chunk, whether one of them crossed the connected threshold.
HTMENGINE_WIDE void change_permanences(float* permanences, const float* changes, std::size_t inputs,
                                       float trim_threshold, float connected_threshold, float* before,
                                       std::uint8_t* crossed) {
    for (std::size_t start = 0; start < inputs; start += chunk) {
        const std::size_t end = std::min(start + chunk, inputs);
        std::int32_t any = 0;
        for (std::size_t i = start; i < end; ++i) {
            const float old = permanences[i];
            float changed = old + changes[i];
            changed = changed > 1.0f ? 1.0f : changed;
            changed = changed < trim_threshold ? 0.0f : changed;
            changed = old < 0.0f ? old : changed;
            before[i] = old;
            permanences[i] = changed;
            any |= (old >= connected_threshold) != (changed >= connected_threshold);
        }
        crossed[start / chunk] = any != 0;
    }
}

HTMENGINE_WIDE void average_in(float* duty_cycles, std::size_t count, float period, float now) {
    for (std::size_t i = 0; i < count; ++i) duty_cycles[i] = (duty_cycles[i] * (period - 1.0f) + now) / period;
}

HTMENGINE_WIDE bool any_below(const float* duty_cycles, std::size_t count, float limit) {
    std::int32_t any = 0;
    for (std::size_t i = 0; i < count; ++i) any |= duty_cycles[i] < limit;
    return any != 0;
}

}  // namespace

SpatialPooler::SpatialPooler(const SpatialPoolerParameters& p)
    : parameters_(p),
      connected_threshold_(p.connected_permanence - connected_tolerance),
      trim_threshold_(p.active_increment / 2.0f),
      words_((p.columns + word_bits - 1) / word_bits),
      last_word_(p.columns % word_bits ? (Word{1} << p.columns % word_bits) - 1 : ~Word{0}) {
    // Written so that NaN is out of range.
    require(p.inputs >= 1 && p.inputs <= max_size, "inputs must be from 1 to 65536");
    require(p.columns >= 1 && p.columns <= max_size, "columns must be from 1 to 65536");
    require(p.active_columns >= 1 && p.active_columns <= p.columns, "active_columns must be from 1 to columns");
    require(p.potential_pct > 0.0f && p.potential_pct <= 1.0f, "potential_pct must be above 0 and at most 1");
    require(p.connected_permanence > connected_tolerance && p.connected_permanence < 1.0f,
            "connected_permanence must be above 0.000001 and below 1");
    require(p.active_increment >= 0.0f && p.active_increment <= 1.0f, "active_increment must be from 0 to 1");
    require(p.inactive_decrement >= 0.0f && p.inactive_decrement <= 1.0f, "inactive_decrement must be from 0 to 1");
    require(p.boost_strength >= 0.0f && p.boost_strength <= max_boost_strength,
            "boost_strength must be from 0 to 64");
    require(p.duty_cycle_period >= 1 && p.duty_cycle_period <= max_duty_cycle_period,
            "duty_cycle_period must be from 1 to 16777216");
    require(p.min_overlap_duty >= 0.0f && p.min_overlap_duty <= 1.0f, "min_overlap_duty must be from 0 to 1");

    permanences_.assign(std::size_t{p.columns} * p.inputs, outside_pool);
    active_duty_cycles_.assign(p.columns, 0.0f);
    overlap_duty_cycles_.assign(p.columns, 0.0f);
    carry_.resize(words_);
    winners_.resize(words_);
    tied_.resize(words_);
    input_changes_.assign(p.inputs, -p.inactive_decrement);
    weak_changes_.assign(p.inputs, p.connected_permanence / 10.0f);
    before_.resize(p.inputs);
    crossed_.resize((p.inputs + chunk - 1) / chunk);
    active_.reserve(p.active_columns);

    Random random(p.seed);
    for (std::uint32_t column = 0; column < p.columns; ++column) random.real();  // once broke ties, now unused
    for (std::uint32_t column = 0; column < p.columns; ++column) draw_column(random, column);
    restored();
}

/// Draws the potential pool of a column and the permanences in it.
void SpatialPooler::draw_column(Random& random, std::uint32_t column) {
    const auto& p = parameters_;
    const std::uint32_t centre =
        static_cast<std::uint32_t>((static_cast<double>(column) + 0.5) * p.inputs / p.columns);
    std::vector<std::uint32_t> neighbours(p.inputs);  // from the centre on, round the end
    std::iota(neighbours.begin(), neighbours.end(), 0u);
    std::rotate(neighbours.begin(), neighbours.begin() + centre, neighbours.end());
    const auto pool_size = static_cast<std::size_t>(std::round(static_cast<float>(p.inputs) * p.potential_pct));
    std::vector<std::uint32_t> pool = random.sample(Span<const std::uint32_t>(neighbours), pool_size);
    std::sort(pool.begin(), pool.end());
    for (const std::uint32_t input : pool) {
        const double above = 1.0f - p.connected_permanence;
        const double connected = p.connected_permanence;
        // Half of the synapses start connected.
        const double permanence =
            random.real() <= 0.5 ? connected + above * random.real() : connected * random.real();
        const float rounded = truncated(static_cast<float>(permanence));
        permanences_[std::size_t{column} * p.inputs + input] = rounded < trim_threshold_ ? 0.0f : rounded;
    }
}

const std::vector<std::uint32_t>& SpatialPooler::compute(Span<const std::uint32_t> bits, bool learn) {
    count_overlaps(bits);
    if (learn && parameters_.boost_strength > 0.0f) {
        choose_by_boosted_overlap();
    } else {
        choose_by_overlap();
    }
    if (learn) this->learn(bits);
    return active_;
}

void SpatialPooler::count_overlaps(Span<const std::uint32_t> bits) {
    digit_count_ = 0;
    digits_.clear();
    for (std::size_t row = 0; row < bits.size(); ++row) {
        if (row + 1 >= std::size_t{1} << digit_count_) digits_.resize(++digit_count_ * words_);
        add_row(&connected_[bits[row] * words_], words_, digits_.data(), digit_count_, carry_.data());
    }
}

/// Writes the overlap of each column, and 0 for the rest of the last word.
void SpatialPooler::combine_digits(std::vector<std::uint32_t>& counts) const {
    counts.assign(words_ * word_bits, 0);
    for (std::size_t d = 0; d < digit_count_; ++d)
        for (std::size_t w = 0; w < words_; ++w) {
            const Word digit = digits_[d * words_ + w];
            for (std::size_t b = 0; b < word_bits; ++b)
                counts[w * word_bits + b] |= static_cast<std::uint32_t>(digit >> b & 1) << d;
        }
}

std::vector<std::uint32_t> SpatialPooler::overlaps() const {
    std::vector<std::uint32_t> counts;
    combine_digits(counts);
    counts.resize(parameters_.columns);
    return counts;
}

/// Makes the columns with the largest overlap active; of equals, those with the higher index.
void SpatialPooler::choose_by_overlap() {
    // From the highest digit down: the columns that have it beat those that do not, unless they are too many.
    std::uint32_t wanted = parameters_.active_columns;
    std::fill(winners_.begin(), winners_.end(), Word{0});
    std::fill(tied_.begin(), tied_.end(), ~Word{0});
    tied_.back() = last_word_;
    for (std::size_t d = digit_count_; d-- > 0;) {
        const Word* digit = &digits_[d * words_];
        std::uint32_t ahead = 0;
        for (std::size_t w = 0; w < words_; ++w) ahead += count_bits(tied_[w] & digit[w]);
        if (ahead >= wanted) {
            for (std::size_t w = 0; w < words_; ++w) tied_[w] &= digit[w];
        } else {
            wanted -= ahead;
            for (std::size_t w = 0; w < words_; ++w) {
                winners_[w] |= tied_[w] & digit[w];
                tied_[w] &= ~digit[w];
            }
        }
    }
    for (std::size_t w = words_; wanted > 0; --w) {
        Word tied = tied_[w - 1];
        // Leaves the lowest columns out when not all of the word's are wanted.
        for (std::uint32_t left = count_bits(tied); left > wanted; --left) tied &= tied - 1;
        wanted -= count_bits(tied);
        winners_[w - 1] |= tied;
    }
    active_.clear();
    for (std::size_t w = 0; w < words_; ++w) append_columns(w, winners_[w], active_);
}

/// The same, with overlaps multiplied by the boost factors.
void SpatialPooler::choose_by_boosted_overlap() {
    combine_digits(counts_);
    boosted_.resize(parameters_.columns);
    for (std::size_t column = 0; column < boosted_.size(); ++column)
        boosted_[column] = static_cast<float>(counts_[column]) * boost_factors_[column];
    order_.resize(parameters_.columns);
    std::iota(order_.begin(), order_.end(), 0u);
    const auto end = order_.begin() + parameters_.active_columns;
    std::nth_element(order_.begin(), end - 1, order_.end(), [&](std::uint32_t a, std::uint32_t b) {
        return boosted_[a] != boosted_[b] ? boosted_[a] > boosted_[b] : a > b;
    });
    active_.assign(order_.begin(), end);
    std::sort(active_.begin(), active_.end());
}

void SpatialPooler::learn(Span<const std::uint32_t> bits) {
    ++steps_;
    for (const std::uint32_t bit : bits) input_changes_[bit] = parameters_.active_increment;
    for (const std::uint32_t column : active_) adapt(column, input_changes_);
    for (const std::uint32_t bit : bits) input_changes_[bit] = -parameters_.inactive_decrement;

    find_columns_without_overlap();
    update_duty_cycles(active_duty_cycles_, 0.0f, active_);
    update_duty_cycles(overlap_duty_cycles_, 1.0f, without_overlap_);
    strengthen_weak_columns();
    update_boost_factors();
    if (steps_ % weak_duty_cycle_interval == 0)
        weak_duty_cycle_ = parameters_.min_overlap_duty *
                           *std::max_element(overlap_duty_cycles_.begin(), overlap_duty_cycles_.end());
}

void SpatialPooler::adapt(std::uint32_t column, const std::vector<float>& changes) {
    const std::size_t inputs = parameters_.inputs;
    float* permanences = &permanences_[column * inputs];
    change_permanences(permanences, changes.data(), inputs, trim_threshold_, connected_threshold_, before_.data(),
                       crossed_.data());
    const Word bit = Word{1} << column % word_bits;
    for (std::size_t start = 0; start < inputs; start += chunk) {
        if (!crossed_[start / chunk]) continue;
        for (std::size_t i = start; i < std::min(start + chunk, inputs); ++i)
            if ((before_[i] >= connected_threshold_) != (permanences[i] >= connected_threshold_))
                connected_[i * words_ + column / word_bits] ^= bit;
    }
}

void SpatialPooler::find_columns_without_overlap() {
    without_overlap_.clear();
    for (std::size_t w = 0; w < words_; ++w) {
        Word none = w + 1 == words_ ? last_word_ : ~Word{0};
        for (std::size_t d = 0; d < digit_count_; ++d) none &= ~digits_[d * words_ + w];
        append_columns(w, none, without_overlap_);
    }
}

/// Averages in what most columns did in this step, `usual`, 0 or 1; `others` are the columns that did the opposite.
void SpatialPooler::update_duty_cycles(std::vector<float>& duty_cycles, float usual,
                                       const std::vector<std::uint32_t>& others) {
    const auto period = static_cast<float>(std::min<std::uint64_t>(parameters_.duty_cycle_period, steps_));
    duty_cycles_before_.clear();
    for (const std::uint32_t column : others) duty_cycles_before_.push_back(duty_cycles[column]);
    average_in(duty_cycles.data(), duty_cycles.size(), period, usual);
    average_in(duty_cycles_before_.data(), others.size(), period, 1.0f - usual);
    for (std::size_t i = 0; i < others.size(); ++i) duty_cycles[others[i]] = duty_cycles_before_[i];
}

void SpatialPooler::strengthen_weak_columns() {
    if (!any_below(overlap_duty_cycles_.data(), overlap_duty_cycles_.size(), weak_duty_cycle_)) return;
    for (std::uint32_t column = 0; column < parameters_.columns; ++column)
        if (overlap_duty_cycles_[column] < weak_duty_cycle_) adapt(column, weak_changes_);
}

void SpatialPooler::update_boost_factors() {
    if (parameters_.boost_strength == 0.0f) return;
    const float density = static_cast<float>(parameters_.active_columns) / static_cast<float>(parameters_.columns);
    for (std::size_t column = 0; column < boost_factors_.size(); ++column) {
        const float exponent = (density - active_duty_cycles_[column]) * parameters_.boost_strength;
        boost_factors_[column] = static_cast<float>(portable::exp(static_cast<double>(exponent)));
    }
}

/// Rebuilds which inputs are connected to which columns.
void SpatialPooler::connect() {
    const std::size_t inputs = parameters_.inputs;
    connected_.resize(inputs * words_);
    std::vector<Word> connections(inputs);  // of 64 columns at a time
    for (std::size_t w = 0; w < words_; ++w) {
        std::fill(connections.begin(), connections.end(), Word{0});
        const std::size_t end = std::min<std::size_t>((w + 1) * word_bits, parameters_.columns);
        for (std::size_t column = w * word_bits; column < end; ++column) {
            const float* permanences = &permanences_[column * inputs];
            for (std::size_t i = 0; i < inputs; ++i)
                connections[i] |= Word{permanences[i] >= connected_threshold_} << column % word_bits;
        }
        for (std::size_t i = 0; i < inputs; ++i) connected_[i * words_ + w] = connections[i];
    }
}

std::vector<float> SpatialPooler::pooled_permanences() const {
    std::vector<float> pooled;
    pooled.reserve(permanences_.size());
    for (const float permanence : permanences_)
        if (permanence != outside_pool) pooled.push_back(permanence);
    return pooled;
}

void SpatialPooler::set_pooled_permanences(const std::vector<float>& pooled) {
    std::size_t taken = 0;
    for (float& permanence : permanences_) {
        if (permanence == outside_pool) continue;
        if (taken == pooled.size()) throw StateError("a spatial pooler has too few permanences");
        permanence = pooled[taken++];
        if (!(permanence >= 0.0f && permanence <= 1.0f)) throw StateError("a permanence is not from 0 to 1");
    }
    if (taken != pooled.size()) throw StateError("a spatial pooler has too many permanences");
}

void SpatialPooler::restored() {
    for (const auto* duty_cycles : {&active_duty_cycles_, &overlap_duty_cycles_}) {
        if (duty_cycles->size() != parameters_.columns)
            throw StateError("a spatial pooler has duty cycles for another number of columns");
        for (const float duty_cycle : *duty_cycles)
            if (!(duty_cycle >= 0.0f && duty_cycle <= 1.0f)) throw StateError("a duty cycle is not from 0 to 1");
    }
    if (!(weak_duty_cycle_ >= 0.0f && weak_duty_cycle_ <= 1.0f))
        throw StateError("the smallest overlap duty cycle is not from 0 to 1");
    connect();
    boost_factors_.assign(parameters_.columns, 1.0f);
    if (steps_ > 0) update_boost_factors();
    digit_count_ = 0;
    digits_.clear();
    active_.clear();
}

}  // namespace htmengine
