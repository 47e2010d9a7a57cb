#include "rows/row_block.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "common/likelihood.hpp"
#include "common/state.hpp"

namespace htmengine {

namespace {

using Integers = RowBlock::Integers;
using Reals = RowBlock::Reals;

/// Types of arrays: signed numbers of 1, 2, 4 and 8 bytes, and bytes.
enum Type : std::uint8_t { tiny, small, medium, large, byte };
constexpr std::array<std::size_t, 5> sizes{1, 2, 4, 8, 1};

constexpr double share_of_noise = 0.8;  // of the different values that so many random bytes have
constexpr std::array<double, 7> powers_of_ten{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
constexpr double max_whole = 9007199254740992.0;
/// Of what the channels find, this is left in the log score of a row that does not alarm (default_model.cpp).
constexpr double share = 0.4;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t null_digest = -1;

template <class To, class From>
To bits_as(From number) {
    static_assert(sizeof(To) == sizeof(From));
    To result;
    std::memcpy(&result, &number, sizeof result);
    return result;
}

std::int64_t bits_of(double number) { return bits_as<std::int64_t>(number); }

bool same(double one, double other) {
    return bits_of(one) == bits_of(other) || (std::isnan(one) && std::isnan(other));
}

/// Sums and differences that wrap around.
std::int64_t plus(std::int64_t one, std::int64_t other) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(one) + static_cast<std::uint64_t>(other));
}
std::int64_t minus(std::int64_t one, std::int64_t other) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(one) - static_cast<std::uint64_t>(other));
}

/// How many bits the numbers need, but for their signs.
int bits_needed(const Integers& numbers) {
    std::uint64_t any = 0;
    for (const std::int64_t number : numbers) any |= static_cast<std::uint64_t>(number < 0 ? ~number : number);
    int bits = 0;
    for (; any; any >>= 1) ++bits;
    return bits;
}

Type narrowest(const Integers& numbers) {
    const int bits = bits_needed(numbers);
    return bits < 8 ? tiny : bits < 16 ? small : bits < 32 ? medium : large;
}

/// Neighbours of these are neighbours as floats.
std::int64_t ordered(float number) {
    const std::int64_t bits = bits_as<std::int32_t>(number);
    return bits < 0 ? -(bits & 0x7FFFFFFF) - 1 : bits;
}

double of_ordered(std::int64_t number) {
    const auto bits = static_cast<std::uint32_t>(number < 0 ? minus(-1, number) | 0x80000000 : number);
    return bits_as<float>(bits);
}

std::uint64_t mixed(std::uint64_t word) {
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

/// The digest behind each row; see repository/identity.py.
Integers digests_from(std::int64_t first, Span<const std::int64_t> times, Span<const double> values) {
    constexpr std::uint64_t mask = (std::uint64_t{1} << 63) - 1;
    Integers digests(times.size(), first);
    if (first == null_digest) return digests;
    auto sum = static_cast<std::uint64_t>(first);
    digests[0] = static_cast<std::int64_t>(sum & mask);
    for (std::size_t row = 1; row < times.size(); ++row) {
        const auto seconds = static_cast<std::uint64_t>(bits_of(static_cast<double>(times[row])));
        const auto value = static_cast<std::uint64_t>(bits_of(values[row] + 0.0));
        sum += mixed(mixed(seconds + 0x9E3779B97F4A7C15u) ^ value) & mask;
        digests[row] = static_cast<std::int64_t>(sum & mask);
    }
    return digests;
}

/// What a column may follow from: each rule gives a number for a row.
double greater(double one, double other) { return one >= other || std::isnan(one) ? one : other; }

double log_score_by(std::size_t rule, double sequence, double novelty) {
    switch (rule) {
        case 0: return novelty;
        case 1: return share * greater(sequence, novelty);
        case 2: return share * novelty;
        default: return share * sequence;
    }
}
constexpr std::size_t log_rules = 4;

/// The height of the bar of a score; see repository/display.py.
double bar(double score) {
    const double size = std::abs(score);
    if (std::isnan(score)) return nan;
    if (size == 0.0) return 0.0;
    if (size > 0.99999) return 1'000'000'001.0;
    return size >= 0.9999000001 ? 1'000'000.0 : 1'000.0;
}

float reflected(double forecast, double usual_low) { return static_cast<float>(2.0 * forecast - usual_low); }

/// By how many decimals numbers are exact, and the whole numbers of the last one.
std::optional<std::pair<std::size_t, Integers>> decimals_of(Span<const double> numbers) {
    const auto all_below = [&](double factor) {
        return std::all_of(numbers.begin(), numbers.end(),
                           [&](double number) { return std::abs(number) * factor < max_whole; });
    };
    const std::size_t end = all_below(powers_of_ten.back()) ? powers_of_ten.size() : all_below(1.0) ? 1 : 0;
    const std::size_t stride = numbers.size() / 8 + 1;
    for (std::size_t decimals = 0; decimals < end; ++decimals) {
        const double power = powers_of_ten[decimals];
        bool fits = true;  // a few numbers are enough for most columns, which have more digits
        for (std::size_t row = 0; row < numbers.size() && fits; row += stride)
            fits = std::rint(numbers[row] * power) / power == numbers[row];
        if (!fits) continue;
        Integers whole(numbers.size());
        for (std::size_t row = 0; row < numbers.size() && fits; ++row) {
            whole[row] = static_cast<std::int64_t>(std::rint(numbers[row] * power));
            fits = bits_of(static_cast<double>(whole[row]) / power) == bits_of(numbers[row]);
        }
        if (fits) return std::pair(decimals, std::move(whole));
    }
    return std::nullopt;
}

/// Writes MessagePack, each item in its shortest form.
class DescriptionWriter {
   public:
    void nil() { bytes.push_back(0xC0); }
    void array(std::size_t items) {
        if (items < 16) {
            bytes.push_back(static_cast<std::uint8_t>(0x90 | items));
        } else {
            bytes.push_back(0xDC);
            big_endian(items, 2);
        }
    }
    void text(const char* characters) {
        const std::size_t size = std::strlen(characters);  // below 32
        bytes.push_back(static_cast<std::uint8_t>(0xA0 | size));
        bytes.insert(bytes.end(), characters, characters + size);
    }
    void integer(std::int64_t number) {
        const auto bits = static_cast<std::uint64_t>(number);
        if (number >= 0) {
            if (number < 128) return bytes.push_back(static_cast<std::uint8_t>(number));
            const int place = number < 1 << 8 ? 0 : number < 1 << 16 ? 1 : number < std::int64_t{1} << 32 ? 2 : 3;
            bytes.push_back(static_cast<std::uint8_t>(0xCC + place));
            return big_endian(bits, std::size_t{1} << place);
        }
        if (number >= -32) return bytes.push_back(static_cast<std::uint8_t>(number));
        const int place = number >= -(1 << 7) ? 0 : number >= -(1 << 15) ? 1 : number >= -(std::int64_t{1} << 31) ? 2 : 3;
        bytes.push_back(static_cast<std::uint8_t>(0xD0 + place));
        big_endian(bits, std::size_t{1} << place);
    }
    void integers(const Integers& numbers) {
        array(numbers.size());
        for (const std::int64_t number : numbers) integer(number);
    }

    std::vector<std::uint8_t> bytes;

   private:
    void big_endian(std::uint64_t number, std::size_t size) {
        while (size-- > 0) bytes.push_back(static_cast<std::uint8_t>(number >> (8 * size)));
    }
};

/// Takes columns into a block.
class RowPacker {
   public:
    explicit RowPacker(const RowsInColumns& rows) : rows_(rows), n_(rows.times.size()) { how_.array(row_columns); }

    void pack(Span<const std::uint8_t> texts_how, Span<const std::uint8_t> texts) {
        described([&] {
            const Integers begins = integers({rows_.times.begin(), rows_.times.end()});
            how_.integers(begins);
        });
        for (const RowColumn column : {RowColumn::value, RowColumn::raw_anomaly_score, RowColumn::sequence_score,
                                       RowColumn::novelty_score})
            described([&] { reals(real(column)); });
        described([&] { log_scores(); });
        described([&] {
            const auto logs = real(RowColumn::log_score);
            derived<1>(RowColumn::anomaly_score, [&](std::size_t, std::size_t row) { return likelihood_of_log(logs[row]); });
        });
        described([&] {
            const auto scores = real(RowColumn::anomaly_score);
            derived<1>(RowColumn::display_value, [&](std::size_t, std::size_t row) { return bar(scores[row]); });
        });
        described([&] { reals(real(RowColumn::forecast)); });
        described([&] { reals(real(RowColumn::usual_low)); });
        described([&] { usual_highs(); });
        described([&] { digests(); });
        described([&] {
            how_.bytes.insert(how_.bytes.end(), texts_how.begin(), texts_how.end());
            if (!texts.empty()) add({texts.begin(), texts.end()}, byte);
        });
    }

    PackedRows packed() {
        PackedRows block{std::move(how_.bytes), 0, std::move(noise_)};
        block.described = block.body.size();
        block.body.insert(block.body.end(), planes_.begin(), planes_.end());
        return block;
    }

   private:
    struct Array {
        Type type;
        std::size_t length;
        unsigned noisy;
    };

    Span<const double> real(RowColumn column) const {
        const std::size_t place = static_cast<std::size_t>(column) - static_cast<std::size_t>(RowColumn::value);
        return {rows_.reals.begin() + place * n_, n_};
    }

    /// Describes a column: how it is read, which `describe` writes, and the arrays that it adds.
    template <class Describe>
    void described(Describe describe) {
        arrays_.clear();
        how_.array(2);
        describe();
        how_.array(arrays_.size());
        for (const Array& array : arrays_) {
            how_.array(3);
            how_.integer(array.type);
            how_.integer(static_cast<std::int64_t>(array.length));
            how_.integer(array.noisy);
        }
    }

    void add(const Integers& numbers, Type type) {
        const std::size_t length = numbers.size();
        const double different = 256.0 * (1.0 - std::pow(255.0 / 256.0, static_cast<double>(length)));
        unsigned noisy = 0;
        plane_.resize(length);
        for (std::size_t place = 0; place < sizes[type]; ++place) {
            std::array<bool, 256> seen{};
            for (std::size_t row = 0; row < length; ++row) {
                plane_[row] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(numbers[row]) >> (8 * place));
                seen[plane_[row]] = true;
            }
            const bool is_noise =
                length > 8 && static_cast<double>(std::count(seen.begin(), seen.end(), true)) > share_of_noise * different;
            if (is_noise) noisy |= 1u << place;
            auto& planes = is_noise ? noise_ : planes_;
            planes.insert(planes.end(), plane_.begin(), plane_.end());
        }
        arrays_.push_back({type, length, noisy});
    }

    /// Adds whole numbers, or their differences if these are smaller; returns what the differences begin with.
    Integers integers(Integers numbers) {
        Integers begins;
        while (numbers.size() > 1 && begins.size() < 2) {
            Integers steps(numbers.size() - 1);
            for (std::size_t row = 0; row < steps.size(); ++row) steps[row] = minus(numbers[row + 1], numbers[row]);
            if (bits_needed(steps) >= bits_needed(numbers)) break;
            begins.push_back(numbers[0]);
            numbers = std::move(steps);
        }
        add(numbers, narrowest(numbers));
        return begins;
    }

    void reals(Span<const double> numbers) {
        const std::size_t length = numbers.size();
        Reals known;
        known.reserve(length);
        Integers nulls((length + 7) / 8);
        for (std::size_t row = 0; row < length; ++row) {
            if (std::isnan(numbers[row])) {
                nulls[row / 8] |= 0x80 >> row % 8;
            } else {
                known.push_back(numbers[row]);
            }
        }
        if (known.size() == length) return known_reals(known);
        if (known.empty()) return no_reals(length);
        add(nulls, byte);
        how_.array(3);
        how_.text("some");
        how_.integer(static_cast<std::int64_t>(length));
        known_reals(known);
    }

    void no_reals(std::size_t length) {
        how_.array(2);
        how_.text("null");
        how_.integer(static_cast<std::int64_t>(length));
    }

    void known_reals(const Reals& numbers) {
        Integers bits(numbers.size());
        std::transform(numbers.begin(), numbers.end(), bits.begin(), bits_of);
        if (std::all_of(bits.begin(), bits.end(), [&](std::int64_t one) { return one == bits[0]; })) {
            how_.array(3);
            how_.text("same");
            how_.integer(static_cast<std::int64_t>(bits.size()));
            return how_.integer(bits[0]);
        }
        if (auto found = decimals_of(numbers)) {
            const Integers begins = integers(std::move(found->second));
            how_.array(3);
            how_.text("decimals");
            how_.integer(static_cast<std::int64_t>(found->first));
            return how_.integers(begins);
        }
        if (few(bits)) return;
        Integers places(numbers.size());
        bool is_single = true;
        for (std::size_t row = 0; row < numbers.size() && is_single; ++row) {
            const auto single = static_cast<float>(numbers[row]);
            is_single = bits_of(single) == bits[row];
            places[row] = ordered(single);
        }
        if (is_single) {
            const Integers begins = integers(std::move(places));
            how_.array(2);
            how_.text("single");
            return how_.integers(begins);
        }
        add(bits, large);
        how_.array(1);
        how_.text("bits");
    }

    /// Adds numbers as places in a list of them, if few are different.
    bool few(const Integers& bits) {
        Integers different;
        for (std::size_t row = 0; row < bits.size(); row += bits.size() / 64 + 1) different.push_back(bits[row]);
        const std::size_t some = different.size();
        sort_once(different);
        if (different.size() > some / 2) return false;
        different = bits;
        sort_once(different);
        if (different.size() > std::min<std::size_t>(bits.size() / 4, 256)) return false;
        Integers places(bits.size());
        for (std::size_t row = 0; row < bits.size(); ++row)
            places[row] = std::lower_bound(different.begin(), different.end(), bits[row]) - different.begin();
        add(different, large);
        add(places, byte);
        how_.array(1);
        how_.text("few");
        return true;
    }

    static void sort_once(Integers& numbers) {
        std::sort(numbers.begin(), numbers.end());
        numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    }

    /// Describes a column that follows from others by one of several rules; rows for which none holds are kept.
    template <std::size_t rules, class Rule>
    void derived(RowColumn column, Rule rule) {
        const auto numbers = real(column);
        Integers by(n_);
        Reals others;
        bool by_the_first = true;
        for (std::size_t row = 0; row < n_; ++row) {
            std::size_t place = 0;
            while (place < rules && !same(rule(place, row), numbers[row])) ++place;
            by[row] = static_cast<std::int64_t>(place);
            by_the_first &= place == 0;
            if (place == rules) others.push_back(numbers[row]);
        }
        if (by_the_first) return how_.nil();
        add(by, byte);
        if (others.empty()) return no_reals(0);
        reals(others);
    }

    void log_scores() {
        const auto sequence = real(RowColumn::sequence_score), novelty = real(RowColumn::novelty_score);
        derived<log_rules>(RowColumn::log_score, [&](std::size_t rule, std::size_t row) {
            return log_score_by(rule, sequence[row], novelty[row]);
        });
    }

    /// A 32-bit float near to what follows from the forecast and the usual low: how many floats lie between.
    void usual_highs() {
        const auto numbers = real(RowColumn::usual_high), lows = real(RowColumn::usual_low);
        const auto forecasts = real(RowColumn::forecast);
        Integers apart(n_);
        for (std::size_t row = 0; row < n_; ++row) {
            const float near = reflected(forecasts[row], lows[row]);
            const auto single = static_cast<float>(numbers[row]);
            if (!std::isfinite(near) || bits_of(single) != bits_of(numbers[row]) || std::isnan(numbers[row])) {
                how_.array(1);
                return reals(numbers);
            }
            apart[row] = ordered(single) - ordered(near);
        }
        add(apart, narrowest(apart));
        how_.nil();
    }

    void digests() {
        const Integers known(rows_.digests.begin(), rows_.digests.end());
        if (digests_from(known[0], rows_.times, real(RowColumn::value)) == known) return how_.integers({known[0]});
        add(known, large);
        how_.nil();
    }

    const RowsInColumns& rows_;
    const std::size_t n_;
    DescriptionWriter how_;
    std::vector<Array> arrays_;
    std::vector<std::uint8_t> planes_, noise_, plane_;
};

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

PackedRows pack_rows(const RowsInColumns& rows, Span<const std::uint8_t> texts_how, Span<const std::uint8_t> texts) {
    RowPacker packer(rows);
    packer.pack(texts_how, texts);
    return packer.packed();
}

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
