// Several encoders side by side: a sample becomes one list of active bits.
//
// Source: reference "HTM scalar anomaly models", section 4.5; golden vectors nab_encoding_nyc_taxi.csv.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "nupic/date_encoder.hpp"
#include "nupic/random_distributed_encoder.hpp"
#include "nupic/scalar_encoder.hpp"

namespace htmengine {

struct Sample {
    double timestamp;  // seconds since the epoch, UTC
    double value;      // in the metric's unit; NaN if missing
};

using Encoder = std::variant<DateEncoder, RandomDistributedScalarEncoder, ScalarEncoder, AdaptiveScalarEncoder,
                             DeltaEncoder>;

class MultiEncoder {
   public:
    struct Field {
        std::string name;
        Encoder encoder;
    };

    /// Bits are laid out in the order of `fields`. Throws std::invalid_argument when there are none, when a name
    /// occurs twice, or when all together are wider than max_encoder_width.
    explicit MultiEncoder(std::vector<Field> fields);

    std::uint32_t width() const { return width_; }

    /// Replaces `bits` by the active bits of `sample`, ascending. Date encoders take the timestamp, all others the
    /// value. Returns the bucket of the first value encoder; none when its value is missing or there is no such encoder.
    std::optional<std::uint32_t> encode(const Sample& sample, std::vector<std::uint32_t>& bits);

    /// Whether a field takes the value.
    bool has_value_field() const;

    std::size_t field_count() const { return fields_.size(); }
    const std::string& name(std::size_t i) const { return fields_[i].name; }

    /// The first bit of field `i`.
    std::uint32_t first_bit(std::size_t i) const { return first_bits_[i]; }

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        for (auto& field : self.fields_) std::visit([&](auto& encoder) { archive(encoder); }, field.encoder);
    }

    /// Throws StateError when the state of a field does not fit its parameters.
    void restored();

   private:
    std::vector<Field> fields_;
    std::vector<std::uint32_t> first_bits_;
    std::uint32_t width_ = 0;
};

}  // namespace htmengine
