// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation

/// Every text of the application, by its key in `Localizable.strings`.
///
/// A test holds this list against the English and the Spanish file: no key is missing, and none is left over.
public enum Phrase: String, CaseIterable, Sendable {
  case live = "tab.live"
  case benchmark = "tab.benchmark"

  case start = "live.start"
  case stop = "live.stop"
  case askingPermission = "live.asking"
  case refusedTitle = "live.refused.title"
  case refusedBody = "live.refused.body"
  case openSettings = "live.refused.open"
  case failedTitle = "live.failed.title"
  case interruptedBackground = "live.interrupted.background"
  case interruptedInUse = "live.interrupted.inUse"
  case interruptedPressure = "live.interrupted.pressure"
  case picture = "live.picture"
  case hidden = "live.hidden"
  case hot = "live.hot"
  case framesPerSecond = "live.fps"
  case stages = "live.stages"
  case runningCPU = "live.running.cpu"
  case runningGPU = "live.running.gpu"
  case runningInstead = "live.running.instead"
  case takePhoto = "live.photo"
  case startMovie = "live.movie.start"
  case stopMovie = "live.movie.stop"
  case photoSaved = "live.photo.saved"
  case movieSaved = "live.movie.saved"
  case photosRefused = "live.photos.refused"
  case switchCamera = "live.camera"
  case tryAgain = "live.again"
  case ok = "ok"
  case error = "error"

  case settings = "settings.title"
  case done = "settings.done"
  case effect = "settings.effect"
  case effectBlur = "settings.effect.blur"
  case effectImage = "settings.effect.image"
  case effectColour = "settings.effect.colour"
  case effectOff = "settings.effect.off"
  case chooseImage = "settings.image"
  case colour = "settings.colour"
  case camera = "settings.camera"
  case cameraFront = "settings.camera.front"
  case cameraBack = "settings.camera.back"
  case model = "settings.model"
  case addModel = "settings.model.add"
  case modelRefused = "settings.model.refused"
  case threads = "settings.threads"
  case accelerator = "settings.accelerator"
  case acceleratorCPU = "settings.accelerator.cpu"
  case acceleratorGPU = "settings.accelerator.gpu"
  case acceleratorMissing = "settings.accelerator.missing"

  case suite = "benchmark.suite"
  case profile = "benchmark.profile"
  case profileNone = "benchmark.profile.none"
  case profileQuick = "benchmark.profile.quick"
  case profileNormal = "benchmark.profile.normal"
  case profileSubmission = "benchmark.profile.submission"
  case run = "benchmark.run"
  case goOn = "benchmark.goOn"
  case cancel = "benchmark.cancel"
  case completed = "benchmark.complete"
  case partial = "benchmark.partial"
  case results = "benchmark.results"
  case result = "benchmark.result"
  case noTimes = "benchmark.noTimes"
  case share = "benchmark.share"
  case nothingToRun = "benchmark.nothing"

  /// The text in the language of a bundle; `{0}`, `{1}` … stand for the arguments.
  public func localized(_ arguments: [String] = [], in bundle: Bundle = .main) -> String {
    filled(bundle.localizedString(forKey: rawValue, value: nil, table: nil), with: arguments)
  }

  func filled(_ template: String, with arguments: [String]) -> String {
    arguments.enumerated().reduce(template) { text, argument in
      text.replacingOccurrences(of: "{\(argument.offset)}", with: argument.element)
    }
  }
}

/// A text with what stands in its gaps.
public struct Message: Equatable, Sendable {
  public let phrase: Phrase
  public let arguments: [String]

  public init(_ phrase: Phrase, _ arguments: String...) { (self.phrase, self.arguments) = (phrase, arguments) }

  public func localized(in bundle: Bundle = .main) -> String { phrase.localized(arguments, in: bundle) }
}

extension Session.State {
  /// What to show instead of the picture; nil while there is one, and where the user has to act.
  public var explanation: Message? {
    switch self {
    case .idle, .running, .failed(.refused): nil
    case .askingPermission: Message(.askingPermission)
    case .interrupted(.background): Message(.interruptedBackground)
    case .interrupted(.inUse): Message(.interruptedInUse)
    case .interrupted(.pressure): Message(.interruptedPressure)
    case .failed(.error(let reason)): Message(.error, reason)
    }
  }
}

extension LiveModel.State {
  /// What really runs, which may be another accelerator than the one asked for.
  public var running: Message? {
    loaded.map { info in
      Message(info.fellBack ? .runningInstead : info.accelerator == .gpu ? .runningGPU : .runningCPU, "\(info.threads)")
    }
  }
}

extension FrameStatistics.Summary {
  public var rate: Message { Message(.framesPerSecond, decimal(framesPerSecond)) }

  public var stages: Message {
    Message(
      .stages, decimal(preprocess), decimal(invoke), decimal(postprocess), decimal(refine), decimal(composite))
  }

  private func decimal(_ number: Double) -> String { String(format: "%.1f", number) }
}

extension RecordedRun {
  public var summary: Message {
    guard let median else { return Message(.noTimes, suite, lane, status) }
    return Message(.result, suite, lane, status, String(format: "%.1f", median))
  }
}

extension Effect {
  public var phrase: Phrase {
    switch self {
    case .blur: .effectBlur
    case .image: .effectImage
    case .colour: .effectColour
    case .off: .effectOff
    }
  }
}

extension CameraPosition {
  public var phrase: Phrase { self == .front ? .cameraFront : .cameraBack }
}

extension AcceleratorChoice {
  public var phrase: Phrase { self == .cpu ? .acceleratorCPU : .acceleratorGPU }
}

extension Profile {
  public var phrase: Phrase {
    switch self {
    case .none: .profileNone
    case .quick: .profileQuick
    case .normal: .profileNormal
    case .submission: .profileSubmission
    }
  }
}
