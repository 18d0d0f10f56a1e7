// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import BenchmarkKit
import RTIOSKit
import SwiftUI

/// Runs a benchmark and hands its bundles on.
struct BenchmarkView: View {
  @ObservedObject var benchmark: Observed<BenchmarkModel>
  @State private var shared: SharedFile?

  private var model: BenchmarkModel { benchmark.model }
  private var state: BenchmarkModel.State { benchmark.model.state }

  var body: some View {
    NavigationView {
      Form {
        Section { choices }.disabled(state.isRunning)
        Section { run }
        Section(header: Text(Phrase.results.localized())) {
          ForEach(state.runs) { row($0) }
        }
      }
      .navigationTitle(Phrase.benchmark.localized())
    }
    .navigationViewStyle(.stack)
    .sheet(item: $shared) { ShareSheet(file: $0.url) }
    .onChange(of: state.isRunning) { UIApplication.shared.isIdleTimerDisabled = $0 }
  }

  @ViewBuilder private var choices: some View {
    picker(.model, state.chosenModel?.id ?? "", state.models.map(\.id), { $0 }, choose: { model.choose(model: $0) })
    picker(.suite, state.chosenSuite?.id ?? "", state.suites.map(\.id), { $0 }, choose: { model.choose(suite: $0) })
    picker(.profile, state.profile, Profile.allCases, { $0.phrase.localized() }, choose: { model.choose(profile: $0) })
  }

  private func picker<Value: Hashable>(
    _ phrase: Phrase, _ chosen: Value, _ values: [Value], _ name: @escaping (Value) -> String,
    choose: @escaping (Value) -> Void
  ) -> some View {
    Picker(phrase.localized(), selection: .init(get: { chosen }, set: choose)) {
      ForEach(values, id: \.self) { Text(name($0)).tag($0) }
    }
  }

  @ViewBuilder private var run: some View {
    switch state.phase {
    case .running(let progress):
      ProgressView(value: progress.fraction) { Text(progress.activity) }
      Button(Phrase.cancel.localized(), role: .cancel) { model.cancel() }
    case .idle: EmptyView()
    case .partial: Label(Phrase.partial.localized(), systemImage: "pause.circle")
    case .complete: Label(Phrase.completed.localized(), systemImage: "checkmark.circle")
    case .failed(let reason): Label(reason, systemImage: "exclamationmark.triangle")
    }
    if state.canRun {
      Button((state.phase == .partial ? Phrase.goOn : .run).localized()) { Task { await model.run() } }
    } else if !state.isRunning {
      Text(Phrase.nothingToRun.localized())
    }
  }

  private func row(_ run: RecordedRun) -> some View {
    HStack {
      VStack(alignment: .leading) {
        Text(run.label).font(.headline)
        Text(run.summary.localized()).font(.subheadline)
      }
      Spacer()
      Button {
        shared = (try? zipFile(of: run.folder)).map(SharedFile.init)
      } label: {
        SwiftUI.Image(systemName: "square.and.arrow.up")
      }
      .accessibilityLabel(Phrase.share.localized())
    }
    .accessibilityElement(children: .combine)
  }
}

/// A bundle as `<run_id>.run.zip`.
private struct SharedFile: Identifiable {
  let url: URL
  var id: URL { url }
}

private struct ShareSheet: UIViewControllerRepresentable {
  let file: URL

  func makeUIViewController(context: Context) -> UIActivityViewController {
    UIActivityViewController(activityItems: [file], applicationActivities: nil)
  }

  func updateUIViewController(_ controller: UIActivityViewController, context: Context) {}
}
