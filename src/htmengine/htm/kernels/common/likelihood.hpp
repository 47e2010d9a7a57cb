// Anomaly likelihood: how unusual is the recent average of raw scores, given their history?
//
// The last few raw scores are averaged; a Gaussian is fitted to the averages of a sliding window of records; the
// tail probability of the present average under it, subtracted from 1, is the likelihood of an anomaly.
//
// The original keeps the window and averages it anew for every fit. Here a window is a row of blocks as long as
// the interval between fits, each holding only moments, with edges where the windows of scheduled fits begin.
// Source: reference "HTM scalar anomaly models", sections 9 and 10; Ahmad, Lavin, Purdy, Agha (2017),
// Neurocomputing 262, doi:10.1016/j.neucom.2017.04.070.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/span.hpp"

namespace htmengine {

/// When records are scored and the distribution is fitted.
enum class LikelihoodSchedule : std::uint8_t {
    /// NuPIC's class: 0.5 during probation, then a fit before every record whose number (from 0) is a multiple of
    /// `refit`, and before the first scored record. `learning` counts from the first record ever.
    streaming,
    /// htmengine's anomaly service: 0 during probation, then a fit, and one more `refit` records after each.
    /// `learning` counts from the beginning of the window, also when the window slides.
    engine,
};

struct LikelihoodParameters {
    LikelihoodSchedule schedule;
    std::uint32_t averaging_window;  // raw scores in an average
    std::uint32_t learning;          // records that no fit uses, as the model is still learning
    std::uint32_t probation;         // records before the first fit, which get no real score; at most `history`
    std::uint32_t history;           // records in the window; more than `learning`
    std::uint32_t refit;             // records between two fits; at least `averaging_window`
    double mean_floor;               // least mean of a fitted distribution
    double variance_floor;           // least variance of a fitted distribution
    double flat_variance;            // a metric of less variance is flat: everything is likely. 0: never flat
    bool two_sided;                  // an average far below the mean is unusual, too (NuPIC 1.0)
    bool red_filter;                 // in a run of extreme scores, lower all but the first
};

/// The probability of more than x under a Gaussian; if two_sided, of less than x where x is below the mean.
double tail_probability(double x, double mean, double deviation, bool two_sided);

/// What a tail counts for after another: the red filter on one pair of unfiltered tails.
double filtered_tail(double tail, double previous);

/// A likelihood in [0, 1] on the logarithmic scale of the published scores, in [0, 1]: 0.5 is 0.03, 0.99999 is 0.5.
double log_likelihood(double likelihood);

/// The likelihood whose logarithmic score this is, both in [0, 1].
double likelihood_of_log(double log_likelihood);

class Likelihood {
   public:
    explicit Likelihood(const LikelihoodParameters& parameters);

    /// Takes one record and returns its likelihood of being anomalous, in [0, 1]. Constant time, amortised.
    /// Records that have no value are not given to this function; the raw score and the value are finite.
    double update(double raw, double value);

    /// Takes records that arrived together. On the engine's schedule the batch has a say, as in the original: fits
    /// are max(refit, a tenth of the batch) records apart, and a likelihood above 0.99 more than 3 records after
    /// the last fit brings the next one forward if another record of the batch follows. Such fits may leave the
    /// grid of blocks; their window is then up to refit - 1 records longer than `history`.
    void update_batch(Span<const double> raws, Span<const double> values, Span<double> likelihoods);

    /// Takes records one by one, as if `update` were called for each.
    void update_series(Span<const double> raws, Span<const double> values, Span<double> likelihoods);

    const LikelihoodParameters& parameters() const { return parameters_; }
    std::uint64_t records() const { return records_; }
    bool fitted() const { return last_fit_ > 0; }
    double mean() const { return mean_; }
    double deviation() const { return deviation_; }

    /// The probability of an average of raw scores above the latest one, without the red filter; it keeps the digits
    /// that a likelihood near 1 has lost. 1 on probation.
    double latest_tail() const { return previous_tail_; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.records_, self.last_fit_, self.mean_, self.deviation_, self.previous_tail_, self.recent_,
                self.blocks_, self.value_blocks_);
    }

    void restored() const;

   private:
    /// Mean and sum of squared deviations of some numbers, whose count is kept outside.
    struct Moments {
        double mean = 0.0;
        double squares = 0.0;

        void add(double x, double count_with_x);
        void merge(const Moments& other, double count, double other_count);

        /// The bits that differ from others', and the moments that differ from these in such bits.
        std::array<std::uint64_t, 2> bits_beyond(const Moments& other) const;
        Moments with_bits(const std::array<std::uint64_t, 2>& bits) const;

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.mean, self.squares);
        }
    };

    struct Block {
        std::uint32_t count = 0;  // records that fits use: those of the learning period are left out
        Moments averages;         // each of the last `averaging_window` scores
        Moments restarted;        // the same, as if the window began with this block: the first are shorter

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            if constexpr (Archive::packs) {
                // They are near each other: of their difference in bits many are 0.
                auto others = self.restarted.bits_beyond(self.averages);
                archive(self.count, self.averages, others[0], others[1]);
                if constexpr (!Archive::writes) self.restarted = self.averages.with_bits(others);
            } else {
                archive(self.count, self.averages, self.restarted);
            }
        }
    };

    double score(double raw, double value, bool fit_due);
    double add(double raw, double value);
    double average(std::uint64_t scores) const;
    void fit();
    bool watches_values() const { return parameters_.flat_variance > 0.0; }
    std::uint64_t block_of(std::uint64_t record) const;
    std::uint64_t first_block(std::uint64_t records) const;

    LikelihoodParameters parameters_;
    std::uint32_t skipped_;       // records at the beginning of each window that its fit does not use
    std::uint32_t span_;          // records in a full window that its fit uses
    std::uint32_t block_offset_;  // from the edge of a block that record 0 lies in to record 0

    std::uint64_t records_ = 0;
    std::uint64_t last_fit_ = 0;  // records at the time of the last fit; 0 before the first
    double mean_ = 0.0;
    double deviation_ = 0.0;
    double previous_tail_ = 1.0;         // of the latest average, unfiltered
    std::vector<double> recent_;         // (averaging_window,) raw scores, a ring: that of record i at i % size
    std::vector<Block> blocks_;          // oldest first; the last one is being filled
    std::vector<Moments> value_blocks_;  // of the metric's values in each block, if a flat metric matters
};

}  // namespace htmengine
