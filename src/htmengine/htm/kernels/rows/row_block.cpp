#include "rows/row_block.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "common/likelihood.hpp"
#include "common/state.hpp"
#include "rows/shared.hpp"

namespace htmengine {

using namespace rows_shared;

namespace {

[[noreturn]] void damaged(const char* what) { throw StateError(std::string("a block of rows is damaged: ") + what); }

/// Reads MessagePack, of which it knows what descriptions have.
class DescriptionReader {
   public:
    DescriptionReader(const std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t end)
        : bytes_(bytes), at_(at), end_(end) {}

    std::size_t at() const { return at_; }

    std::size_t array() {
        const std::uint8_t head = next();
        if ((head & 0xF0) == 0x90) return head & 0x0F;
        if (head == 0xDC) return big_endian(2);
        if (head == 0xDD) return big_endian(4);
        damaged("no list where one belongs");
    }
    void array(std::size_t items) {
        if (array() != items) damaged("a list has another length");
    }
    std::int64_t integer() {
        const std::uint8_t head = next();
        if (head < 0x80 || head >= 0xE0) return static_cast<std::int8_t>(head);
        if (head >= 0xCC && head <= 0xCF) return static_cast<std::int64_t>(big_endian(std::size_t{1} << (head - 0xCC)));
        if (head < 0xD0 || head > 0xD3) damaged("no number where one belongs");
        const std::size_t size = std::size_t{1} << (head - 0xD0);
        const std::size_t unused = 64 - 8 * size;
        return static_cast<std::int64_t>(big_endian(size) << unused) >> unused;
    }
    std::size_t natural() {
        const std::int64_t number = integer();
        if (number < 0) damaged("a negative length");
        return static_cast<std::size_t>(number);
    }
    std::string text() {
        const std::uint8_t head = next();
        if ((head & 0xE0) != 0xA0) damaged("no word where one belongs");
        const std::size_t begin = take(head & 0x1F);
        return {bytes_.begin() + static_cast<std::ptrdiff_t>(begin), bytes_.begin() + static_cast<std::ptrdiff_t>(at_)};
    }
    bool nil() {
        if (at_ == end_ || bytes_[at_] != 0xC0) return false;
        ++at_;
        return true;
    }
    Integers integers(std::size_t most) {
        const std::size_t items = array();
        if (items > most) damaged("too many numbers");
        Integers numbers(items);
        for (std::int64_t& number : numbers) number = integer();
        return numbers;
    }
    /// Passes over an item.
    void skip(int depth = 0) {
        if (at_ == end_) damaged("its description ends early");
        const std::uint8_t head = bytes_[at_];
        if (head == 0xC0) {
            ++at_;
        } else if ((head & 0xF0) == 0x90 || head == 0xDC || head == 0xDD) {
            if (depth > 4) damaged("lists in lists");
            for (std::size_t items = array(); items > 0; --items) skip(depth + 1);
        } else if ((head & 0xE0) == 0xA0) {
            text();
        } else if (head >= 0xD9 && head <= 0xDB) {
            ++at_;
            take(big_endian(std::size_t{1} << (head - 0xD9)));
        } else {
            integer();
        }
    }

   private:
    std::uint8_t next() { return bytes_[take(1)]; }
    /// Passes over bytes and returns where they begin.
    std::size_t take(std::size_t size) {
        if (size > end_ - at_) damaged("its description ends early");
        at_ += size;
        return at_ - size;
    }
    std::uint64_t big_endian(std::size_t size) {
        std::uint64_t number = 0;
        for (std::size_t i = take(size); i < at_; ++i) number = number << 8 | bytes_[i];
        return number;
    }

    const std::vector<std::uint8_t>& bytes_;
    std::size_t at_;
    const std::size_t end_;
};

}  // namespace

RowBlock::RowBlock(std::vector<std::uint8_t> body, std::size_t described, std::vector<std::uint8_t> noise)
    : body_(std::move(body)), noise_(std::move(noise)) {
    if (described > body_.size()) damaged("its description ends early");
    DescriptionReader reader(body_, 0, described);
    std::size_t at = described, at_noise = 0;
    reader.array(row_columns);
    for (std::size_t column = 0; column < row_columns; ++column) {
        reader.array(2);
        Described own{reader.at(), 0, {}};
        reader.skip();
        own.how_end = reader.at();
        for (std::size_t arrays = reader.array(); arrays > 0; --arrays) {
            reader.array(3);
            const std::size_t type = reader.natural(), length = reader.natural(), noisy = reader.natural();
            if (type >= sizes.size() || noisy >> sizes[type] != 0) damaged("an array of another type");
            std::size_t noisy_planes = 0;
            for (std::size_t place = 0; place < sizes[type]; ++place) noisy_planes += noisy >> place & 1;
            const std::size_t planes = sizes[type] - noisy_planes;
            if ((planes && length > (body_.size() - at) / planes) ||
                (noisy_planes && length > (noise_.size() - at_noise) / noisy_planes))
                damaged("it has another size");
            own.arrays.push_back({static_cast<std::uint8_t>(type), length, static_cast<std::uint8_t>(noisy), at, at_noise});
            at += length * planes;
            at_noise += length * noisy_planes;
        }
        columns_.push_back(std::move(own));
    }
    if (reader.at() != described || at != body_.size() || at_noise != noise_.size()) damaged("it has another size");
    DescriptionReader time(body_, columns_[0].how, columns_[0].how_end);
    if (columns_[0].arrays.size() != 1) damaged("times in another form");
    rows_ = columns_[0].arrays[0].length + time.integers(2).size();
    if (rows_ == 0) damaged("it has no rows");
}

/// Unpacks columns of a block, each once.
class RowReader {
   public:
    explicit RowReader(const RowBlock& block) : block_(block), n_(block.rows_) {}

    const Integers& integers(RowColumn column) {
        auto& found = integers_[static_cast<std::size_t>(column)];
        if (!found) found = column == RowColumn::time ? times() : digests();
        return *found;
    }

    const Reals& reals(RowColumn column) {
        auto& found = reals_[static_cast<std::size_t>(column)];
        if (!found) found = unpacked(column);
        return *found;
    }

   private:
    /// How a column is read, and its arrays in turn.
    struct Source {
        Source(const RowBlock& block, RowColumn column)
            : described(block.columns_[static_cast<std::size_t>(column)]),
              how(block.body_, described.how, described.how_end) {}

        const RowBlock::Array& next() {
            if (place == described.arrays.size()) damaged("an array is missing");
            return described.arrays[place++];
        }

        const RowBlock::Described& described;
        DescriptionReader how;
        std::size_t place = 0;
    };

    Integers array(const RowBlock::Array& array) const {
        Integers numbers(array.length);
        std::size_t at = array.at, at_noise = array.at_noise;
        for (std::size_t place = 0; place < sizes[array.type]; ++place) {
            const bool is_noise = array.noisy >> place & 1;
            const std::uint8_t* plane = is_noise ? block_.noise_.data() + at_noise : block_.body_.data() + at;
            (is_noise ? at_noise : at) += array.length;
            for (std::size_t row = 0; row < array.length; ++row)
                numbers[row] |= static_cast<std::int64_t>(std::uint64_t{plane[row]} << (8 * place));
        }
        const std::size_t unused = 64 - 8 * sizes[array.type];
        if (array.type != byte && unused)
            for (std::int64_t& number : numbers)
                number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) << unused) >> unused;
        return numbers;
    }

    Integers array(const RowBlock::Array& array, std::size_t length) const {
        if (array.length != length) damaged("an array has another length");
        return this->array(array);
    }

    /// Reads whole numbers from their differences.
    Integers whole(Source& source, std::size_t length) const {
        const Integers begins = source.how.integers(2);
        if (begins.size() > length) damaged("too many numbers");
        Integers numbers = array(source.next(), length - begins.size());
        for (std::size_t i = begins.size(); i-- > 0;) {
            numbers.insert(numbers.begin(), begins[i]);
            for (std::size_t row = 1; row < numbers.size(); ++row) numbers[row] = plus(numbers[row - 1], numbers[row]);
        }
        return numbers;
    }

    Reals real(Source& source, std::size_t length) const {
        const std::size_t items = source.how.array();
        const std::string kind = source.how.text();
        const auto is = [&](const char* name, std::size_t wanted) { return kind == name && items == wanted; };
        const auto same_length = [&] {
            if (source.how.natural() != length) damaged("a column has another length");
        };
        Reals numbers(length, nan);
        if (is("null", 2)) {
            same_length();
        } else if (is("some", 3)) {
            same_length();
            const Integers nulls = array(source.next(), (length + 7) / 8);
            const auto is_null = [&](std::size_t row) { return nulls[row / 8] & 0x80 >> row % 8; };
            std::size_t count = 0;
            for (std::size_t row = 0; row < length; ++row) count += !is_null(row);
            if (count == length) damaged("no number is missing");
            const Reals known = real(source, count);
            for (std::size_t row = 0, place = 0; row < length; ++row)
                if (!is_null(row)) numbers[row] = known[place++];
        } else if (is("same", 3)) {
            same_length();
            numbers.assign(length, bits_as<double>(source.how.integer()));
        } else if (is("decimals", 3)) {
            const std::size_t decimals = source.how.natural();
            if (decimals >= powers_of_ten.size()) damaged("too many decimals");
            const Integers found = whole(source, length);
            for (std::size_t row = 0; row < length; ++row)
                numbers[row] = static_cast<double>(found[row]) / powers_of_ten[decimals];
        } else if (is("few", 1)) {
            const Integers different = array(source.next());
            const Integers places = array(source.next(), length);
            for (std::size_t row = 0; row < length; ++row) {
                if (static_cast<std::uint64_t>(places[row]) >= different.size()) damaged("a place that is not there");
                numbers[row] = bits_as<double>(different[static_cast<std::size_t>(places[row])]);
            }
        } else if (is("single", 2)) {
            const Integers found = whole(source, length);
            std::transform(found.begin(), found.end(), numbers.begin(), of_ordered);
        } else if (is("bits", 1)) {
            const Integers bits = array(source.next(), length);
            std::transform(bits.begin(), bits.end(), numbers.begin(), bits_as<double, std::int64_t>);
        } else {
            damaged("a column in another form");
        }
        return numbers;
    }

    template <std::size_t rules, class Rule>
    Reals derived(Source& source, Rule rule) const {
        Reals numbers(n_);
        if (source.how.nil()) {
            for (std::size_t row = 0; row < n_; ++row) numbers[row] = rule(0, row);
            return numbers;
        }
        const Integers by = array(source.next(), n_);
        const Reals others = real(source, static_cast<std::size_t>(std::count(by.begin(), by.end(), rules)));
        for (std::size_t row = 0, place = 0; row < n_; ++row) {
            const auto own = static_cast<std::uint64_t>(by[row]);
            if (own > rules) damaged("a rule that is not there");
            numbers[row] = own == rules ? others[place++] : rule(static_cast<std::size_t>(own), row);
        }
        return numbers;
    }

    Reals unpacked(RowColumn column) {
        Source source(block_, column);
        if (column == RowColumn::log_score) {
            const Reals& sequence = reals(RowColumn::sequence_score);
            const Reals& novelty = reals(RowColumn::novelty_score);
            return derived<log_rules>(source, [&](std::size_t rule, std::size_t row) {
                return log_score_by(rule, sequence[row], novelty[row]);
            });
        }
        if (column == RowColumn::anomaly_score) {
            const Reals& logs = reals(RowColumn::log_score);
            return derived<1>(source, [&](std::size_t, std::size_t row) { return likelihood_of_log(logs[row]); });
        }
        if (column == RowColumn::display_value) {
            const Reals& scores = reals(RowColumn::anomaly_score);
            return derived<1>(source, [&](std::size_t, std::size_t row) { return bar(scores[row]); });
        }
        if (column == RowColumn::usual_high && source.how.nil()) {
            const Reals& forecasts = reals(RowColumn::forecast);
            const Reals& lows = reals(RowColumn::usual_low);
            const Integers apart = array(source.next(), n_);
            Reals numbers(n_);
            for (std::size_t row = 0; row < n_; ++row)
                numbers[row] = of_ordered(plus(ordered(reflected(forecasts[row], lows[row])), apart[row]));
            return numbers;
        }
        if (column == RowColumn::usual_high) source.how.array(1);
        return real(source, n_);
    }

    Integers times() const {
        Source source(block_, RowColumn::time);
        return whole(source, n_);
    }

    Integers digests() {
        Source source(block_, RowColumn::digest);
        if (source.how.nil()) return array(source.next(), n_);
        source.how.array(1);
        return digests_from(source.how.integer(), integers(RowColumn::time), reals(RowColumn::value));
    }

    const RowBlock& block_;
    const std::size_t n_;
    std::array<std::optional<Integers>, row_columns> integers_;
    std::array<std::optional<Reals>, row_columns> reals_;
};

std::vector<RowBlock::Column> RowBlock::columns(Span<const RowColumn> wanted) const {
    RowReader reader(*this);
    std::vector<Column> found;
    for (const RowColumn column : wanted) {
        if (column >= RowColumn::texts) damaged("a column of another kind is wanted");
        if (column == RowColumn::time || column == RowColumn::digest) {
            found.emplace_back(reader.integers(column));
        } else {
            found.emplace_back(reader.reals(column));
        }
    }
    return found;
}

std::vector<std::uint8_t> RowBlock::texts_how() const {
    const Described& own = columns_.back();
    return {body_.begin() + static_cast<std::ptrdiff_t>(own.how), body_.begin() + static_cast<std::ptrdiff_t>(own.how_end)};
}

std::vector<std::uint8_t> RowBlock::texts() const {
    std::vector<std::uint8_t> texts;
    for (const Array& array : columns_.back().arrays) {
        if (array.type != byte) damaged("texts in another form");
        const std::uint8_t* plane = array.noisy ? noise_.data() + array.at_noise : body_.data() + array.at;
        texts.insert(texts.end(), plane, plane + array.length);
    }
    return texts;
}

}  // namespace htmengine
