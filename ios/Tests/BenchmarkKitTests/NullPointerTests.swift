// SPDX-License-Identifier: Apache-2.0
import CSegBundle
import Testing

@Suite struct NullPointerTests {
  @Test func aMissingPointerIsAnErrorThatNamesIt() {
    let calls: [(String, (UnsafeMutablePointer<segcore_error>) -> segcore_code)] = [
      ("path", { segbundle_hash_file(nil, nil, $0) }),
      ("hex", { segbundle_hash_file("/", nil, $0) }),
      ("argv", { segbundle_command_line("a", "b", 1, nil, nil, $0) }),
      ("model", { segbundle_model_read("/", nil, nil, $0) }),
      ("model", { segbundle_model_damage(nil, $0) }),
      ("suite", { segbundle_suite_load("/", nil, $0) }),
      ("suite", { segbundle_suite_verify(nil, $0) }),
      ("suite", { segbundle_suite_read_image(nil, 0, nil, 0, $0) }),
    ]
    for (name, call) in calls {
      var error = segcore_error()
      #expect(call(&error) == SEGCORE_INVALID_ARGUMENT)
      let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      #expect(message == "\(name) is a null pointer")
    }
    #expect(segbundle_model_facts(nil) == nil && segbundle_suite_facts(nil) == nil)
  }
}
