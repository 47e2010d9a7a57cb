// The default model as bytes: saved, packed and copied.
#include <cmath>
#include <cstring>
#include <memory>

#include "common/huffman.hpp"
#include "default/default_model.hpp"

namespace htmengine {

std::vector<std::uint8_t> DefaultModel::save() const { return save_state<true>(*this); }

void DefaultModel::load(const std::uint8_t* data, std::size_t size) { restore_state<true>(*this, data, size); }

std::unique_ptr<Model> DefaultModel::clone() const { return std::make_unique<DefaultModel>(*this); }

/// The segments of its memory as bits, and all else coded as bytes, behind the number of these.
std::vector<std::uint8_t> DefaultModel::pack() const {
    BasicStateWriter<true, true> writer;
    fields(*this, writer);
    std::vector<std::uint8_t> bytes;
    bytes.reserve(32 << 10);
    const auto size = static_cast<std::uint32_t>(writer.bytes.size());
    bytes.resize(sizeof size);
    std::memcpy(bytes.data(), &size, sizeof size);
    encode_bytes(writer.bytes, bytes);
    memory_.pack_segments(bytes);
    return bytes;
}

void DefaultModel::unpack(const std::uint8_t* data, std::size_t size) {
    std::uint32_t others = 0;
    if (size < sizeof others) throw StateError("the block ends inside a field");
    std::memcpy(&others, data, sizeof others);
    std::size_t at = sizeof others;
    if (others / 8 > size) throw StateError("a field is longer than the block");
    std::vector<std::uint8_t> bytes(others);
    at += decode_bytes(data + at, size - at, bytes);
    BasicStateReader<true, true> reader(bytes.data(), bytes.size());
    fields(*this, reader);
    reader.finish();
    if (memory_.unpack_segments(data + at, size - at) != size - at)
        throw StateError("bytes are left over after the last field");
    restored();
}

std::size_t DefaultModel::memory() const {
    MemoryCounter counter;
    fields(*this, counter);
    return sizeof *this + counter.bytes + memory_.derived_memory() + columns_.capacity() * sizeof(std::uint32_t);
}

void DefaultModel::restored() {
    if (classifier_) classifier_->restored();
    resolution_.restored();
    memory_.restored();
    novelty_.restored();
    deviation_.restored();
    sequence_likelihood_.restored();
    jump_likelihood_.restored();
    frozen_.restored();
    odds_.restored();
    if (std::isnan(last_detection_) || !std::isfinite(peak_))
        throw StateError("the time or the peak of the last detection is out of range");
    if (since_alarm_ > combination_.quiet_records) throw StateError("more quiet records than the parameters allow");
}

}  // namespace htmengine
