// SPDX-License-Identifier: Apache-2.0
#include "blend.h"

#include <cstring>

#include "simd.h"

namespace segcore {
namespace {

SEGCORE_INLINE void SpreadBody(const std::uint8_t* __restrict values, int pixels, int channels,
                               std::uint8_t* __restrict out) {
  if (channels == 3) {
    for (int x = 0; x < pixels; ++x) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = values[x];
  } else {
    for (int x = 0; x < pixels; ++x) {
      const std::uint32_t value = values[x], pixel = value | value << 8 | value << 16;
      std::memcpy(out + 4 * x, &pixel, 4);
    }
  }
}

SEGCORE_INLINE void FeatherBody(const std::uint8_t* __restrict alpha, int feather, std::uint8_t* __restrict out,
                                int pixels) {
  // The slope has 22 fractional bits: enough to be exact for every alpha and feather, and the product has 32 bits.
  const int span = 255 - 2 * feather;
  const std::uint32_t slope = (255U << 22) / static_cast<std::uint32_t>(span) + 1;
  for (int x = 0; x < pixels; ++x) {
    const int above = alpha[x] - feather;
    const auto inside = static_cast<std::uint32_t>(above < 0 ? 0 : above > span ? span : above);
    out[x] = static_cast<std::uint8_t>((inside * slope + (1U << 21)) >> 22);
  }
}

SEGCORE_INLINE void BlendBody(const std::uint8_t* __restrict alpha, const std::uint8_t* __restrict background,
                              std::uint8_t* __restrict pixels, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    const std::uint16_t a = alpha[i];
    const std::uint16_t person = static_cast<std::uint16_t>(a * pixels[i]);
    const std::uint16_t rest = static_cast<std::uint16_t>((255 - a) * background[i]);
    const std::uint16_t v = static_cast<std::uint16_t>(person + rest + 128);
    pixels[i] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(v + (v >> 8)) >> 8);
  }
}

SEGCORE_INLINE void MakeOpaqueBody(std::uint8_t* pixels, int count) {
  for (int i = 0; i < count; ++i) {
    std::uint32_t pixel;
    std::memcpy(&pixel, pixels + 4 * i, 4);
    pixel |= 0xff000000U;
    std::memcpy(pixels + 4 * i, &pixel, 4);
  }
}

/// Pixels of four bytes are put together as words, which compilers vectorise; single bytes they do not.
template <int kIn, int kOut, bool kExchange>
SEGCORE_INLINE void RepackPixels(const std::uint8_t* __restrict in, std::uint8_t* __restrict out, int pixels) {
  constexpr int kFirst = kExchange ? 2 : 0, kThird = kExchange ? 0 : 2;
  for (int x = 0; x < pixels; ++x) {
    const std::uint32_t first = in[kIn * x + kFirst], second = in[kIn * x + 1], third = in[kIn * x + kThird];
    if (kOut == 4) {
      const std::uint32_t pixel = first | second << 8 | third << 16 | 0xff000000U;
      std::memcpy(out + 4 * x, &pixel, 4);
    } else {
      out[3 * x] = static_cast<std::uint8_t>(first);
      out[3 * x + 1] = static_cast<std::uint8_t>(second);
      out[3 * x + 2] = static_cast<std::uint8_t>(third);
    }
  }
}

template <int kIn, int kOut>
SEGCORE_INLINE void RepackSizes(const std::uint8_t* in, bool exchange, std::uint8_t* out, int pixels) {
  if (exchange) {
    RepackPixels<kIn, kOut, true>(in, out, pixels);
  } else {
    RepackPixels<kIn, kOut, false>(in, out, pixels);
  }
}

SEGCORE_INLINE void RepackBody(const std::uint8_t* in, int in_bytes, bool exchange, std::uint8_t* out, int out_bytes,
                               int pixels) {
  if (in_bytes == 3) {
    out_bytes == 3 ? RepackSizes<3, 3>(in, exchange, out, pixels) : RepackSizes<3, 4>(in, exchange, out, pixels);
  } else {
    out_bytes == 3 ? RepackSizes<4, 3>(in, exchange, out, pixels) : RepackSizes<4, 4>(in, exchange, out, pixels);
  }
}

}  // namespace

SEGCORE_KERNEL(Spread, (const std::uint8_t* values, int pixels, int channels, std::uint8_t* out),
               (values, pixels, channels, out))
SEGCORE_KERNEL(Feather, (const std::uint8_t* alpha, int feather, std::uint8_t* out, int pixels),
               (alpha, feather, out, pixels))
SEGCORE_KERNEL(Blend, (const std::uint8_t* alpha, const std::uint8_t* background, std::uint8_t* pixels, int bytes),
               (alpha, background, pixels, bytes))
SEGCORE_KERNEL(Repack,
               (const std::uint8_t* in, int in_bytes, bool exchange, std::uint8_t* out, int out_bytes, int pixels),
               (in, in_bytes, exchange, out, out_bytes, pixels))
SEGCORE_KERNEL(MakeOpaque, (std::uint8_t* pixels, int count), (pixels, count))

}  // namespace segcore
