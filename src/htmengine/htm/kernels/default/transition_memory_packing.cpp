// The segments of a memory as few bits. In this order:
//
// - how many there are (16 bits); by segment the number of its synapses, its place in the list of its column, and the
//   number of bits of its age, each coded as bytes; places of 255 and above again as 16 bits;
// - the permanences, coded as bytes;
// - bits: by segment its column and the lower bits of its age; then by age the sources of its synapses.
//
// Segments that were used at the same time have learned the same columns. So the sources of a segment are told by one of
// those that come shortly before it: which of its sources it shares, and the others as gaps, by Golomb's code with
// powers of two (Rice, 1979). The permanences are in the order of the sources.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "common/bits.hpp"
#include "common/huffman.hpp"
#include "common/state.hpp"
#include "default/transition_memory.hpp"

namespace htmengine {

namespace {

constexpr std::size_t recent = 8;  // segments of which one may tell of the next
constexpr unsigned worth_telling = 4;  // shared sources from which it is shorter
constexpr unsigned column_bits = 10;
constexpr unsigned permanence_bits = 6;
constexpr std::uint32_t highest_permanence = (1u << permanence_bits) - 1;
constexpr std::size_t most_columns = 1u << column_bits;
constexpr std::size_t most_synapses = TransitionMemory::synapses_per_segment;
constexpr std::uint8_t far_place = 255;
constexpr unsigned longest_quotient = 32;  // of 1023 by 2^5, where a segment tells 16 gaps

unsigned bits_of(std::uint32_t number) {
    unsigned bits = 0;
    for (; number > 0; number >>= 1) ++bits;
    return bits;
}

/// Bits of the remainder of a gap between so many columns.
unsigned remainder_bits(std::size_t gaps) {
    const auto mean = static_cast<std::uint32_t>(710 / (gaps + 1));  // times the logarithm of 2
    return mean > 1 ? bits_of(mean) - 1 : 0;
}

/// The sources of the segments that came last.
class RecentSources {
   public:
    struct Sources {
        std::array<std::uint16_t, most_synapses + 1> columns;  // one more, so that it can be written before it is counted
        std::size_t count = 0;
    };

    const Sources& operator[](std::size_t slot) const { return rings_[slot]; }

    /// Counts for each slot the sources that are among these: a byte for each.
    std::uint64_t shared(const std::uint16_t* columns, std::size_t count) const {
        std::uint64_t counts = 0;
        for (std::size_t i = 0; i < count; ++i) counts += spread(members_[columns[i]]);
        return counts;
    }

    void push(const Sources& sources) {
        const auto bit = static_cast<std::uint8_t>(1u << next_);
        Sources& oldest = rings_[next_];
        for (std::size_t i = 0; i < oldest.count; ++i)
            members_[oldest.columns[i]] = static_cast<std::uint8_t>(members_[oldest.columns[i]] & ~bit);
        oldest = sources;
        for (std::size_t i = 0; i < oldest.count; ++i)
            members_[oldest.columns[i]] = static_cast<std::uint8_t>(members_[oldest.columns[i]] | bit);
        next_ = (next_ + 1) % recent;
    }

   private:
    /// A bit in each byte of eight.
    static std::uint64_t spread(std::uint8_t bits) {
        // Each byte keeps one bit of its own, and is 1 if it is set.
        const std::uint64_t own = (bits * 0x0101010101010101u) & 0x8040201008040201u;
        return ((own + 0x7f7f7f7f7f7f7f7fu) >> 7) & 0x0101010101010101u;
    }

    std::array<Sources, recent> rings_;
    std::array<std::uint8_t, most_columns> members_{};  // per column: a bit for each slot that has it
    std::size_t next_ = 0;
};

}  // namespace

/// The segments in the order in which they were used, and by number among those of one step.
std::vector<std::uint16_t> TransitionMemory::by_age() const {
    // By radix, since this is done often. What is older than 65535 steps is in no order.
    const std::size_t segments = owners_.size();
    std::vector<std::uint16_t> keys(segments), order(segments), other(segments);
    for (std::size_t s = 0; s < segments; ++s) {
        keys[s] = static_cast<std::uint16_t>(std::min<std::uint32_t>(step_ - last_used_[s], 0xffff));
        other[s] = static_cast<std::uint16_t>(s);
    }
    for (const unsigned shift : {0u, 8u}) {
        std::array<std::uint32_t, 257> firsts{};
        for (const std::uint16_t key : keys) ++firsts[(key >> shift & 255u) + 1u];
        for (std::size_t i = 0; i < 256; ++i) firsts[i + 1] += firsts[i];
        for (const std::uint16_t s : other) order[firsts[keys[s] >> shift & 255u]++] = s;
        order.swap(other);
    }
    return other;
}

void TransitionMemory::pack_segments(std::vector<std::uint8_t>& bytes) const {
    const std::size_t segments = owners_.size();
    const auto append_short = [&](std::size_t number) {
        bytes.push_back(static_cast<std::uint8_t>(number & 255u));
        bytes.push_back(static_cast<std::uint8_t>(number >> 8));
    };
    append_short(segments);
    encode_bytes(synapse_counts_, bytes);
    const std::vector<std::uint16_t> all_places = places();
    std::vector<std::uint8_t> symbols(segments);
    for (std::size_t s = 0; s < segments; ++s)
        symbols[s] = static_cast<std::uint8_t>(std::min<std::uint16_t>(all_places[s], far_place));
    encode_bytes(symbols, bytes);
    for (const std::uint16_t place : all_places)
        if (place >= far_place) append_short(place);
    for (std::size_t s = 0; s < segments; ++s) symbols[s] = static_cast<std::uint8_t>(bits_of(step_ - last_used_[s]));
    encode_bytes(symbols, bytes);

    // A segment takes at most 10 bits for its column, 31 for its age, 20 to be told of, and 40 for each synapse.
    const std::unique_ptr<std::uint8_t[]> bits(new std::uint8_t[segments * 96 + 8]);
    const std::unique_ptr<std::uint8_t[]> permanences(new std::uint8_t[segments * most_synapses + 1]);
    std::size_t written = 0;  // permanences
    BitWriter writer(bits.get());
    for (std::size_t s = 0; s < segments; ++s) {
        const unsigned low = std::max<unsigned>(symbols[s], 1) - 1;  // the highest bit is one
        const std::uint64_t age = (step_ - last_used_[s]) & ((std::uint64_t{1} << low) - 1);
        writer.put(owners_[s] | age << column_bits, column_bits + low);
    }
    RecentSources past;
    std::array<std::uint8_t, most_columns> strengths{};  // of the segment's synapses, by column
    for (const std::uint16_t s : by_age()) {
        const std::uint16_t* synapses = &synapses_[s * most_synapses];
        const std::size_t count = synapse_counts_[s];
        std::array<std::uint16_t, most_synapses> columns;
        for (std::size_t i = 0; i < count; ++i) {
            columns[i] = static_cast<std::uint16_t>(synapses[i] >> permanence_bits);
            strengths[columns[i]] = static_cast<std::uint8_t>(synapses[i] & highest_permanence);
        }
        const std::uint64_t shared = past.shared(columns.data(), count);
        std::size_t best = 0;
        std::uint64_t most = 0;
        for (std::size_t slot = 0; slot < recent; ++slot) {
            const std::uint64_t number = shared >> (8 * slot) & 255u;
            if (number > most) {
                most = number;
                best = slot;
            }
        }
        RecentSources::Sources own;
        // Without branches: no processor foresees which sources are shared.
        std::size_t told = 0;
        const auto add_if_there = [&](std::uint16_t column) {
            const bool there = strengths[column] > 0;
            own.columns[told] = column;
            permanences[written] = strengths[column];
            told += there;
            written += there;
            strengths[column] = 0;
            return there;
        };
        if (most < worth_telling) {
            writer.put(0, 1);
        } else {
            const auto& other = past[best];
            std::uint32_t mask = 0;
            for (std::size_t i = 0; i < other.count; ++i)
                mask |= static_cast<std::uint32_t>(add_if_there(other.columns[i])) << i;
            writer.put(1u | best << 1 | std::uint64_t{mask} << 4, 4 + static_cast<unsigned>(other.count));
        }
        std::size_t rest = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t column = columns[i];
            columns[rest] = column;
            rest += strengths[column] > 0;
        }
        for (std::size_t i = 1; i < rest; ++i) {
            const std::uint16_t column = columns[i];
            std::size_t place = i;
            for (; place > 0 && columns[place - 1] > column; --place) columns[place] = columns[place - 1];
            columns[place] = column;
        }
        const unsigned low = remainder_bits(rest);
        std::uint32_t expected = 0;
        for (std::size_t i = 0; i < rest; ++i) {
            const std::uint32_t gap = columns[i] - expected;
            const unsigned quotient = gap >> low;
            const std::uint64_t code = std::uint64_t{1} | (gap & ((1u << low) - 1)) << 1;
            writer.put(code << quotient, quotient + 1 + low);
            expected = columns[i] + 1u;
            add_if_there(columns[i]);
        }
        own.count = told;
        past.push(own);
    }
    encode_bytes({permanences.get(), written}, bytes);
    bytes.insert(bytes.end(), bits.get(), writer.finish());
}

std::size_t TransitionMemory::unpack_segments(const std::uint8_t* data, std::size_t size) {
    std::size_t at = 0;
    const auto take_short = [&] {
        if (size - at < 2) throw StateError("the block ends inside a field");
        at += 2;
        return static_cast<std::uint16_t>(data[at - 2] | data[at - 1] << 8);
    };
    const std::size_t segments = take_short();
    if (segments > parameters_.max_segments) throw StateError("more segments than the parameters allow");
    const auto decode = [&](std::vector<std::uint8_t>& symbols) { at += decode_bytes(data + at, size - at, symbols); };
    synapse_counts_.resize(segments);
    decode(synapse_counts_);
    std::vector<std::uint8_t> symbols(segments);
    decode(symbols);
    std::vector<std::uint16_t> all_places(symbols.begin(), symbols.end());
    for (std::uint16_t& place : all_places)
        if (place == far_place) place = take_short();
    decode(symbols);
    std::size_t synapse_total = 0;
    for (const std::uint8_t count : synapse_counts_) {
        if (count > most_synapses) throw StateError("a segment has too many synapses");
        synapse_total += count;
    }
    std::vector<std::uint8_t> permanences(synapse_total);
    decode(permanences);
    for (const std::uint8_t strength : permanences)
        if (strength < 1 || strength > highest_permanence) throw StateError("a permanence is out of range");

    BitReader reader(data + at, size - at);
    owners_.resize(segments);
    last_used_.resize(segments);
    for (std::size_t s = 0; s < segments; ++s) {
        owners_[s] = static_cast<std::uint16_t>(reader.take(column_bits));
        if (owners_[s] >= parameters_.columns) throw StateError("a segment names a column that does not exist");
        if (symbols[s] > 32) throw StateError("an age is out of range");
        std::uint32_t age = symbols[s] > 0;
        if (symbols[s] > 1) age = 1u << (symbols[s] - 1) | reader.take(symbols[s] - 1u);
        if (age > step_) throw StateError("a segment was used before the first step");
        last_used_[s] = step_ - age;
    }
    synapses_.resize(segments * most_synapses);
    std::array<RecentSources::Sources, recent> past;
    std::size_t next = 0;  // permanence
    std::size_t turn = 0;
    for (const std::uint16_t s : by_age()) {
        RecentSources::Sources own;
        const std::size_t count = synapse_counts_[s];
        if (reader.take(1)) {
            const auto& other = past[reader.take(3)];
            const std::uint32_t mask = reader.take(static_cast<unsigned>(other.count));
            std::size_t shared = 0;  // a local number, which stays in a register
            for (std::size_t i = 0; i < other.count; ++i) {
                own.columns[shared] = other.columns[i];
                shared += mask >> i & 1u;
            }
            own.count = shared;
            if (own.count > count) throw StateError("a segment has too many synapses");
        }
        const unsigned low = remainder_bits(count - own.count);
        std::uint32_t column = 0;
        while (own.count < count) {
            unsigned quotient = 0;
            for (std::uint64_t bits = reader.peek(); (bits & 1u) == 0; bits >>= 1)
                if (++quotient > longest_quotient) throw StateError("a synapse names a column that does not exist");
            reader.skip(quotient + 1);
            column += (quotient << low) + reader.take(low);
            if (column >= parameters_.columns) throw StateError("a synapse names a column that does not exist");
            own.columns[own.count++] = static_cast<std::uint16_t>(column++);
        }
        for (std::size_t i = 0; i < count; ++i)
            synapses_[s * most_synapses + i] =
                static_cast<std::uint16_t>(own.columns[i] << permanence_bits | permanences[next++]);
        past[turn] = own;
        turn = (turn + 1) % recent;
    }
    at += reader.finish();
    link(all_places);
    return at;
}

std::size_t TransitionMemory::derived_memory() const {
    return (heads_.capacity() + candidates_.capacity()) * sizeof(std::uint16_t) + was_active_.capacity();
}

}  // namespace htmengine
