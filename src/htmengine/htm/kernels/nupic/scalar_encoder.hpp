// Scalar encoders: a value becomes a run of active bits whose place says how large it is.
//
// Every encoder appends the active bits of a value, ascending, to a list, `first_bit` added to each, and returns the
// bucket that the value fell into. A value that is not finite counts as missing: it has no bits and no bucket, and
// changes no state.
// Source: reference "HTM scalar anomaly models", sections 4.2 and 4.3; golden vectors scalar.json.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace htmengine {

/// No encoder is wider than this.
inline constexpr std::uint32_t max_encoder_width = 1u << 16;

struct ScalarEncoderParameters {
    std::uint32_t w;  // active bits, odd
    double minimum;   // in the value's unit, like all that follow but n
    double maximum;
    bool periodic;    // whether maximum is minimum again
    bool clip;        // whether values outside count as the nearest one inside; not for periodic ones
    // Exactly one of these three is given:
    std::optional<std::uint32_t> n;    // width in bits
    std::optional<double> radius;      // two values this far apart share no bit
    std::optional<double> resolution;  // two values this far apart have different bits
};

/// Equal steps between a fixed minimum and maximum.
class ScalarEncoder {
   public:
    /// Throws std::invalid_argument when the parameters contradict each other or are out of range.
    explicit ScalarEncoder(const ScalarEncoderParameters& parameters);

    std::uint32_t width() const { return n_; }

    /// Whether `value` has a code: it is finite, and within the range unless the encoder clips.
    bool encodes(double value) const;

    /// A value that has no code (see `encodes`) counts as missing. The bucket is the middle bit of a periodic
    /// encoder, else the first bit.
    std::optional<std::uint32_t> encode(double value, std::uint32_t first_bit, std::vector<std::uint32_t>& bits) const;

    template <class Self, class Archive>
    static void fields(Self&, Archive&) {}
    void restored() const {}

   private:
    std::uint32_t w_;
    std::uint32_t n_ = 0;
    double minimum_;
    double maximum_;
    double resolution_ = 0.0;
    bool periodic_;
    bool clip_;
};

struct AdaptiveScalarEncoderParameters {
    std::uint32_t w;  // active bits, odd
    std::uint32_t n;  // width in bits
    std::optional<double> minimum;  // of the range at the start; both or neither
    std::optional<double> maximum;
};

/// A scalar encoder whose range grows to hold every value it has seen, and never shrinks.
///
/// Without a range given it starts with value .. value + 1 at the first one. The original looks for the extremes in a
/// window of 300 values, but it sorts that window in place, so that only smallest values ever leave it: as long as
/// every value is learned, the extremes of the window widen the range exactly as the values themselves do.
class AdaptiveScalarEncoder {
   public:
    /// Throws std::invalid_argument when the parameters contradict each other or are out of range.
    explicit AdaptiveScalarEncoder(const AdaptiveScalarEncoderParameters& parameters);

    std::uint32_t width() const { return parameters_.n; }

    /// Widens the range to hold `value`, then encodes it. The bucket is the first bit.
    std::optional<std::uint32_t> encode(double value, std::uint32_t first_bit, std::vector<std::uint32_t>& bits);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.range_);
    }

    /// Throws StateError unless the restored range is one.
    void restored();

   private:
    struct Range {
        double minimum;
        double maximum;

        template <class Self, class Archive>
        static void fields(Self& self, Archive& archive) {
            archive(self.minimum, self.maximum);
        }
    };

    ScalarEncoder encoder_for(const Range& range) const;

    AdaptiveScalarEncoderParameters parameters_;
    std::optional<Range> range_;
    std::optional<ScalarEncoder> encoder_;  // derived: the encoder of range_
};

/// Encodes how far a value is from the one before it (0 for the first) with an adaptive encoder.
class DeltaEncoder {
   public:
    /// The range is one of differences. Throws std::invalid_argument like the adaptive encoder.
    explicit DeltaEncoder(const AdaptiveScalarEncoderParameters& parameters) : encoder_(parameters) {}

    std::uint32_t width() const { return encoder_.width(); }

    /// The bucket is the first bit.
    std::optional<std::uint32_t> encode(double value, std::uint32_t first_bit, std::vector<std::uint32_t>& bits);

    template <class Self, class Archive>
    static void fields(Self& self, Archive& archive) {
        archive(self.encoder_, self.previous_);
    }

    /// Throws StateError unless the restored range and value can have been left by an encoder.
    void restored();

   private:
    AdaptiveScalarEncoder encoder_;
    std::optional<double> previous_;
};

}  // namespace htmengine
