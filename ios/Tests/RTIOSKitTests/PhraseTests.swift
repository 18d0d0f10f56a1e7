// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import RTIOSKit

@Suite struct PhraseTests {
  /// The texts of a language, as the application has them.
  private func table(_ language: String) throws -> [String: String] {
    let file = Shipped.repository.appendingPathComponent("ios/RTIOS/\(language).lproj/Localizable.strings")
    let table = try PropertyListSerialization.propertyList(from: Data(contentsOf: file), format: nil)
    return try #require(table as? [String: String])
  }

  private func gaps(_ text: String) -> Set<String> {
    let parts = text.split(separator: "{", omittingEmptySubsequences: false).dropFirst()
    return Set(parts.compactMap { $0.split(separator: "}").first.map(String.init) })
  }

  @Test(arguments: ["en", "es"]) func everyPhraseHasATextAndNoTextIsLeftOver(_ language: String) throws {
    let table = try table(language)
    #expect(Set(table.keys) == Set(Phrase.allCases.map(\.rawValue)))
    #expect(table.values.allSatisfy { !$0.isEmpty })
  }

  @Test func bothLanguagesHaveTheSameGaps() throws {
    let (english, spanish) = (try table("en"), try table("es"))
    for (key, text) in english { #expect(gaps(text) == gaps(spanish[key] ?? ""), "\(key)") }
  }

  @Test func argumentsFillTheGapsOfATextInAnyOrder() {
    #expect(Phrase.error.filled("{1} before {0}", with: ["a", "b"]) == "b before a")
  }

  @Test func everyStateWithoutAPictureIsExplainedOrActedOn() {
    #expect(Session.State.running.explanation == nil && Session.State.failed(.refused).explanation == nil)
    #expect(Session.State.interrupted(.inUse).explanation == Message(.interruptedInUse))
    #expect(Session.State.failed(.error("why")).explanation == Message(.error, "why"))
  }
}
