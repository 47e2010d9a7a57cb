// Checks of kernel parameters: what, found, allowed.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>

namespace htmengine {

/// Throws unless a parameter keeps a rule, "x must be …"; the message has both the rule and what was found.
template <class T>
void require(bool valid, const char* rule, T found) {
    if (valid) return;
    std::ostringstream message;
    message << rule << ", but it is " << found;
    throw std::invalid_argument(message.str());
}

template <class T>
void check_range(const char* name, T found, T lowest, T highest) {
    if (found >= lowest && found <= highest) return;  // false for NaN
    std::ostringstream message;
    message << name << " = " << found << " is out of range: allowed are " << lowest << " to " << highest;
    throw std::invalid_argument(message.str());
}

inline void check_range(const char* name, std::uint32_t found, std::uint32_t lowest, std::uint32_t highest) {
    check_range<std::uint32_t>(name, found, lowest, highest);
}

inline void check_permanence(const char* name, double found) { check_range(name, found, 0.0, 1.0); }

}  // namespace htmengine
