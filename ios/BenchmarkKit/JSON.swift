// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A JSON value: the content of `run.json`.
package indirect enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// Reads a whole text.
  ///
  /// - Throws: what is wrong with it, as Foundation says it.
  package init(parsing text: Data) throws { self = try JSONDecoder().decode(JSON.self, from: text) }

  /// The text, with a member on each line and keys in alphabetical order.
  package func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }

  package var int: Int? { if case .int(let value) = self { value } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var array: [JSON] { if case .array(let values) = self { values } else { [] } }

  /// A member of an object; null where there is none. Setting one makes anything else an object.
  package subscript(key: String) -> JSON {
    get { if case .object(let members) = self { members[key] ?? .null } else { .null } }
    set {
      var members: [String: JSON] = if case .object(let members) = self { members } else { [:] }
      members[key] = newValue
      self = .object(members)
    }
  }

  /// A member of a member, by keys with a dot between them; null where there is none.
  package subscript(path path: String) -> JSON { path.split(separator: ".").reduce(self) { $0[String($1)] } }

  /// This object with another's members, which replace its own.
  package func merging(_ other: JSON) -> JSON {
    guard case .object(let members) = self, case .object(let others) = other else { return other }
    return .object(members.merging(others) { $1 })
  }

  package mutating func append(_ value: JSON) { self = .array(array + [value]) }
}

extension JSON: Codable {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let int = try? value.decode(Int.self) {
      self = .int(int)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let string = try? value.decode(String.self) {
      self = .string(string)
    } else if let array = try? value.decode([JSON].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: JSON].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .int(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let values): try container.encode(values)
    case .object(let members): try container.encode(members)
    }
  }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(nilLiteral: ()) { self = .null }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int) { self = .int(value) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(elements) { $1 })
  }

  /// The value's word, or null.
  package init(_ word: (some RawRepresentable<String>)?) { self = word.map { .string($0.rawValue) } ?? .null }
  package init(_ value: Bool?) { self = value.map(JSON.bool) ?? .null }
  package init(_ value: Int?) { self = value.map(JSON.int) ?? .null }
  package init(_ value: String?) { self = value.map(JSON.string) ?? .null }
}
