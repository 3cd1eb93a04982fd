// SPDX-License-Identifier: Apache-2.0

/// The name of a model on a hub, `owner/name`, and which of its quantizations is meant, `owner/name:Q4_K_M`.
package struct ModelName: Hashable, Sendable, CustomStringConvertible {
    /// Who published it.
    package let owner: String
    /// What it is called there.
    package let name: String
    /// The quantization after the colon, as written; nil if there is none.
    package let variant: String?

    /// `owner/name`, as hubs call it.
    package var id: String { "\(owner)/\(name)" }

    /// The whole name, with the quantization.
    package var description: String { variant.map { "\(id):\($0)" } ?? id }

    /// Reads `owner/name` or `owner/name:variant`.
    package init(_ text: String) throws(HubError) {
        let halves = Self.split(text)
        if let variant = halves.variant, !Self.isWord(variant) {
            throw .badName(text, why: "after the colon stands a quantization such as Q4_K_M")
        }
        let parts = halves.name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw .badName(text, why: "it needs one owner and one name") }
        for part in parts where !Self.isPart(part) {
            throw .badName(text, why: "\"\(part)\" must be letters, digits, \".\", \"_\" and \"-\"")
        }
        (owner, name, variant) = (parts[0], parts[1], halves.variant)
    }

    /// Whether `text` is a whole name, which a hub may have.
    package static func isWhole(_ text: String) -> Bool { (try? ModelName(text)) != nil }

    /// What stands before and behind the last colon.
    static func split(_ text: String) -> (name: String, variant: String?) {
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("/") else { return (text, nil) }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    /// What a hub takes as the name of an owner or a model, less what would get in the way of our own files: hidden
    /// names, and the two endings that replacing a folder uses.
    private static func isPart(_ text: String) -> Bool {
        isWord(text) && text.first != "." && text.first != "-" && text.last != "." && !text.contains("..")
            && !text.hasSuffix(".partial") && !text.hasSuffix(".previous")
    }

    private static func isWord(_ text: String) -> Bool {
        (1...96).contains(text.utf8.count) && text.utf8.allSatisfy { isNameByte($0) }
    }
}

/// ASCII letters, digits, ".", "_" and "-".
func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
}

/// The names nearest to `name` by edit distance (Levenshtein 1966), at most three, none that share little with it.
func nearest(_ name: String, among names: [String]) -> [String] {
    let wanted = Array(name.lowercased().utf8.prefix(200))
    let scored = names.map { candidate in
        let other = Array(candidate.lowercased().utf8.prefix(200))
        let isPart = wanted.count >= 3 && candidate.lowercased().contains(name.lowercased())
        return (name: candidate, distance: isPart ? 0 : distance(wanted, other))
    }
    return scored.filter { $0.distance <= max(2, wanted.count / 3) }
        .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
}

private func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
        }
    }
    return row[b.count]
}
