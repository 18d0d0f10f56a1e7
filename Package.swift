// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// It stands at the root because a target may not reach outside its package, and the core's sources are kept once.
import Foundation
import PackageDescription

let version = "0.1.0"

// LiteRT for iOS, as far as ios/scripts/fetch_litert.py has made it. Elsewhere it is loaded at run time, and a target for
// a file that is not there would be an error everywhere. SwiftPM remembers the answer: `swift package purge-cache`.
let liteRT = ["CLiteRT", "LiteRtMetalAccelerator"].filter {
  FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/ios/Frameworks/\($0).xcframework")
}

let package = Package(
  name: "MobileUNetHarness",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [
    .library(name: "SegKit", targets: ["SegKit"]),
    .library(name: "BenchmarkKit", targets: ["BenchmarkKit"]),
    .executable(name: "segbench-swift", targets: ["segbench-swift"]),
    .library(name: "RTIOSKit", targets: ["RTIOSKit"]),
  ],
  targets: [
    .target(
      name: "CSegCore",
      dependencies: liteRT.map { .target(name: $0, condition: .when(platforms: [.iOS])) },
      path: "core",
      exclude: ["CMakeLists.txt", "CMakePresets.json", "python", "tests", "tools"],
      sources: ["src"],
      publicHeadersPath: "include",
      cxxSettings: [
        .headerSearchPath("src"),
        .define("SEGCORE_VERSION", to: "\"\(version)\""),
        .define("SEGCORE_LITERT_LINKED", .when(platforms: [.iOS])),
      ]
    ),
    .target(
      name: "CSegBundle",
      dependencies: ["CSegCore"],
      path: "core/tools",
      exclude: ["CMakeLists.txt", "segbench/main.cc", "segbench/memory_pass.cc", "segbench/session.cc"],
      sources: ["bundle", "capi", "segbench/command_line.cc"],
      publicHeadersPath: "include",
      cxxSettings: [
        .headerSearchPath("."),
        .headerSearchPath("../src"),
        .define("SEGCORE_VERSION", to: "\"\(version)\""),
        .define("SEGCORE_CONFIGURATION", to: "\"Debug\"", .when(configuration: .debug)),
        .define("SEGCORE_CONFIGURATION", to: "\"Release\"", .when(configuration: .release)),
      ]
    ),
    .target(name: "SegKit", dependencies: ["CSegCore"], path: "ios/SegKit"),
    .target(name: "BenchmarkKit", dependencies: ["CSegBundle", "SegKit"], path: "ios/BenchmarkKit"),
    .target(name: "RTIOSKit", dependencies: ["BenchmarkKit", "SegKit"], path: "ios/RTIOSKit"),
    .executableTarget(
      name: "segbench-swift", dependencies: ["BenchmarkKit", "SegKit"], path: "ios/segbench-swift"),
    .testTarget(name: "SegKitTests", dependencies: ["SegKit"], path: "ios/Tests/SegKitTests"),
    .testTarget(name: "RTIOSKitTests", dependencies: ["RTIOSKit"], path: "ios/Tests/RTIOSKitTests"),
    .testTarget(
      name: "BenchmarkKitTests", dependencies: ["BenchmarkKit", "SegKit"], path: "ios/Tests/BenchmarkKitTests"),
  ] + liteRT.map { .binaryTarget(name: $0, path: "ios/Frameworks/\($0).xcframework") },
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
