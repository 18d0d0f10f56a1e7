// SPDX-License-Identifier: Apache-2.0
// Row kernels of the compositor: alpha spread over a pixel's bytes, and the integer blend.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace segcore {

/// What an alpha becomes on each byte of a pixel; the fourth byte belongs to opacity, where it is always 0.
using SpreadTable = std::array<std::array<std::uint8_t, 4>, 256>;

SpreadTable MakeSpreadTable(const std::array<std::uint8_t, 256>& values);

/// The feather's ramp: 0 up to `feather`, 255 from 255 - feather, linear between, rounded half up.
std::array<std::uint8_t, 256> FeatherRamp(int feather);

/// Spreads `pixels` alphas over 3 or 4 bytes each. Writes up to 4 bytes past the end.
inline void Spread(const SpreadTable& table, const std::uint8_t* alpha, int pixels, int channels, std::uint8_t* out) {
  for (int x = 0; x < pixels; ++x) std::memcpy(out + x * channels, table[alpha[x]].data(), 4);
}

/// The blend, for bytes: a * f + (255 - a) * b, divided by 255 and rounded to nearest (there are no ties):
/// floor((a * f + (255 - a) * b + 127) / 255). Here v / 255 rounded is (x + (x >> 8)) >> 8 with x = v + 128, which is
/// exact for every v up to 255 * 255 and stays within 16 bits. `pixels` holds f and receives the result.
void Blend(const std::uint8_t* alpha, const std::uint8_t* background, std::uint8_t* pixels, int bytes);

/// Copies pixels of `in_bytes` 3 or 4 to pixels of `out_bytes` 3 or 4, with the first and third byte exchanged if
/// `exchange`; the fourth byte becomes 255. In place where the sizes are equal.
void Repack(const std::uint8_t* in, int in_bytes, bool exchange, std::uint8_t* out, int out_bytes, int pixels);

/// Fills the fourth byte of every 4-byte pixel with 255.
void MakeOpaque(std::uint8_t* pixels, int count);

}  // namespace segcore
