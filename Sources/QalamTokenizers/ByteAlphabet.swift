// SPDX-License-Identifier: Apache-2.0

/// The printable characters by which `tokenizer.json` writes bytes (GPT-2's table): printable Latin-1 stands for
/// itself, the other 68 bytes for U+0100 and up in order.
enum ByteAlphabet {
    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var spare: UInt32 = 0x100
        return (0..<256).map { byte in
            if isPrintable(byte) { return Unicode.Scalar(UInt8(byte)) }
            defer { spare += 1 }
            return Unicode.Scalar(spare) ?? "?"
        }
    }()

    /// The byte of each character below U+0144, -1 for characters that stand for none.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
        return table
    }()

    /// The bytes in the order of their characters: how Hugging Face numbers them in a trained vocabulary.
    static let order: [UInt8] = (0..<256).map(UInt8.init).sorted { scalars[Int($0)] < scalars[Int($1)] }

    private static func isPrintable(_ byte: Int) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
    }

    /// Appends the bytes that `text` stands for; false if one of its characters stands for none.
    static func append(_ text: String, to output: inout [UInt8]) -> Bool {
        for scalar in text.unicodeScalars {
            guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return false }
            output.append(UInt8(truncatingIfNeeded: bytes[Int(scalar.value)]))
        }
        return true
    }

    /// As `append(_:to:)`, for the UTF-8 of a text.
    static func append(utf8 text: ArraySlice<UInt8>, to output: inout [UInt8]) -> Bool {
        text.withUnsafeBufferPointer { text in
            var at = 0
            while at < text.count {
                var point = Int(text[at])
                at += 1
                if point >= 0x80 {
                    guard at < text.count, (0xC2...0xC5).contains(point), text[at] & 0xC0 == 0x80 else { return false }
                    point = (point & 0x1F) << 6 | Int(text[at] & 0x3F)
                    at += 1
                }
                guard point < 0x144, bytes[point] >= 0 else { return false }
                output.append(UInt8(truncatingIfNeeded: bytes[point]))
            }
            return true
        }
    }

    /// The text that stands for `bytes`.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(scalars[Int(byte)]) }
        return String(text)
    }
}
