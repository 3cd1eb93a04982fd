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

    /// The text that stands for `bytes`.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(scalars[Int(byte)]) }
        return String(text)
    }

    /// Reads the UTF-8 of texts in the alphabet, many of them.
    struct Reader {
        private let table = Block(bytes)

        /// The byte of the character at `index`, which moves on; -1 if it stands for none.
        @inline(__always)
        private func next(_ text: ByteView, _ index: inout Int) -> Int16 {
            var point = Int(text[index])
            index &+= 1
            if point >= 0x80 {
                guard index < text.count, point >= 0xC2, point <= 0xC5, text[index] & 0xC0 == 0x80 else { return -1 }
                point = (point & 0x1F) &<< 6 | Int(text[index] & 0x3F)
                index &+= 1
            }
            return point < table.count ? table[point] : -1
        }

        /// Appends the bytes that `text` stands for; false if one of its characters stands for none.
        func append(_ text: ArraySlice<UInt8>, to output: inout [UInt8]) -> Bool {
            text.withUnsafeBytes { buffer in
                ByteView.with(buffer) { view in
                    var index = 0
                    while index < view.count {
                        let byte = next(view, &index)
                        guard byte >= 0 else { return false }
                        output.append(UInt8(truncatingIfNeeded: byte))
                    }
                    return true
                }
            }
        }

        /// Writes the bytes of two texts with a space between them, in `start ..< end` of `text`, to the front of
        /// `output`, which has room for as many bytes; how many the left one and both have, nil if there are not two.
        func readPair(
            _ text: ByteView, _ start: Int, _ end: Int, into output: Block<UInt8>
        ) -> (left: Int, both: Int)? {
            let pair = text.slice(start, end)
            var index = 0
            var left = 0
            var count = 0
            while index < pair.count {
                if pair[index] == 0x20 {
                    guard left == 0, count > 0 else { return nil }
                    left = count
                    index &+= 1
                    continue
                }
                let byte = next(pair, &index)
                guard byte >= 0 else { return nil }
                output[count] = UInt8(truncatingIfNeeded: byte)
                count &+= 1
            }
            return left > 0 && count > left ? (left, count) : nil
        }
    }
}
