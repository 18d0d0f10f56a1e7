// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import BenchmarkKit
import RTIOSKit
import SwiftUI

@main struct RTIOSApp: App {
  /// The benchmark's tests are hosted by the application and need nothing of it.
  private let isTested = ProcessInfo.processInfo.environment.keys.contains { $0.hasPrefix("XCTest") }

  var body: some Scene {
    WindowGroup {
      if isTested {
        Color.black.onAppear { UIApplication.shared.isIdleTimerDisabled = true }  // one that locks itself ends a run
      } else {
        RootView()
      }
    }
  }
}

/// Lets SwiftUI observe a view model.
@MainActor final class Observed<Model: ViewModel>: ObservableObject {
  let model: Model
  /// A property that is published keeps the object's one publisher; without any, whoever asks may get a new one.
  @Published private var changes = 0

  init(_ model: Model) {
    self.model = model
    model.willChange = { [weak self] in self?.changes += 1 }
  }
}

/// What lives as long as the application.
@MainActor final class Composition: ObservableObject {
  let screen = Screen()
  let model: AppModel
  let live: Observed<LiveModel>
  let benchmark: Observed<BenchmarkModel>

  init() {
    let capture = CameraCapture()
    model = AppModel(camera: capture, display: screen, library: PhotoLibrary())
    (live, benchmark) = (Observed(model.live), Observed(model.benchmark))
    capture.report = { [live = model.live] event in Task { await live.camera(says: event) } }
    UIDevice.current.beginGeneratingDeviceOrientationNotifications()
  }

  /// Called twice a second.
  func look() async {
    // Lying on a table, it is held as before.
    if let held = DeviceOrientation(rawValue: UIDevice.current.orientation.rawValue) { model.live.held(held) }
    await model.live.tick(SystemEnvironment().thermal())
  }
}

struct RootView: View {
  @StateObject private var composition = Composition()
  @Environment(\.scenePhase) private var scenePhase
  @State private var page = AppModel.Page.live

  var body: some View {
    TabView(selection: $page) {
      LiveView(live: composition.live, screen: composition.screen)
        .tabItem { Label(Phrase.live.localized(), systemImage: "person.crop.rectangle") }
        .tag(AppModel.Page.live)
      BenchmarkView(benchmark: composition.benchmark)
        .tabItem { Label(Phrase.benchmark.localized(), systemImage: "speedometer") }
        .tag(AppModel.Page.benchmark)
    }
    .onChange(of: page) { page in Task { await composition.model.shows(page) } }
    .onChange(of: scenePhase) { phase in
      Task {
        if phase == .background { await composition.model.entersBackground() }
        if phase == .active { await composition.model.isInFront() }
      }
    }
    .onReceive(Timer.publish(every: 0.5, on: .main, in: .common).autoconnect()) { _ in
      Task { await composition.look() }
    }
  }
}
