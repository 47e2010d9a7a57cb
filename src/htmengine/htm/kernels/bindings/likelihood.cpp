// Bindings of the likelihood and of the portable mathematics.
#include "bindings/bindings.hpp"
#include "common/likelihood.hpp"
#include "common/portable_math.hpp"

namespace htmengine {

namespace {

Span<const double> span(const In<double>& array) { return {array.data(), array.size()}; }

/// Applies a function to every number of an array.
template <class Function>
Out<double> map(const In<double>& array, Function function) {
    std::vector<double> results(array.size());
    {
        nb::gil_scoped_release released;
        for (std::size_t i = 0; i < results.size(); ++i) results[i] = function(array.data()[i]);
    }
    return to_numpy(std::move(results));
}

using Update = void (Likelihood::*)(Span<const double>, Span<const double>, Span<double>);

template <Update update>
Out<double> update_many(Likelihood& self, const In<double>& raws, const In<double>& values) {
    if (raws.size() != values.size()) throw std::invalid_argument("raws and values differ in length");
    std::vector<double> likelihoods(raws.size());
    {
        nb::gil_scoped_release released;
        (self.*update)(span(raws), span(values), likelihoods);
    }
    return to_numpy(std::move(likelihoods));
}

void bind_portable_math(nb::module_& module) {
    module.def("portable_exp", &portable::exp);
    module.def("portable_log", &portable::log);
    module.def("portable_erfc", &portable::erfc);
}

void bind_anomaly_likelihood(nb::module_& module) {
    nb::enum_<LikelihoodSchedule>(module, "LikelihoodSchedule")
        .value("STREAMING", LikelihoodSchedule::streaming)
        .value("ENGINE", LikelihoodSchedule::engine);
    nb::class_<LikelihoodParameters>(module, "LikelihoodParameters")
        .def(nb::init<>())
        .def_rw("schedule", &LikelihoodParameters::schedule)
        .def_rw("averaging_window", &LikelihoodParameters::averaging_window)
        .def_rw("learning", &LikelihoodParameters::learning)
        .def_rw("probation", &LikelihoodParameters::probation)
        .def_rw("history", &LikelihoodParameters::history)
        .def_rw("refit", &LikelihoodParameters::refit)
        .def_rw("mean_floor", &LikelihoodParameters::mean_floor)
        .def_rw("variance_floor", &LikelihoodParameters::variance_floor)
        .def_rw("flat_variance", &LikelihoodParameters::flat_variance)
        .def_rw("two_sided", &LikelihoodParameters::two_sided)
        .def_rw("red_filter", &LikelihoodParameters::red_filter);
    auto bound = nb::class_<Likelihood>(module, "Likelihood")
                     .def(nb::init<const LikelihoodParameters&>())
                     .def("update", &Likelihood::update)
                     .def("update_batch", &update_many<&Likelihood::update_batch>)
                     .def("update_series", &update_many<&Likelihood::update_series>)
                     .def_prop_ro("records", &Likelihood::records)
                     .def_prop_ro("fitted", &Likelihood::fitted)
                     .def_prop_ro("mean", &Likelihood::mean)
                     .def_prop_ro("deviation", &Likelihood::deviation)
                     .def("__copy__", [](const Likelihood& self) { return Likelihood(self); });
    bind_state(bound);
    module.def("tail_probabilities", [](const In<double>& averages, double mean, double deviation, bool two_sided) {
        return map(averages, [=](double x) { return tail_probability(x, mean, deviation, two_sided); });
    });
    module.def("filter_tails", [](const In<double>& tails) {
        double previous = 1.0;
        return map(tails, [&previous](double tail) { return filtered_tail(tail, std::exchange(previous, tail)); });
    });
    module.def("log_likelihoods", [](const In<double>& likelihoods) { return map(likelihoods, &log_likelihood); });
    module.def("likelihoods_of_logs", [](const In<double>& logs) { return map(logs, &likelihood_of_log); });
}

}  // namespace

void bind_likelihood(nb::module_& module) {
    bind_portable_math(module);
    bind_anomaly_likelihood(module);
}

}  // namespace htmengine
