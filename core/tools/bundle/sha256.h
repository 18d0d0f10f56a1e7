// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace segcore::bundle {

class Sha256 {
 public:
  void Update(const void* data, std::size_t bytes);
  /// The hash of everything so far in hexadecimal; the object is used up.
  std::string Hex();

  static std::string Of(const void* data, std::size_t bytes);
  static std::string Of(const std::string& data) { return Of(data.data(), data.size()); }

 private:
  void Block(const std::uint8_t* data);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace segcore::bundle
