// Bytes by their frequency: a canonical Huffman code of at most 11 bits.
//
// Four parts of the bytes lie one after the other, so that four of them are decoded at a time.
// Source: Huffman (1952), doi:10.1109/JRPROC.1952.273898; canonical: Schwartz and Kallick (1964),
// doi:10.1145/363958.363991.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/span.hpp"

namespace htmengine {

/// Appends bytes in their code, and what is needed to read them but for their number.
void encode_bytes(Span<const std::uint8_t> symbols, std::vector<std::uint8_t>& bytes);

/// Reads as many bytes as there is room for and returns how many the code took. Throws StateError when it is none.
std::size_t decode_bytes(const std::uint8_t* data, std::size_t size, Span<std::uint8_t> symbols);

}  // namespace htmengine
