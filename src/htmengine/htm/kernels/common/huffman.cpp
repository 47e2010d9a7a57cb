#include "common/huffman.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/bits.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

constexpr unsigned longest = 11;
constexpr std::size_t table_size = std::size_t{1} << longest;
constexpr std::size_t parts = 4;

using Lengths = std::array<std::uint8_t, 256>;
using Codes = std::array<std::uint16_t, 256>;

/// Lengths of the codes of symbols that occur so often; 0 for those that do not.
Lengths lengths_of(const std::array<std::uint32_t, 256>& counts) {
    struct Node {
        std::uint32_t count;
        std::int16_t parent;
    };
    std::array<std::uint8_t, 256> symbols;
    std::size_t used = 0;
    for (std::size_t symbol = 0; symbol < 256; ++symbol)
        if (counts[symbol] > 0) symbols[used++] = static_cast<std::uint8_t>(symbol);
    Lengths lengths{};
    if (used == 0) return lengths;
    if (used == 1) {
        lengths[symbols[0]] = 1;
        return lengths;
    }
    std::stable_sort(symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(used),
                     [&](std::uint8_t a, std::uint8_t b) { return counts[a] < counts[b]; });
    // Leaves come first, then inner nodes in the order in which they are made: both ascend, so the least is at a front.
    std::array<Node, 512> nodes;
    for (std::size_t i = 0; i < used; ++i) nodes[i] = {counts[symbols[i]], -1};
    std::size_t leaf = 0, inner = used, made = used;
    const auto least = [&] {
        return leaf < used && (inner == made || nodes[leaf].count <= nodes[inner].count) ? leaf++ : inner++;
    };
    while (made < 2 * used - 1) {
        const std::size_t a = least(), b = least();
        nodes[made] = {nodes[a].count + nodes[b].count, -1};
        nodes[a].parent = nodes[b].parent = static_cast<std::int16_t>(made);
        ++made;
    }
    std::array<unsigned, 512> depths;
    depths[made - 1] = 0;
    for (std::size_t i = made - 1; i-- > 0;) depths[i] = depths[static_cast<std::size_t>(nodes[i].parent)] + 1;
    // What is too long is cut, and what is frequent made longer until the code is one again. The rarest come first.
    std::size_t taken = 0;  // in units of the longest code
    for (std::size_t i = 0; i < used; ++i) {
        lengths[symbols[i]] = static_cast<std::uint8_t>(std::min(depths[i], longest));
        taken += table_size >> lengths[symbols[i]];
    }
    while (taken > table_size) {
        for (std::size_t i = 0; i < used && taken > table_size; ++i) {
            std::uint8_t& length = lengths[symbols[i]];
            if (length == longest) continue;
            ++length;
            taken -= table_size >> length;
        }
    }
    return lengths;
}

/// The codes of some lengths, their bits in the order in which they are read. Throws StateError when there are no such.
Codes codes_of(const Lengths& lengths) {
    std::array<unsigned, longest + 2> next{};
    std::array<unsigned, longest + 2> counts{};
    for (const std::uint8_t length : lengths) {
        if (length > longest) throw StateError("a code is too long");
        if (length > 0) ++counts[length];
    }
    unsigned code = 0;
    for (unsigned length = 1; length <= longest; ++length) {
        code = (code + counts[length - 1]) << 1;
        next[length] = code;
        if (code + counts[length] > (1u << length)) throw StateError("the lengths of codes fit no code");
    }
    Codes codes{};
    for (std::size_t symbol = 0; symbol < 256; ++symbol) {
        const unsigned length = lengths[symbol];
        if (length == 0) continue;
        unsigned reversed = 0;
        for (unsigned bit = 0, value = next[length]++; bit < length; ++bit, value >>= 1)
            reversed = reversed << 1 | (value & 1u);
        codes[symbol] = static_cast<std::uint16_t>(reversed);
    }
    return codes;
}

/// Where a part begins.
std::size_t start_of(std::size_t part, std::size_t count) { return part * ((count + parts - 1) / parts); }

}  // namespace

void encode_bytes(Span<const std::uint8_t> symbols, std::vector<std::uint8_t>& bytes) {
    if (symbols.empty()) return;
    std::array<std::uint32_t, 256> counts{};
    for (const std::uint8_t symbol : symbols) ++counts[symbol];
    const Lengths lengths = lengths_of(counts);
    const Codes codes = codes_of(lengths);
    std::size_t highest = 255;
    while (lengths[highest] == 0) --highest;
    // A symbol takes at most 11 bits, its length 4.
    const std::size_t begin = bytes.size();
    bytes.resize(begin + 1 + 128 + 4 * (parts - 1) + symbols.size() * longest / 8 + parts + 8);
    std::uint8_t* next = bytes.data() + begin;
    *next++ = static_cast<std::uint8_t>(highest);
    BitWriter table(next);
    for (std::size_t symbol = 0; symbol <= highest; ++symbol) table.put(lengths[symbol], 4);
    next = table.finish();
    std::uint8_t* sizes = next;  // of all parts but the last: that follows from its bits
    next += 4 * (parts - 1);
    for (std::size_t part = 0; part < parts; ++part) {
        BitWriter writer(next);
        const std::size_t end = std::min(start_of(part + 1, symbols.size()), symbols.size());
        for (std::size_t i = std::min(start_of(part, symbols.size()), end); i < end; ++i)
            writer.put(codes[symbols[i]], lengths[symbols[i]]);
        const auto size = static_cast<std::uint32_t>(writer.finish() - next);
        next = writer.finish();
        if (part + 1 == parts) break;
        std::memcpy(sizes, &size, 4);
        sizes += 4;
    }
    bytes.resize(static_cast<std::size_t>(next - bytes.data()));
}

std::size_t decode_bytes(const std::uint8_t* data, std::size_t size, Span<std::uint8_t> symbols) {
    if (symbols.empty()) return 0;
    if (size < 1) throw StateError("the block ends inside a field");
    Lengths lengths{};
    BitReader table_reader(data + 1, size - 1);
    for (std::size_t symbol = 0; symbol <= data[0]; ++symbol)
        lengths[symbol] = static_cast<std::uint8_t>(table_reader.take(4));
    std::size_t at = 1 + table_reader.finish();
    const Codes codes = codes_of(lengths);

    struct Entry {
        std::uint8_t symbol = 0;
        std::uint8_t length = 0;  // 0: no code begins like this
    };
    std::array<Entry, table_size> table{};
    for (std::size_t symbol = 0; symbol < 256; ++symbol)
        if (const unsigned length = lengths[symbol])
            for (std::size_t code = codes[symbol]; code < table_size; code += std::size_t{1} << length)
                table[code] = {static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(length)};

    if (size - at < 4 * (parts - 1)) throw StateError("the block ends inside a field");
    std::array<std::uint32_t, parts - 1> sizes;
    std::memcpy(sizes.data(), data + at, sizeof sizes);
    at += sizeof sizes;
    std::array<const std::uint8_t*, parts> begins;
    std::array<std::size_t, parts> rooms;
    for (std::size_t part = 0; part < parts; ++part) {
        begins[part] = data + at;
        rooms[part] = part + 1 < parts ? sizes[part] : size - at;
        if (rooms[part] > size - at) throw StateError("a field is longer than the block");
        if (part + 1 < parts) at += rooms[part];
    }
    const std::size_t count = symbols.size();
    std::array<std::size_t, parts> places, ends;
    for (std::size_t part = 0; part < parts; ++part) {
        ends[part] = std::min(start_of(part + 1, count), count);
        places[part] = std::min(start_of(part, count), ends[part]);
    }
    std::array<BitReader, parts> readers{BitReader(begins[0], rooms[0]), BitReader(begins[1], rooms[1]),
                                         BitReader(begins[2], rooms[2]), BitReader(begins[3], rooms[3])};
    unsigned shortest = 1;  // 0 once bits were met that are no code
    const auto decode = [&](std::size_t part) {
        const Entry entry = table[readers[part].peek() & (table_size - 1)];
        shortest = std::min<unsigned>(shortest, entry.length);
        symbols[places[part]++] = entry.symbol;
        readers[part].skip(entry.length);
    };
    // Five codes of each part fit what a reader holds.
    const std::size_t whole = (ends[3] - places[3]) / 5;  // the last part is the shortest
    for (std::size_t i = 0; i < whole; ++i) {
        for (unsigned j = 0; j < 5; ++j)
            for (std::size_t part = 0; part < parts; ++part) decode(part);
        for (std::size_t part = 0; part < parts; ++part) readers[part].fill();
    }
    for (std::size_t part = 0; part < parts; ++part) {
        while (places[part] < ends[part]) {
            decode(part);
            readers[part].fill();
        }
    }
    if (shortest == 0) throw StateError("bits that are no code");
    for (std::size_t part = 0; part + 1 < parts; ++part)
        if (readers[part].finish() != rooms[part]) throw StateError("bytes are left over after a field");
    return at + readers[parts - 1].finish();
}

}  // namespace htmengine
