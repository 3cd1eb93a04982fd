// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Which pictures show the same thing: those that share a name or a character, tones and genders apart, and those that
/// look alike.
struct Concepts {
    private var parents: [Int]
    private var firstWithKey: [String: Int] = [:]
    private var thumbnails: [[UInt8]] = []
    /// Side of the small pictures that are compared.
    private static let thumbnailSide = 16
    /// Pictures whose small versions differ by this share of their sum or less look alike.
    private static let likeness = 0.03

    init() { parents = [] }

    /// Adds the next picture.
    mutating func add(name: String, character: String?, picture: Picture) {
        let index = parents.count
        parents.append(index)
        var keys = ["name \(Self.conceptName(name))"]
        if let character { keys.append("character \(Self.conceptCharacter(character))") }
        for key in keys {
            if let first = firstWithKey[key] { join(first, index) } else { firstWithKey[key] = index }
        }
        thumbnails.append(picture.resized(width: Self.thumbnailSide, height: Self.thumbnailSide).premultiplied)
    }

    /// Joins pictures that look alike, such as one flag under two names.
    mutating func joinLikenesses() {
        let sums = thumbnails.map { $0.reduce(0) { $0 + Int($1) } }
        let order = sums.indices.sorted { (sums[$0], $0) < (sums[$1], $1) }
        for (place, a) in order.enumerated() {
            let allowed = Int(Self.likeness * Double(sums[a]))
            for b in order[(place + 1)...] {
                guard sums[b] - sums[a] <= allowed else { break }
                if root(a) != root(b), Self.differ(thumbnails[a], thumbnails[b], atMost: allowed) { join(a, b) }
            }
        }
    }

    /// For each picture the first picture of its concept.
    mutating func roots() -> [Int] { parents.indices.map { root($0) } }

    private mutating func root(_ index: Int) -> Int {
        var index = index
        while parents[index] != index {
            parents[index] = parents[parents[index]]
            index = parents[index]
        }
        return index
    }

    private mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        parents[max(a, b)] = min(a, b)
    }

    private static func differ(_ a: [UInt8], _ b: [UInt8], atMost limit: Int) -> Bool {
        var sum = 0
        for row in stride(from: 0, to: a.count, by: 64) {
            var difference: Int32 = 0
            for i in row..<row + 64 { difference += abs(Int32(a[i]) - Int32(b[i])) }
            sum += Int(difference)
            if sum > limit { return false }
        }
        return true
    }

    // MARK: Names

    private static let people: Set<String> = [
        "man", "woman", "men", "women", "person", "people", "boy", "girl", "male", "female", "adult",
    ]

    /// A name without tones and genders: "woman astronaut: dark skin tone" as "astronaut".
    static func conceptName(_ name: String) -> String {
        var text = name.lowercased()
        if let colon = text.firstRange(of: ":"), text[colon.upperBound...].contains("skin tone") {
            let rest = text[colon.upperBound...].split(separator: ",").filter { !$0.contains("skin tone") }
            text = text[..<colon.lowerBound] + (rest.isEmpty ? "" : ":\(rest.joined(separator: ","))")
        }
        let words = text.split { !$0.isLetter && !$0.isNumber && $0 != "#" && $0 != "*" }.map(String.init)
        let kept = words.filter { !people.contains($0) }
        return kept.isEmpty ? "person" : kept.joined(separator: " ")
    }

    /// Characters without skin tones, genders and variation selectors; a man, woman or person as a person.
    static func conceptCharacter(_ character: String) -> String {
        let scalars = character.unicodeScalars.map(\.value).filter {
            !(0x1F3FB...0x1F3FF).contains($0) && ![0xFE0F, 0x200D, 0x2640, 0x2642].contains($0)
        }
        let neutral = scalars.map { [0x1F468, 0x1F469].contains($0) ? 0x1F9D1 : $0 }
        return neutral.map { String($0, radix: 16) }.joined(separator: " ")
    }
}

/// A 64-bit hash that is the same on every machine (FNV-1a), for choices that follow from a name.
func stableHash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
