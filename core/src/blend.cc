// SPDX-License-Identifier: Apache-2.0
#include "blend.h"

#include "simd.h"

namespace segcore {
namespace {

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
  for (int i = 0; i < count; ++i) pixels[4 * i + 3] = 255;
}

template <int kIn, int kOut, bool kExchange>
SEGCORE_INLINE void RepackPixels(const std::uint8_t* in, std::uint8_t* out, int pixels) {
  for (int x = 0; x < pixels; ++x) {
    const std::uint8_t first = in[kIn * x], second = in[kIn * x + 1], third = in[kIn * x + 2];
    out[kOut * x] = kExchange ? third : first;
    out[kOut * x + 1] = second;
    out[kOut * x + 2] = kExchange ? first : third;
    if (kOut == 4) out[kOut * x + 3] = 255;
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

SEGCORE_KERNEL(Blend, (const std::uint8_t* alpha, const std::uint8_t* background, std::uint8_t* pixels, int bytes),
               (alpha, background, pixels, bytes))
SEGCORE_KERNEL(Repack,
               (const std::uint8_t* in, int in_bytes, bool exchange, std::uint8_t* out, int out_bytes, int pixels),
               (in, in_bytes, exchange, out, out_bytes, pixels))
SEGCORE_KERNEL(MakeOpaque, (std::uint8_t* pixels, int count), (pixels, count))

SpreadTable MakeSpreadTable(const std::array<std::uint8_t, 256>& values) {
  SpreadTable table;
  for (int a = 0; a < 256; ++a) table[a] = {values[a], values[a], values[a], 0};
  return table;
}

std::array<std::uint8_t, 256> FeatherRamp(int feather) {
  std::array<std::uint8_t, 256> ramp{};
  const int span = 255 - 2 * feather;
  for (int a = 0; a < 256; ++a) {
    const int above = a - feather;
    ramp[a] = static_cast<std::uint8_t>(above <= 0 ? 0 : above >= span ? 255 : (2 * 255 * above + span) / (2 * span));
  }
  return ramp;
}

}  // namespace segcore
