#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "common/likelihood.hpp"
#include "rows/row_block.hpp"
#include "rows/shared.hpp"

namespace htmengine {

using namespace rows_shared;

namespace {

constexpr double share_of_noise = 0.8;  // of the different values that so many random bytes have
constexpr double max_whole = 9007199254740992.0;

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

}  // namespace

PackedRows pack_rows(const RowsInColumns& rows, Span<const std::uint8_t> texts_how, Span<const std::uint8_t> texts) {
    RowPacker packer(rows);
    packer.pack(texts_how, texts);
    return packer.packed();
}

}  // namespace htmengine
