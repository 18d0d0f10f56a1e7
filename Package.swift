// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// It stands at the root because a target may not reach outside its package, and the core's sources are kept once.
import PackageDescription

let package = Package(
  name: "MobileUNetHarness",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [
    .library(name: "SegKit", targets: ["SegKit"]),
    .library(name: "RTIOSKit", targets: ["RTIOSKit"]),
  ],
  targets: [
    .target(
      name: "CSegCore",
      path: "core",
      exclude: ["CMakeLists.txt", "CMakePresets.json", "python", "tests", "tools"],
      sources: ["src"],
      publicHeadersPath: "include",
      cxxSettings: [
        .headerSearchPath("src"),
        .define("SEGCORE_LITERT_LINKED", .when(platforms: [.iOS])),
      ]
    ),
    .target(name: "SegKit", dependencies: ["CSegCore"], path: "ios/SegKit"),
    .testTarget(name: "SegKitTests", dependencies: ["SegKit"], path: "ios/Tests/SegKitTests"),
    .target(name: "RTIOSKit", dependencies: ["SegKit"], path: "ios/RTIOSKit"),
    .testTarget(name: "RTIOSKitTests", dependencies: ["RTIOSKit"], path: "ios/Tests/RTIOSKitTests"),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
