// How a kernel's state becomes bytes and comes back.
//
// A stateful class lists its fields once, for both directions:
//
//     template <class Self, class Archive>
//     static void fields(Self& self, Archive& archive) { archive(self.iteration_, self.permanences_); }
//
// Parameters are not state: an object is built from its parameters first, then reads its state into place.
// What can be derived (reverse indices, bit masks) is left out and rebuilt by `restored()`, which also checks
// sizes and index ranges and throws StateError, so that no block of bytes can lead to a read out of bounds.
//
// There are two layouts. In the plain one every number takes its own size. In the compact one, vectors of whole numbers
// of 16 bits or more are written as variable-length numbers (LEB128: seven bits a byte, lowest first), which are fewer
// bytes and compress better; a class may list other fields for it (`if constexpr (Archive::compact)`). A packed state is
// in the compact layout, but that the segments of a memory are not in it (`if constexpr (Archive::packs)`): they are
// written apart, as bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace htmengine {

/// The bytes are not the state of an object with these parameters.
class StateError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Vectors of these are variable-length numbers in the compact layout.
template <class T>
constexpr bool is_wide_whole = std::is_unsigned_v<T> && !std::is_same_v<T, bool> && (sizeof(T) > 1);

/// Appends fields to a block of bytes: little-endian, without padding, vectors behind their length (64 bits).
template <bool in_compact_layout, bool for_packing = false>
class BasicStateWriter {
   public:
    static constexpr bool compact = in_compact_layout;
    static constexpr bool packs = for_packing;
    static constexpr bool writes = true;

    template <class... Fields>
    void operator()(const Fields&... fields) {
        (write(fields), ...);
    }

    std::vector<std::uint8_t> bytes;

   private:
    template <class T>
    void write(const T& field) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
            append(&field, sizeof field);
        } else {
            T::fields(field, *this);
        }
    }

    template <class T>
    void write(const std::vector<T>& items) {
        write(static_cast<std::uint64_t>(items.size()));
        if constexpr (compact && is_wide_whole<T>) {
            for (const T item : items) append_number(item);
        } else if constexpr (std::is_arithmetic_v<T>) {
            append(items.data(), items.size() * sizeof(T));
        } else {
            for (const T& item : items) write(item);
        }
    }

    template <class T>
    void write(const std::optional<T>& item) {
        write(static_cast<std::uint8_t>(item.has_value()));
        if (item) write(*item);
    }

    void append_number(std::uint64_t number) {
        for (; number >= 128; number >>= 7) bytes.push_back(static_cast<std::uint8_t>(number | 128));
        bytes.push_back(static_cast<std::uint8_t>(number));
    }

    void append(const void* data, std::size_t size) {
        if (size == 0) return;
        const std::size_t end = bytes.size();
        bytes.resize(end + size);
        std::memcpy(bytes.data() + end, data, size);
    }
};

/// Reads fields back in the order in which BasicStateWriter wrote them. Throws StateError when bytes are missing.
template <bool in_compact_layout, bool for_packing = false>
class BasicStateReader {
   public:
    static constexpr bool compact = in_compact_layout;
    static constexpr bool packs = for_packing;
    static constexpr bool writes = false;

    BasicStateReader(const std::uint8_t* data, std::size_t size) : next_(data), left_(size) {}

    template <class... Fields>
    void operator()(Fields&... fields) {
        (read(fields), ...);
    }

    /// Throws StateError unless every byte was read.
    void finish() const {
        if (left_ != 0) throw StateError("bytes are left over after the last field");
    }

   private:
    template <class T>
    void read(T& field) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
            take(&field, sizeof field);
        } else {
            T::fields(field, *this);
        }
    }

    template <class T>
    void read(std::vector<T>& items) {
        std::uint64_t count = 0;
        read(count);
        if (count > left_) throw StateError("a field is longer than the block");
        if constexpr (compact && is_wide_whole<T>) {
            items.resize(static_cast<std::size_t>(count));
            for (T& item : items) item = take_number<T>();
        } else if constexpr (std::is_arithmetic_v<T>) {
            if (count * sizeof(T) > left_) throw StateError("a field is longer than the block");
            items.resize(static_cast<std::size_t>(count));
            take(items.data(), items.size() * sizeof(T));
        } else {
            items.resize(static_cast<std::size_t>(count));
            for (T& item : items) read(item);
        }
    }

    template <class T>
    void read(std::optional<T>& item) {
        std::uint8_t present = 0;
        read(present);
        if (present > 1) throw StateError("the mark of an optional field is neither 0 nor 1");
        item.reset();
        if (present == 1) read(item.emplace());
    }

    template <class T>
    T take_number() {
        std::uint64_t number = 0;
        std::uint8_t byte = 128;
        for (unsigned shift = 0; byte >= 128; shift += 7) {
            take(&byte, 1);
            const std::uint64_t bits = byte & 127u;
            if (shift > 63 || (bits << shift) >> shift != bits) throw StateError("a number is too long");
            number |= bits << shift;
        }
        if (number > std::numeric_limits<T>::max()) throw StateError("a number is too large for its field");
        return static_cast<T>(number);
    }

    void take(void* field, std::size_t size) {
        if (size > left_) throw StateError("the block ends inside a field");
        if (size == 0) return;
        std::memcpy(field, next_, size);
        next_ += size;
        left_ -= size;
    }

    const std::uint8_t* next_;
    std::size_t left_;
};

/// Counts the bytes of memory that the fields of an object take beside the object itself.
class MemoryCounter {
   public:
    static constexpr bool compact = false;
    static constexpr bool packs = false;
    static constexpr bool writes = true;

    template <class... Fields>
    void operator()(const Fields&... fields) {
        (count(fields), ...);
    }

    std::size_t bytes = 0;

   private:
    static constexpr std::size_t of_an_allocation = 16;  // what the C library keeps of each

    template <class T>
    void count(const T& field) {
        if constexpr (!std::is_arithmetic_v<T> && !std::is_enum_v<T>) T::fields(field, *this);
    }

    template <class T>
    void count(const std::vector<T>& items) {
        if (items.capacity() > 0) bytes += items.capacity() * sizeof(T) + of_an_allocation;
        if constexpr (!std::is_arithmetic_v<T>)
            for (const T& item : items) count(item);
    }

    template <class T>
    void count(const std::optional<T>& item) {
        if (item) count(*item);
    }
};

using StateWriter = BasicStateWriter<false>;
using StateReader = BasicStateReader<false>;

/// The state of `object` as bytes.
template <bool compact = false, class T>
std::vector<std::uint8_t> save_state(const T& object) {
    BasicStateWriter<compact> writer;
    T::fields(object, writer);
    return std::move(writer.bytes);
}

/// Puts saved state into `object`, which must have been built from the same parameters. Throws StateError and
/// leaves `object` as it was when the bytes do not fit.
template <bool compact = false, class T>
void restore_state(T& object, const std::uint8_t* data, std::size_t size) {
    T restored = object;
    BasicStateReader<compact> reader(data, size);
    T::fields(restored, reader);
    reader.finish();
    restored.restored();
    object = std::move(restored);
}

}  // namespace htmengine
