// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// What runs a network.
public enum Accelerator: Int32, Sendable, CaseIterable {
  case cpu = 0
  case gpu = 1
  case npu = 2
}

/// A network with its contract: a frame in, a ``Mask`` out.
///
/// It has one owner, who may hand it on, and is gone with that owner. Calls change it, so that Swift lets one thread in
/// at a time.
public struct Segmenter: ~Copyable, @unchecked Sendable {
  /// How a network is to be run.
  public struct Options: Equatable, Sendable {
    /// Threads of the network, 1 to 256.
    public var threads: Int
    public var accelerator: Accelerator
    /// Run on the CPU where the accelerator is missing, instead of failing; ``Info/fellBack`` tells.
    public var allowFallback: Bool
    /// File in which packed weights are kept from run to run.
    public var weightCache: String?
    /// The LiteRT library; nil looks for it, see docs/litert.md. Without effect where it is linked, as on iOS.
    public var liteRTLibrary: String?
    /// Text of the contract of a model that carries none.
    public var contract: String?

    public init(
      threads: Int = 1, accelerator: Accelerator = .cpu, allowFallback: Bool = false, weightCache: String? = nil,
      liteRTLibrary: String? = nil, contract: String? = nil
    ) {
      (self.threads, self.accelerator, self.allowFallback) = (threads, accelerator, allowFallback)
      (self.weightCache, self.liteRTLibrary, self.contract) = (weightCache, liteRTLibrary, contract)
    }
  }

  /// What was loaded, as found.
  public struct Info: Equatable, Sendable {
    public let inputWidth: Int
    public let inputHeight: Int
    public let outputWidth: Int
    public let outputHeight: Int
    public let outputChannels: Int
    /// What runs it.
    public let accelerator: Accelerator
    /// Whether another one was asked for.
    public let fellBack: Bool
    public let threads: Int
    public let operators: Int
    public let liteRTVersion: String
    public let liteRTLibrary: String
    /// The contract's text.
    public let contract: String
  }

  private let handle: OpaquePointer

  /// Loads a `.tflite` file.
  ///
  /// - Throws: ``SegKitError``: there is no such file, it is damaged or carries no contract, an accelerator or LiteRT is
  ///   missing.
  public init(contentsOfFile path: String, options: Options = Options()) throws(SegKitError) {
    handle = try options.withCore { core throws(SegKitError) in
      try made { segmenter, error in segcore_segmenter_create_from_file(path, core, segmenter, error) }
    }
  }

  /// Loads a `.tflite` file that has been read already.
  ///
  /// - Throws: as ``init(contentsOfFile:options:)``.
  public init(model: [UInt8], options: Options = Options()) throws(SegKitError) {
    handle = try options.withCore { core throws(SegKitError) in
      try made { segmenter, error in
        model.withUnsafeBytes { bytes in
          segcore_segmenter_create_from_memory(bytes.baseAddress, bytes.count, core, segmenter, error)
        }
      }
    }
  }

  deinit { segcore_segmenter_destroy(handle) }

  /// Gives the core's object up to whoever owns it from now on.
  consuming func release() -> OpaquePointer {
    let handle = handle
    discard self
    return handle
  }

  /// What was loaded.
  public var info: Info {
    var facts = segcore_model_info()
    facts.size = UInt32(MemoryLayout<segcore_model_info>.size)
    // Fails on null pointers only.
    _ = segcore_segmenter_info(handle, &facts, nil)
    return Info(
      inputWidth: Int(facts.input_width), inputHeight: Int(facts.input_height),
      outputWidth: Int(facts.output_width), outputHeight: Int(facts.output_height),
      outputChannels: Int(facts.output_channels), accelerator: Accelerator(rawValue: facts.accelerator) ?? .cpu,
      fellBack: facts.fell_back != 0, threads: Int(facts.threads), operators: Int(facts.operators),
      liteRTVersion: text(facts.litert_version), liteRTLibrary: text(facts.litert_library),
      contract: text(facts.contract))
  }

  /// The mask of a frame, at the model's resolution.
  ///
  /// - Throws: ``SegKitError``, or what the frame throws where its pixels cannot be had.
  public mutating func segment(
    _ frame: some PixelSource, orientation: Orientation = .upright, into mask: inout Mask
  ) throws {
    let (segmenter, target) = (handle, mask.handle)
    try frame.withImageView { view in
      try withUnsafePointers(view.core, orientation.core) { image, turned in
        try check { error in segcore_segmenter_run(segmenter, image, turned, target, error) }
      }
    }
  }

  /// The input tensor of a frame, `inputHeight × inputWidth × 3`.
  ///
  /// - Throws: as ``segment(_:orientation:into:)``.
  public mutating func preprocess(
    _ frame: some PixelSource, orientation: Orientation = .upright
  ) throws -> [Float] {
    let (segmenter, facts) = (handle, info)
    let count = facts.inputHeight * facts.inputWidth * 3
    return try frame.withImageView { view in
      try withUnsafePointers(view.core, orientation.core) { image, turned in
        try [Float](unsafeUninitializedCapacity: count) { tensor, written in
          try check { error in
            segcore_segmenter_preprocess(segmenter, image, turned, tensor.baseAddress, count, error)
          }
          written = count
        }
      }
    }
  }

  /// The network alone: input tensor to raw output, `outputHeight × outputWidth × outputChannels`.
  ///
  /// - Throws: ``SegKitError`` if the tensor has another size, or the network fails.
  public mutating func invoke(_ input: [Float]) throws -> [Float] {
    let (segmenter, facts) = (handle, info)
    let count = facts.outputHeight * facts.outputWidth * facts.outputChannels
    return try [Float](unsafeUninitializedCapacity: count) { output, written in
      try check { error in
        segcore_segmenter_invoke(segmenter, input, input.count, output.baseAddress, count, error)
      }
      written = count
    }
  }

  /// What a raw output means: the probability and the alpha of each pixel, `outputHeight × outputWidth`, as in a
  /// ``Mask``.
  ///
  /// - Throws: ``SegKitError`` if the output has another size.
  public mutating func activate(_ output: [Float]) throws -> (probability: [Float], alpha: [UInt8]) {
    let (segmenter, facts) = (handle, info)
    let count = facts.outputHeight * facts.outputWidth
    var probability: [Float] = []
    let alpha = try [UInt8](unsafeUninitializedCapacity: count) { alpha, alphas in
      probability = try [Float](unsafeUninitializedCapacity: count) { probability, written in
        try check { error in
          segcore_segmenter_activate(
            segmenter, output, output.count, probability.baseAddress, alpha.baseAddress, count, error)
        }
        written = count
      }
      alphas = count
    }
    return (probability, alpha)
  }
}

extension Segmenter.Options {
  /// Calls a body with the core's struct, whose strings live as long.
  func withCore<R>(
    _ body: (UnsafePointer<segcore_segmenter_options>) throws(SegKitError) -> R
  ) throws(SegKitError) -> R {
    var core = segcore_segmenter_options()
    segcore_segmenter_options_init(&core, MemoryLayout<segcore_segmenter_options>.size)
    core.threads = Int32(clamping: threads)
    core.accelerator = accelerator.rawValue
    core.allow_fallback = allowFallback ? 1 : 0
    return try withOptionalPointer(weightCache) { cache throws(SegKitError) in
      try withOptionalPointer(liteRTLibrary) { library throws(SegKitError) in
        try withOptionalPointer(contract) { contract throws(SegKitError) in
          (core.weight_cache, core.litert_library, core.contract) = (cache, library, contract)
          return try body(&core)
        }
      }
    }
  }
}

private func withOptionalPointer<R>(
  _ text: String?, _ body: (UnsafePointer<CChar>?) throws(SegKitError) -> R
) throws(SegKitError) -> R {
  try body(text)  // a text is a pointer for as long as a call lasts
}

func text(_ pointer: UnsafePointer<CChar>?) -> String {
  pointer.map { String(cString: $0) } ?? ""
}

/// Calls a body with pointers to two values.
func withUnsafePointers<A, B, R, E>(
  _ first: A, _ second: B, _ body: (UnsafePointer<A>, UnsafePointer<B>) throws(E) -> R
) throws(E) -> R {
  try withUnsafePointer(to: first) { first throws(E) in
    try withUnsafePointer(to: second) { second throws(E) in try body(first, second) }
  }
}
