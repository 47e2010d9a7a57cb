// Bindings of the random generator and of the encoders of one field.
#include "nupic/encoders.hpp"

#include <cmath>

#include "bindings/bindings.hpp"
#include "nupic/random.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

using Bucket = std::optional<std::uint32_t>;

void bind_random(nb::module_& module) {
    nb::class_<Random> bound(module, "Random");
    bound.def(nb::init<std::uint64_t>(), "seed"_a)
        .def(
            "below",
            [](Random& self, std::uint32_t bound) {
                if (bound == 0) throw std::invalid_argument("bound must be at least 1");
                return self.below(bound);
            },
            "bound"_a = Random::default_bound)
        .def("real", &Random::real)
        .def("shuffle",
             [](Random& self, std::vector<std::uint32_t> items) {
                 self.shuffle(items);
                 return items;
             })
        .def("sample", [](Random& self, const std::vector<std::uint32_t>& population, std::size_t count) {
            return self.sample(Span<const std::uint32_t>(population), count);
        });
    bind_state(bound);
}

/// What the encoders of values have in common: `width`, and `encode(value) -> (bits, bucket or None)`.
template <class T>
void bind_value_encoder(nb::class_<T>& bound) {
    bound.def_prop_ro("width", &T::width)
        .def(
            "encode",
            [](T& self, double value) {
                std::vector<std::uint32_t> bits;
                const Bucket bucket = self.encode(value, 0, bits);
                return std::pair(to_numpy(std::move(bits)), bucket);
            },
            "value"_a);
    bind_state(bound);
}

template <class T>
void bind_adaptive_encoder(nb::module_& module, const char* name) {
    using P = AdaptiveScalarEncoderParameters;
    nb::class_<T> bound(module, name);
    bound.def(
        "__init__",
        [](T* self, std::uint32_t w, std::uint32_t n, std::optional<double> minimum, std::optional<double> maximum) {
            new (self) T(P{w, n, minimum, maximum});
        },
        nb::kw_only(), "w"_a, "n"_a, "minimum"_a.none(), "maximum"_a.none());
    bind_value_encoder(bound);
}

void bind_scalar_encoders(nb::module_& module) {
    nb::class_<ScalarEncoder> scalar(module, "ScalarEncoder");
    scalar
        .def(
            "__init__",
            [](ScalarEncoder* self, std::uint32_t w, double minimum, double maximum, bool periodic, bool clip,
               std::optional<std::uint32_t> n, std::optional<double> radius, std::optional<double> resolution) {
                new (self)
                    ScalarEncoder(ScalarEncoderParameters{w, minimum, maximum, periodic, clip, n, radius, resolution});
            },
            nb::kw_only(), "w"_a, "minimum"_a, "maximum"_a, "periodic"_a, "clip"_a, "n"_a.none(), "radius"_a.none(),
            "resolution"_a.none())
        .def("encodes", &ScalarEncoder::encodes, "value"_a);
    bind_value_encoder(scalar);
    bind_adaptive_encoder<AdaptiveScalarEncoder>(module, "AdaptiveScalarEncoder");
    bind_adaptive_encoder<DeltaEncoder>(module, "DeltaEncoder");
}

void bind_random_distributed_encoder(nb::module_& module) {
    using T = RandomDistributedScalarEncoder;
    nb::class_<T> bound(module, "RandomDistributedScalarEncoder");
    bound
        .def(
            "__init__",
            [](T* self, double resolution, std::uint32_t w, std::uint32_t n, std::uint64_t seed,
               std::optional<double> offset) {
                new (self) T(RandomDistributedScalarEncoderParameters{resolution, w, n, seed, offset});
            },
            nb::kw_only(), "resolution"_a, "w"_a, "n"_a, "seed"_a, "offset"_a.none())
        .def_prop_ro("first_bucket", &T::first_bucket)
        .def_prop_ro("last_bucket", &T::last_bucket)
        .def_prop_ro("offset", &T::offset)
        .def(
            "slots",
            [](const T& self, std::int32_t bucket) {
                if (bucket < self.first_bucket() || bucket > self.last_bucket())
                    throw nb::index_error("this bucket has no bits yet");
                return to_numpy(self.slots(bucket));
            },
            "bucket"_a);
    bind_value_encoder(bound);
}

void bind_date_encoder(nb::module_& module) {
    using P = DateEncoderParameters;
    using Part = std::pair<std::uint32_t, double>;
    using Day = std::tuple<std::int32_t, std::int32_t, std::int32_t>;
    nb::class_<DateEncoder> bound(module, "DateEncoder");
    bound
        .def(
            "__init__",
            [](DateEncoder* self, Part season, Part day_of_week, Part weekend, Part custom_days, Part holiday,
               Part time_of_day, std::vector<std::uint32_t> custom_weekdays, const std::vector<Day>& holidays) {
                const auto part = [](const Part& p) { return P::Part{p.first, p.second}; };
                P p;
                p.season = part(season);
                p.day_of_week = part(day_of_week);
                p.weekend = part(weekend);
                p.custom_days = part(custom_days);
                p.holiday = part(holiday);
                p.time_of_day = part(time_of_day);
                p.custom_weekdays = std::move(custom_weekdays);
                p.holidays.clear();
                for (const auto& [year, month, day] : holidays) p.holidays.push_back({year, month, day});
                new (self) DateEncoder(p);
            },
            nb::kw_only(), "season"_a, "day_of_week"_a, "weekend"_a, "custom_days"_a, "holiday"_a, "time_of_day"_a,
            "custom_weekdays"_a, "holidays"_a)
        .def_prop_ro("width", &DateEncoder::width)
        .def(
            "encode",
            [](const DateEncoder& self, double timestamp) {
                std::vector<std::uint32_t> bits;
                self.encode(timestamp, 0, bits);
                return to_numpy(std::move(bits));
            },
            "timestamp"_a);
    module.def(
        "civil_time",
        [](double timestamp) {
            if (!std::isfinite(timestamp)) throw std::invalid_argument("a timestamp must be finite");
            const CivilTime time = civil_time(timestamp);
            return std::tuple(time.year, time.month, time.day_of_month, time.day_of_year, time.weekday, time.second);
        },
        "timestamp"_a, "(year, month, day of month, day of year from 0, weekday from Monday = 0, second of the day)");
}

}  // namespace

void bind_encoders(nb::module_& module) {
    bind_random(module);
    bind_scalar_encoders(module);
    bind_random_distributed_encoder(module);
    bind_date_encoder(module);
}

}  // namespace htmengine
