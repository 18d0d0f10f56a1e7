// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import RTIOSKit
import SwiftUI

/// The live picture with its controls.
struct LiveView: View {
  @ObservedObject var live: Observed<LiveModel>
  let screen: Screen
  @State private var showsSettings = false

  private var state: LiveModel.State { live.model.state }

  var body: some View {
    ZStack {
      Color.black.ignoresSafeArea(edges: .top)
      if state.session == .running { ScreenView(screen: screen, camera: state.settings.camera) }
      content
      VStack {
        if state.session == .running { Statistics(state: state) }
        Spacer()
        controls
      }
      .padding()
    }
    .sheet(isPresented: $showsSettings) { SettingsView(live: live) }
    .alert(
      state.notice?.localized() ?? "", isPresented: .init(get: { state.notice != nil && !showsSettings }, set: { _ in })
    ) {
      Button(Phrase.ok.localized()) { live.model.dismissNotice() }
    }
  }

  @ViewBuilder private var content: some View {
    switch state.session {
    case .failed(.refused):
      Explanation(title: Phrase.refusedTitle.localized(), text: Phrase.refusedBody.localized()) {
        Button(Phrase.openSettings.localized()) {
          if let settings = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(settings) }
        }
        startButton(.tryAgain)
      }
    case .failed:
      Explanation(title: Phrase.failedTitle.localized(), text: state.session.explanation?.localized() ?? "") {
        startButton(.tryAgain)
      }
    case .idle: startButton(.start)
    default:
      if let explanation = state.session.explanation { Explanation(title: "", text: explanation.localized()) {} }
    }
  }

  private func startButton(_ phrase: Phrase) -> some View {
    Button(phrase.localized()) { Task { await live.model.start() } }.buttonStyle(.borderedProminent)
  }

  private var controls: some View {
    HStack {
      if state.session == .running {
        control(.stop, "stop.fill") { await live.model.stop() }
        control(.switchCamera, "arrow.triangle.2.circlepath.camera") {
          await live.model.change { $0.camera = $0.camera == .front ? .back : .front }
        }
        control(.takePhoto, "camera.circle") { await live.model.takePhoto() }
        if state.recording {
          control(.stopMovie, "stop.circle") { await live.model.stopRecording() }
        } else {
          control(.startMovie, "record.circle") { await live.model.startRecording() }
        }
      }
      control(.settings, "slider.horizontal.3") { showsSettings = true }
    }
    .font(.title)
    .padding(8)
    .background(.ultraThinMaterial, in: Capsule())
  }

  private func control(_ phrase: Phrase, _ symbol: String, _ action: @escaping () async -> Void) -> some View {
    Button {
      Task { await action() }
    } label: {
      SwiftUI.Image(systemName: symbol).frame(minWidth: 44, minHeight: 44)
    }
    .accessibilityLabel(phrase.localized())
  }
}

/// How fast it is, and what is the matter.
private struct Statistics: View {
  let state: LiveModel.State

  var body: some View {
    VStack(alignment: .leading) {
      Text(state.statistics.rate.localized()).font(.headline.monospacedDigit())
      Text(state.statistics.stages.localized()).font(.caption.monospacedDigit())
      if let running = state.running { Text(running.localized()).font(.caption) }
      if state.degraded { Label(Phrase.hot.localized(), systemImage: "thermometer.sun").font(.caption) }
      if state.statistics.hidden { Label(Phrase.hidden.localized(), systemImage: "eye.slash").font(.caption) }
    }
    .padding(8)
    .frame(maxWidth: .infinity, alignment: .leading)
    .background(.ultraThinMaterial, in: RoundedRectangle(cornerRadius: 8))
    .accessibilityElement(children: .combine)
  }
}

/// Words instead of a picture.
private struct Explanation<Actions: View>: View {
  let title: String
  let text: String
  @ViewBuilder let actions: Actions

  var body: some View {
    ScrollView {
      VStack(spacing: 12) {
        if !title.isEmpty { Text(title).font(.headline).accessibilityAddTraits(.isHeader) }
        Text(text).multilineTextAlignment(.center)
        actions
      }
      .padding()
      .frame(maxWidth: 480)
      .background(.regularMaterial, in: RoundedRectangle(cornerRadius: 12))
      .padding(.top, 80)
    }
  }
}
