// SPDX-License-Identifier: Apache-2.0

/// Replacements of text by text as SentencePiece stores them in a model (`precompiled_charsmap`): a double-array trie
/// (Darts) whose values are places in a list of texts that end in a zero byte.
struct CharacterMap: Sendable, Equatable {
    /// The bytes as the file has them: length of the trie, trie, texts.
    let bytes: [UInt8]
    /// How a text is looked at: by characters, or by the longest entry at each place.
    var takesLongest = false
    private let units: [UInt32]
    private let texts: ArraySlice<UInt8>

    /// Reads a map; nil if its lengths do not fit.
    init?(_ bytes: [UInt8], takesLongest: Bool = false) {
        guard bytes.count >= 4 else { return nil }
        let size = Int(Self.word(bytes, 0))
        guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else { return nil }
        self.bytes = bytes
        self.takesLongest = takesLongest
        units = stride(from: 4, to: 4 + size, by: 4).map { Self.word(bytes, $0) }
        texts = bytes[(4 + size)...]
    }

    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }

    /// The text with all replacements made.
    func apply(_ text: String) -> String {
        takesLongest ? String(decoding: applyLongest([UInt8](text.utf8)[...]), as: UTF8.self) : applyByCharacter(text)
    }

    /// As Hugging Face does it: short characters as a whole by the shortest entry that they begin with, others by code
    /// point.
    private func applyByCharacter(_ text: String) -> String {
        var output: [UInt8] = []
        for character in text {
            let whole = [UInt8](character.utf8)
            if whole.count < 6, let found = find(whole[...], longest: false) {
                output += self.text(found.value)
                continue
            }
            for scalar in character.unicodeScalars {
                let part = [UInt8](String(scalar).utf8)
                output += find(part[...], longest: false).map { self.text($0.value) } ?? part[...]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func applyLongest(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var at = text.startIndex
        while at < text.endIndex {
            if let found = find(text[at...], longest: true) {
                output += self.text(found.value)
                at += found.length
            } else {
                output.append(text[at])
                at += 1
            }
        }
        return output
    }

    /// The shortest or longest entry that `text` begins with.
    private func find(_ text: ArraySlice<UInt8>, longest: Bool) -> (value: Int, length: Int)? {
        var found: (Int, Int)?
        var node = 0
        var unit = units[0]
        node ^= Self.offset(unit)
        for (index, byte) in text.enumerated() {
            guard byte != 0 else { break }
            node ^= Int(byte)
            guard node < units.count else { break }
            unit = units[node]
            // The label sits in the low byte; the top bit marks a value rather than a node.
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            node ^= Self.offset(unit)
            guard node < units.count else { break }
            if unit >> 8 & 1 == 1 {
                found = (Int(units[node] & 0x7FFF_FFFF), index + 1)
                if !longest { break }
            }
        }
        return found
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }

    private func text(_ place: Int) -> ArraySlice<UInt8> {
        guard place < texts.count else { return [] }
        return texts[(texts.startIndex + place)...].prefix { $0 != 0 }
    }
}
