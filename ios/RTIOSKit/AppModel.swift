// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import SegKit

/// The application as a whole: its two pages, and what happens to both.
@MainActor public final class AppModel {
  public enum Page: Sendable { case live, benchmark }

  public let live: LiveModel
  public let benchmark: BenchmarkModel

  public init(
    camera: any Camera, display: any FrameDisplay, library: any MediaLibrary, places: Places = .ofApplication,
    environment: any BenchmarkEnvironment = SystemEnvironment()
  ) {
    let live = LiveModel(
      camera: camera, display: display, library: library, models: places.models, settings: places.settings)
    self.live = live
    benchmark = BenchmarkModel(
      models: places.models, suites: places.suites, out: places.runs,
      options: {
        let settings = live.state.settings
        return .init(threads: settings.threads, accelerator: settings.accelerator.accelerator, allowFallback: true)
      }, environment: environment)
  }

  public func entersBackground() async {
    benchmark.enteredBackground()
    await live.interrupted(.background)
  }

  public func isInFront() async { await live.interruptionEnded(.background) }

  /// Another page is shown. Nothing else may run beside a benchmark, which can go on later.
  public func shows(_ page: Page) async {
    benchmark.refresh()
    switch page {
    case .live: benchmark.cancel()
    case .benchmark: await live.stop()
    }
  }
}
