// Bindings of the encoder of several fields.
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/bindings.hpp"
#include "nupic/encoders.hpp"

namespace htmengine {

using namespace nb::literals;

namespace {

/// A copy of the encoder inside a Python object of one of the types of `Encoder`.
template <std::size_t i = 0>
Encoder to_encoder(nb::handle object) {
    if constexpr (i == std::variant_size_v<Encoder>) {
        throw nb::type_error("a field of a multi encoder is no encoder");
    } else {
        using T = std::variant_alternative_t<i, Encoder>;
        if (nb::isinstance<T>(object)) return nb::cast<const T&>(object);
        return to_encoder<i + 1>(object);
    }
}

}  // namespace

void bind_multi_encoder(nb::module_& module) {
    nb::class_<MultiEncoder> bound(module, "MultiEncoder");
    bound
        .def(
            "__init__",
            [](MultiEncoder* self, const std::vector<std::pair<std::string, nb::object>>& fields) {
                std::vector<MultiEncoder::Field> copies;
                for (const auto& [name, encoder] : fields) copies.push_back({name, to_encoder(encoder)});
                new (self) MultiEncoder(std::move(copies));
            },
            "fields"_a)
        .def_prop_ro("width", &MultiEncoder::width)
        .def_prop_ro("first_bits",
                     [](const MultiEncoder& self) {
                         std::vector<std::pair<std::string, std::uint32_t>> first_bits;
                         for (std::size_t i = 0; i < self.field_count(); ++i)
                             first_bits.emplace_back(self.name(i), self.first_bit(i));
                         return first_bits;
                     })
        .def(
            "encode",
            [](MultiEncoder& self, double timestamp, double value) {
                std::vector<std::uint32_t> bits;
                const std::optional<std::uint32_t> bucket = self.encode({timestamp, value}, bits);
                return std::pair(to_numpy(std::move(bits)), bucket);
            },
            "timestamp"_a, "value"_a);
    bind_state(bound);
}

}  // namespace htmengine
