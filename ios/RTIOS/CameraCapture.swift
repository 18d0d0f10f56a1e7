// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
@preconcurrency import AVFoundation
import RTIOSKit
import SegKit

/// The device's cameras.
@MainActor final class CameraCapture: RTIOSKit.Camera {
  var report: @MainActor (RTIOSKit.Session.Event) -> Void = { _ in }

  private let session = AVCaptureSession()
  private let output = AVCaptureVideoDataOutput()
  private let receiver = FrameReceiver()
  private let queue = DispatchQueue(label: "camera", qos: .userInteractive)
  private var interruption: Interruption?

  init() {
    output.videoSettings = [
      kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
    ]
    output.alwaysDiscardsLateVideoFrames = true
    output.setSampleBufferDelegate(receiver, queue: queue)
    observe(.AVCaptureSessionWasInterrupted) { capture, facts in
      let code = (facts[AVCaptureSessionInterruptionReasonKey] as? Int)
        .flatMap(AVCaptureSession.InterruptionReason.init(rawValue:))
      guard code != .videoDeviceNotAvailableInBackground else { return }  // the scene tells
      let reason: Interruption = code == .videoDeviceNotAvailableDueToSystemPressure ? .pressure : .inUse
      capture.interruption = reason
      capture.report(.interruption(reason))
    }
    observe(.AVCaptureSessionInterruptionEnded) { capture, _ in
      guard let reason = capture.interruption else { return }
      capture.interruption = nil
      // It runs again by itself. Where nobody waits for frames any more, it must not.
      if capture.receiver.target.withLock({ $0 == nil }) { capture.stop() }
      capture.report(.interruptionEnded(reason))
    }
    observe(.AVCaptureSessionRuntimeError) { capture, facts in
      let error = facts[AVCaptureSessionErrorKey] as? Error
      capture.report(.failure(.error(error?.localizedDescription ?? "AVCaptureSession")))
    }
  }

  /// It lives as long as the application, and so does what it observes.
  private func observe(
    _ name: Notification.Name, _ handle: @escaping @MainActor (CameraCapture, [AnyHashable: Any]) -> Void
  ) {
    _ = NotificationCenter.default.addObserver(forName: name, object: session, queue: .main) { [weak self] note in
      MainActor.assumeIsolated { if let self { handle(self, note.userInfo ?? [:]) } }
    }
  }

  func mayUse() async -> Bool { await AVCaptureDevice.requestAccess(for: .video) }

  func start(
    _ position: CameraPosition, _ resolution: Resolution, deliver: @escaping @Sendable (any PixelSource) -> Void
  ) throws {
    let side: AVCaptureDevice.Position = position == .front ? .front : .back
    guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: side) else {
      throw SegKitError(.notFound, "this device has no \(position.rawValue) camera")
    }
    let input = try AVCaptureDeviceInput(device: device)
    receiver.target.withLock { $0 = deliver }
    // All of it on one queue: a session that is started or stopped while it is configured ends the application.
    queue.async { [weak self, session, output] in
      if CameraCapture.configure(session, input, output, resolution) {
        if !session.isRunning { session.startRunning() }
      } else {
        let reason = "the \(position.rawValue) camera cannot be used now"
        Task { @MainActor [weak self] in self?.report(.failure(.error(reason))) }
      }
    }
  }

  /// - Returns: false where the session does not take the camera.
  private nonisolated static func configure(
    _ session: AVCaptureSession, _ input: AVCaptureDeviceInput, _ output: AVCaptureVideoDataOutput,
    _ resolution: Resolution
  ) -> Bool {
    session.beginConfiguration()
    defer { session.commitConfiguration() }
    for old in session.inputs { session.removeInput(old) }
    guard session.canAddInput(input) else { return false }
    session.addInput(input)
    if session.outputs.isEmpty { session.addOutput(output) }
    let presets: [Resolution: AVCaptureSession.Preset] = [
      .low: .vga640x480, .medium: .iFrame960x540, .high: .hd1280x720,
    ]
    if let preset = presets[resolution], session.canSetSessionPreset(preset) { session.sessionPreset = preset }
    if let connection = output.connection(with: .video), connection.isVideoMirroringSupported {
      connection.automaticallyAdjustsVideoMirroring = false
      connection.isVideoMirrored = false  // the core turns and mirrors
    }
    return true
  }

  func stop() {
    receiver.target.withLock { $0 = nil }
    // A session that is stopped while somebody else has the camera is not told when that is over.
    if interruption == nil { queue.async { [session] in session.stopRunning() } }
  }
}

/// Hands on the camera's pixel buffers, on the camera's queue.
private final class FrameReceiver: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, Sendable {
  let target = Locked<(@Sendable (any PixelSource) -> Void)?>(nil)

  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
  ) {
    guard let pixels = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
    target.withLock { $0 }?(pixels)
  }
}
