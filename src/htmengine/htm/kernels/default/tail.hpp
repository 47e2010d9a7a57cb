// How rare a number is among those before it, also where it exceeds all of them.
//
// Numbers are counted in bins of equal ratio. Below the highest few per cent, a number is as rare as its rank says. To
// the excesses over that a generalised Pareto distribution is fitted, which goes on where no number has been yet.
// Source: peaks over threshold, as in Siffer, Fouque, Termier, Largouet (2017), "Anomaly Detection in Streams with
// Extreme Value Theory", doi:10.1145/3097983.3098144; fitted by moments: Hosking and Wallis (1987),
// doi:10.1080/00401706.1987.10488243.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace htmengine {

struct TailParameters {
    double share;             // of the numbers, the highest: to them the tail is fitted
    std::uint32_t memory;     // numbers after which each counts half
    std::uint32_t refit;      // numbers between two fits
    std::uint32_t probation;  // numbers before the first fit, which get no opinion
    double heaviest;          // greatest shape of a fitted tail
    double outlier;           // what lies further out, in scales of the tail, counts as lying there
};

class Tail {
   public:
    /// Throws std::invalid_argument when a parameter is out of range.
    explicit Tail(const TailParameters& parameters);

    /// How rare it is that a number is as high as this, as -log10 of a probability, by those before it; then takes it
    /// in. 0 on probation. The number is from 0 to `highest`. Amortised constant time.
    double update(double number);

    /// The same by the last fit, without taking it in.
    double rarity(double number) const { return scale_ > 0.0 ? digits(number) : 0.0; }

    /// The number that is exceeded with this probability, or the threshold of the tail where that is higher. By the last
    /// fit; NaN on probation.
    double exceeded(double probability) const;

    /// Numbers taken so far.
    std::uint64_t numbers() const { return numbers_; }

    /// Whether it has an opinion.
    bool fitted() const { return scale_ > 0.0; }

    static constexpr double highest = 1000.0;

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.counts_, self.total_, self.numbers_, self.threshold_, self.beyond_, self.shape_, self.scale_);
    }

    /// Throws StateError unless the state fits.
    void restored() const;

   private:
    double digits(double number) const;
    void fit();
    void count(double number);

    TailParameters parameters_;
    std::vector<std::uint32_t> counts_;  // per bin
    std::uint64_t total_ = 0;
    std::uint64_t numbers_ = 0;
    double threshold_ = 0.0;  // where the fitted tail begins
    double beyond_ = 1.0;     // probability of more than that
    double shape_ = 0.0;
    double scale_ = 0.0;  // 0 before the first fit
};

}  // namespace htmengine
