// SPDX-License-Identifier: Apache-2.0

/// Collects JSON text.
struct JSONWriter {
    /// The text so far.
    private(set) var bytes: [UInt8] = []

    /// Appends text as it is.
    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends an object with text as its values.
    mutating func object(_ members: [(String, String)]) {
        raw("{")
        for (index, (key, value)) in members.enumerated() {
            raw(index == 0 ? "\"\(key)\": " : ", \"\(key)\": ")
            string(value)
        }
        raw("}")
    }

    /// Appends one step as it is, none as null, and more as a `Sequence` with the list called `list`.
    mutating func sequence<Step>(_ steps: [Step], list: String, _ write: (Step, inout JSONWriter) -> Void) {
        guard steps.count != 1 else { return write(steps[0], &self) }
        guard !steps.isEmpty else { return raw("null") }
        raw("{\"type\": \"Sequence\", \"\(list)\": [")
        for (index, step) in steps.enumerated() {
            if index > 0 { raw(", ") }
            write(step, &self)
        }
        raw("]}")
    }

    /// Appends a string in quotes, with what JSON forbids in one escaped.
    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
