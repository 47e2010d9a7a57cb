// A model of NuPIC as bytes.
#include "nupic/nupic_model.hpp"

namespace htmengine {

std::vector<std::uint8_t> NupicModel::save() const { return save_state(*this); }

void NupicModel::load(const std::uint8_t* data, std::size_t size) { restore_state(*this, data, size); }

void NupicModel::restored() {
    if (classifier_) classifier_->restored();
    encoder_.restored();
    pooler_.restored();
    likelihood_.restored();
    std::visit([](auto& memory) { memory.restored(); }, memory_);
}

}  // namespace htmengine
