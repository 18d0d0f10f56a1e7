// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import SegKit

/// A command line as segbench's own reader understands it.
struct CommandLineRequest {
  /// What is to be run; nil where a text is to be printed instead.
  let request: BenchmarkRequest?
  /// What `--help` or `--version` prints.
  let text: String
  /// Whether what became of the bundles is printed as JSON.
  let json: Bool

  /// - Throws: ``SegKitError`` that says which argument is wrong.
  init(_ arguments: [String]) throws {
    let told = try Machine.commandLine(program: "segbench-swift", label: "swift", arguments)
    text = told["text"].string ?? ""
    json = told["json"] == true
    guard let model = told["model"].string, let suite = told["suite"].string, let out = told["out"].string else {
      request = nil
      return
    }
    let options = Segmenter.Options(
      threads: told["threads"].int ?? 1,
      accelerator: Accelerator(rawValue: Int32(told["accelerator"].int ?? 0)) ?? .cpu,
      allowFallback: told["allow_fallback"] == true, weightCache: told["weight_cache"].string,
      liteRTLibrary: told["litert"].string)
    request = BenchmarkRequest(
      model: model, suite: suite, out: out, lanes: told["lanes"].array.compactMap { $0.string.flatMap(Lane.init) },
      profile: told["profile"].string.flatMap(Profile.init) ?? .normal, options: options, label: told["label"].string,
      contract: told["contract"].string, sharesFolder: false)
  }
}

extension BundleOutcome {
  /// As `harness run --json` prints it.
  var facts: JSON {
    [
      "label": .string(label), "lane": .string(lane.rawValue), "status": .string(status),
      "error": failure, "bundle": .string(path),
    ]
  }
}
