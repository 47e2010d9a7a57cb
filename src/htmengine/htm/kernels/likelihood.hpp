#pragma once
#include <algorithm>
#include <cmath>
#include "portable_math.hpp"
#include "state.hpp"
namespace htmengine {
struct LikelihoodParameters { std::uint32_t refit = 100, learning = 100; double mean_floor = 0.03; };
struct LikelihoodScore { double likelihood, log_likelihood; };
inline double likelihood_of_log(double log) { return std::min(std::max(1.0000000001 - portable::exp(-23.02585084720009 * log), 0.0), 1.0); }
class Likelihood {
public:
  explicit Likelihood(const LikelihoodParameters& p) : p_(p), hist_(10, 0.0) {}
  LikelihoodScore update(double raw, double) {
    total_ -= hist_[n_ % 10]; hist_[n_ % 10] = raw; total_ += raw; ++n_;
    double avg = total_ / std::min<std::uint64_t>(n_, 10);
    double tail = 0.5;
    if (sd_ > 0) { double z = (avg - mean_) / sd_; tail = z >= 0 ? 0.5 * portable::erfc(z / 1.4142) : 1 - 0.5 * portable::erfc(-z / 1.4142); }
    double f = tail <= 1e-5 && prev_ <= 1e-5 ? 0.001 : tail; prev_ = tail;
    if (n_ > p_.learning) { sum_ += avg; sq_ += avg * avg; ++cnt_; }
    if (cnt_ > 20 && n_ % p_.refit == 0) { mean_ = std::max(sum_ / cnt_, p_.mean_floor); double m = sum_ / cnt_; sd_ = std::sqrt(std::max(sq_ / cnt_ - m * m, 0.0003)); }
    double L = 1 - f; double lg = portable::log(1.0000000001 - L) / -23.02585084720009;
    return {L, std::min(std::max(lg, 0.0), 1.0)};
  }
  template <class S, class A> static void fields(S& s, A& a) { a(s.hist_, s.total_, s.n_, s.cnt_, s.sum_, s.sq_, s.mean_, s.sd_, s.prev_); }
  void restored() const { if (hist_.size() != 10) throw StateError("history"); }
private:
  LikelihoodParameters p_; std::vector<double> hist_; double total_ = 0; std::uint64_t n_ = 0, cnt_ = 0; double sum_ = 0, sq_ = 0, mean_ = 0, sd_ = 0, prev_ = 1;
};
}
