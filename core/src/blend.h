// SPDX-License-Identifier: Apache-2.0
// Row kernels of the compositor: alpha spread over a pixel's bytes, and the integer blend.
#pragma once

#include <cstdint>

namespace segcore {

/// Repeats every value on the colours of a pixel of 3 or 4 bytes; the fourth byte becomes 0.
void Spread(const std::uint8_t* values, int pixels, int channels, std::uint8_t* out);

/// The feather's ramp: 0 up to `feather` (0 … 127), 255 from 255 - feather, linear between, rounded half up.
void Feather(const std::uint8_t* alpha, int feather, std::uint8_t* out, int pixels);

/// The blend, for bytes: a * f + (255 - a) * b, divided by 255 and rounded to nearest (there are no ties):
/// floor((a * f + (255 - a) * b + 127) / 255). Here v / 255 rounded is (x + (x >> 8)) >> 8 with x = v + 128, which is
/// exact for every v up to 255 * 255 and stays within 16 bits. `pixels` holds f and receives the result.
void Blend(const std::uint8_t* alpha, const std::uint8_t* background, std::uint8_t* pixels, int bytes);

/// Copies pixels of `in_bytes` 3 or 4 to pixels of `out_bytes` 3 or 4, with the first and third byte exchanged if
/// `exchange`; the fourth byte becomes 255. Not in place.
void Repack(const std::uint8_t* in, int in_bytes, bool exchange, std::uint8_t* out, int out_bytes, int pixels);

/// Fills the fourth byte of every 4-byte pixel with 255.
void MakeOpaque(std::uint8_t* pixels, int count);

}  // namespace segcore
