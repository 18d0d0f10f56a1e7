// SPDX-License-Identifier: Apache-2.0
import SegKit

/// What is fed to the network.
public enum Lane: String, Sendable, CaseIterable {
  /// The input tensor, as every runtime gets it: says whether the network draws the same mask.
  case tensor
  /// The picture, with the whole path from its pixels to the alpha at its size. Times are taken here.
  case image
}

/// How long the steady phase lasts: until both a number of frames and a time are reached.
public enum Profile: String, Sendable, CaseIterable {
  case none
  case quick
  case normal
  case submission

  /// Frames, at least.
  public var count: Int {
    switch self {
    case .none: 0
    case .quick: 64
    case .normal: 128
    case .submission: 1024
    }
  }

  /// Seconds, at least.
  public var duration: Double {
    switch self {
    case .none: 0
    case .quick: 6
    case .normal: 10
    case .submission: 60
    }
  }
}

/// What is run: a model over a packed suite, one bundle for each lane.
public struct BenchmarkRequest: Sendable, Equatable {
  /// Path of a `.tflite` file.
  public var model: String
  /// Folder of a packed suite, see docs/suite.md.
  public var suite: String
  /// Folder for the bundles; made where there is none.
  public var out: String
  /// In the order they are run; the last one is timed, if it is the image lane.
  public var lanes: [Lane]
  public var profile: Profile
  /// How the network is run. Its contract is not used: ``contract`` is.
  public var options: Segmenter.Options
  /// What tables call the run; nil: the runtime, and the variant unless it is fp32.
  public var label: String?
  /// Registered name of the runtime.
  public var runtime: String
  /// Seconds to wait for a nominal thermal state before the timing, at most.
  public var thermalWait: Double
  /// File with the contract of a model that carries none; nil: the model's own, or `contract.toml` beside it.
  public var contract: String?
  /// Whether ``out`` may hold the bundles of other runs, as an app's folder does. A command's folder is of one run:
  /// whatever else lies there is an error.
  public var sharesFolder: Bool

  public init(
    model: String, suite: String, out: String, lanes: [Lane] = Lane.allCases, profile: Profile = .normal,
    options: Segmenter.Options = Segmenter.Options(), label: String? = nil, runtime: String = "swift",
    thermalWait: Double = 300, contract: String? = nil, sharesFolder: Bool = true
  ) {
    (self.model, self.suite, self.out, self.lanes, self.profile) = (model, suite, out, lanes, profile)
    (self.options, self.label, self.runtime, self.thermalWait) = (options, label, runtime, thermalWait)
    (self.contract, self.sharesFolder) = (contract, sharesFolder)
  }
}

/// What is being done.
public struct BenchmarkProgress: Sendable, Equatable {
  public let activity: String
  /// Done so far of this activity, 0 to 1.
  public let fraction: Double

  public init(activity: String, fraction: Double) { (self.activity, self.fraction) = (activity, fraction) }
}

/// What became of one bundle.
public struct BundleOutcome: Sendable, Equatable {
  /// The bundle's folder.
  public let path: String
  public let label: String
  public let lane: Lane
  /// `complete`, `failed`, or `partial`: the same request goes on with it.
  public let status: String
  /// The `error` part of its run.json; null where it did not fail.
  package let failure: JSON

  /// Why it failed.
  public var error: String? { failure["message"].string }

  public init(path: String, label: String, lane: Lane, status: String, error: String? = nil) {
    let failure: JSON = error.map { ["message": .string($0)] } ?? nil
    self.init(path: path, label: label, lane: lane, status: status, failure: failure)
  }

  init(path: String, label: String, lane: Lane, status: String, failure: JSON) {
    (self.path, self.label, self.lane, self.status, self.failure) = (path, label, lane, status, failure)
  }
}
