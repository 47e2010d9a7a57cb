// Rows of a metric as a block of bytes: everything but the deflation of its body, for which zlib is there.
//
// Shapes: n rows. A column is reduced to whole numbers that say little, or left out where it follows from others; the bytes
// of its numbers are put together by their place in the number ("planes"). A plane that looks like noise is kept apart, since
// nothing could be gained from it. The description, in MessagePack, says of each column how it is read and which arrays it
// has. The twin in tests/reference/row_block.py gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/span.hpp"

namespace htmengine {

/// The columns of a block in the order in which they are described: each behind those from which it follows.
enum class RowColumn : std::uint8_t {
    time,
    value,
    raw_anomaly_score,
    sequence_score,
    novelty_score,
    log_score,
    anomaly_score,
    display_value,
    forecast,
    usual_low,
    usual_high,
    digest,
    texts,
};

constexpr std::size_t row_columns = 13;
/// Those of them that are real numbers: all between `time` and `digest`.
constexpr std::size_t real_columns = 10;

/// Rows as they are given to a block. NaN is NULL; in a digest, which is not negative, -1 is.
struct RowsInColumns {
    Span<const std::int64_t> times;    // (n,) seconds since the epoch
    Span<const std::int64_t> digests;  // (n,)
    Span<const double> reals;          // (real_columns * n,) column by column
};

/// A block whose body is not deflated yet.
struct PackedRows {
    std::vector<std::uint8_t> body;  // the description, then the planes
    std::size_t described;           // how many bytes of the body are the description
    std::vector<std::uint8_t> noise;
};

/// Packs rows, at least one. `texts_how` says how the last column is read; its array is `texts`, or it has none if that is empty.
PackedRows pack_rows(const RowsInColumns& rows, Span<const std::uint8_t> texts_how, Span<const std::uint8_t> texts);

/// Reads what `pack_rows` has made. Nothing is changed after construction, so that threads may share it.
class RowBlock {
   public:
    using Integers = std::vector<std::int64_t>;
    using Reals = std::vector<double>;
    using Column = std::variant<Reals, Integers>;

    /// Throws StateError where the bytes are none.
    RowBlock(std::vector<std::uint8_t> body, std::size_t described, std::vector<std::uint8_t> noise);

    std::size_t rows() const { return rows_; }

    /// Returns columns of n numbers, each with all its bits; `texts` is none of them. Throws StateError.
    std::vector<Column> columns(Span<const RowColumn> wanted) const;

    /// How the texts are read, and their array; see `pack_rows`.
    std::vector<std::uint8_t> texts_how() const;
    std::vector<std::uint8_t> texts() const;

   private:
    friend class RowReader;

    struct Array {
        std::uint8_t type;
        std::size_t length;
        std::uint8_t noisy;  // a bit for each of its planes
        std::size_t at, at_noise;
    };
    struct Described {
        std::size_t how, how_end;  // where in the body
        std::vector<Array> arrays;
    };

    std::vector<std::uint8_t> body_, noise_;
    std::vector<Described> columns_;
    std::size_t rows_ = 0;
};

}  // namespace htmengine
