#include "nupic/encoders.hpp"

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace htmengine {

MultiEncoder::MultiEncoder(std::vector<Field> fields) : fields_(std::move(fields)) {
    if (fields_.empty()) throw std::invalid_argument("a multi encoder needs at least one field");
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j)
            if (fields_[i].name == fields_[j].name)
                throw std::invalid_argument("two fields have the name \"" + fields_[i].name + "\"");
        first_bits_.push_back(width_);
        width_ += std::visit([](const auto& encoder) { return encoder.width(); }, fields_[i].encoder);
        if (width_ > max_encoder_width)
            throw std::invalid_argument("the fields are together wider than " + std::to_string(max_encoder_width) +
                                        " bits");
    }
}

std::optional<std::uint32_t> MultiEncoder::encode(const Sample& sample, std::vector<std::uint32_t>& bits) {
    bits.clear();
    std::optional<std::uint32_t> value_bucket;
    bool value_encoded = false;
    for (std::size_t i = 0; i < fields_.size(); ++i)
        std::visit(
            [&](auto& encoder) {
                if constexpr (std::is_same_v<std::decay_t<decltype(encoder)>, DateEncoder>) {
                    encoder.encode(sample.timestamp, first_bits_[i], bits);
                } else {
                    const auto bucket = encoder.encode(sample.value, first_bits_[i], bits);
                    if (!value_encoded) value_bucket = bucket;
                    value_encoded = true;
                }
            },
            fields_[i].encoder);
    return value_bucket;
}

bool MultiEncoder::has_value_field() const {
    return std::any_of(fields_.begin(), fields_.end(), [](const Field& field) {
        return !std::holds_alternative<DateEncoder>(field.encoder);
    });
}

void MultiEncoder::restored() {
    for (Field& field : fields_) std::visit([](auto& encoder) { encoder.restored(); }, field.encoder);
}

}  // namespace htmengine
