// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import RTIOSKit
import SegKit
import SwiftUI
import UniformTypeIdentifiers

/// Everything that can be changed about the live picture, at once.
struct SettingsView: View {
  @ObservedObject var live: Observed<LiveModel>
  @Environment(\.dismiss) private var dismiss
  @State private var picksImage = false
  @State private var picksModel = false

  private var state: LiveModel.State { live.model.state }

  var body: some View {
    NavigationView {
      Form {
        Section {
          picker(.effect, \.effect, Effect.allCases) { $0.phrase.localized() }
          ColorPicker(Phrase.colour.localized(), selection: colour, supportsOpacity: false)
          Button(Phrase.chooseImage.localized()) { picksImage = true }
            .fileImporter(isPresented: $picksImage, allowedContentTypes: [.image]) { picked in
              with(picked) { url in await live.model.setPicture { try SegKit.Image(contentsOf: url) } }
            }
          picker(.camera, \.camera, CameraPosition.allCases) { $0.phrase.localized() }
        }
        Section(footer: Text(state.running?.localized() ?? "")) {
          picker(.model, \.model, state.models.map { Optional($0.id) }) { $0 ?? "" }
          Button(Phrase.addModel.localized()) { picksModel = true }
            .fileImporter(isPresented: $picksModel, allowedContentTypes: [.data]) { picked in
              with(picked) { await live.model.add(model: $0) }
            }
          Stepper(
            Phrase.threads.localized(["\(state.settings.threads)"]), value: binding(\.threads),
            in: 1...ProcessInfo.processInfo.activeProcessorCount)
          picker(.accelerator, \.accelerator, AcceleratorChoice.allCases) { $0.phrase.localized() }
        }
        if let notice = state.notice {
          Section { Label(notice.localized(), systemImage: "exclamationmark.triangle") }
        }
      }
      .navigationTitle(Phrase.settings.localized())
      .toolbar {
        Button(Phrase.done.localized()) {
          live.model.dismissNotice()
          dismiss()
        }
      }
    }
    .navigationViewStyle(.stack)
  }

  private func binding<Value>(_ path: WritableKeyPath<LiveSettings, Value>) -> Binding<Value> {
    Binding(
      get: { state.settings[keyPath: path] },
      set: { value in Task { await live.model.change { $0[keyPath: path] = value } } })
  }

  private func picker<Value: Hashable>(
    _ phrase: Phrase, _ path: WritableKeyPath<LiveSettings, Value>, _ values: [Value],
    _ name: @escaping (Value) -> String
  ) -> some View {
    Picker(phrase.localized(), selection: binding(path)) {
      ForEach(values, id: \.self) { Text(name($0)).tag($0) }
    }
  }

  private var colour: Binding<CGColor> {
    Binding(
      get: {
        let parts = state.settings.colour.parts
        return CGColor(srgbRed: parts[0], green: parts[1], blue: parts[2], alpha: 1)
      },
      set: { chosen in
        let converted = CGColorSpace(name: CGColorSpace.sRGB).flatMap {
          chosen.converted(to: $0, intent: .defaultIntent, options: nil)
        }
        guard let parts = converted?.components else { return }
        Task { await live.model.change { $0.colour = .init(parts.prefix(3).map(Double.init)) } }
      })
  }

  /// Files of other applications may be read only between two calls.
  private func with(_ picked: Result<URL, Error>, _ use: @escaping (URL) async -> Void) {
    switch picked {
    case .failure(let error): live.model.tell(error)
    case .success(let url):
      Task {
        let opened = url.startAccessingSecurityScopedResource()
        defer { if opened { url.stopAccessingSecurityScopedResource() } }
        await use(url)
      }
    }
  }
}
