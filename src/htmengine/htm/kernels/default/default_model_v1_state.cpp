// The first version of the default model as bytes.
#include "default/default_model_v1.hpp"

namespace htmengine {

std::vector<std::uint8_t> DefaultModelV1::save() const { return save_state(*this); }

void DefaultModelV1::load(const std::uint8_t* data, std::size_t size) { restore_state(*this, data, size); }

void DefaultModelV1::restored() {
    if (classifier_) classifier_->restored();
    scale_.restored();
    memory_.restored();
    novelty_.restored();
    deviation_.restored();
    sequence_likelihood_.restored();
    jump_likelihood_.restored();
    if (since_alarm_ > combination_.quiet_records) throw StateError("more quiet records than the parameters allow");
}

}  // namespace htmengine
