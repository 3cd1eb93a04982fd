// SPDX-License-Identifier: Apache-2.0

/// Python's string operations on UTF-8: templates are written for Python, where strings are sequences of scalars.
///
/// Swift's own operations work on characters and treat canonically equal ones as the same, which would render other
/// bytes.
enum PythonText {
    typealias Bytes = [UInt8]

    /// Whether Python's `str.isspace` holds.
    static func isSpace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// The first scalar, and how many bytes it takes; `text` is valid UTF-8.
    static func scalar(_ text: ArraySlice<UInt8>) -> (value: UInt32, length: Int) {
        guard let first = text.first else { return (0, 1) }
        func next(_ offset: Int) -> UInt32 { UInt32(text[text.startIndex + offset] & 0x3F) }
        switch (first, text.count) {
        case (0xF0..., 4...): return (UInt32(first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
        case (0xE0..., 3...): return (UInt32(first & 0x0F) << 12 | next(1) << 6 | next(2), 3)
        case (0xC0..., 2...): return (UInt32(first & 0x1F) << 6 | next(1), 2)
        default: return (UInt32(first), 1)
        }
    }

    /// Where each scalar of `text` starts, and its end.
    static func boundaries(_ text: Bytes) -> [Int] {
        var starts = text.indices.filter { text[$0] & 0xC0 != 0x80 }
        starts.append(text.count)
        return starts
    }

    /// How many scalars `text` has.
    static func count(_ text: Bytes) -> Int { text.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) } }

    // MARK: Trimming

    /// `text` without leading white space, or without leading scalars of `set`.
    static func trimmedStart(_ text: ArraySlice<UInt8>, _ set: Set<UInt32>? = nil) -> ArraySlice<UInt8> {
        var text = text
        while !text.isEmpty {
            let (value, length) = scalar(text)
            guard set?.contains(value) ?? isSpace(value) else { break }
            text = text.dropFirst(length)
        }
        return text
    }

    /// `text` without trailing white space, or without trailing scalars of `set`.
    static func trimmedEnd(_ text: ArraySlice<UInt8>, _ set: Set<UInt32>? = nil) -> ArraySlice<UInt8> {
        var text = text
        while let start = text.lastIndex(where: { $0 & 0xC0 != 0x80 }) {
            let (value, _) = scalar(text[start...])
            guard set?.contains(value) ?? isSpace(value) else { break }
            text = text[..<start]
        }
        return text
    }

    /// The scalars of `text`.
    static func scalars(_ text: Bytes) -> Set<UInt32> {
        Set(String(decoding: text, as: UTF8.self).unicodeScalars.map(\.value))
    }

    // MARK: Searching

    /// Where `needle` first starts in `text` at or after `start`.
    static func find(_ needle: Bytes, in text: Bytes, from start: Int = 0) -> Int? {
        guard let first = needle.first else { return start <= text.count ? start : nil }
        var index = start
        while index + needle.count <= text.count {
            guard let hit = text[index...(text.count - needle.count)].firstIndex(of: first) else { return nil }
            if text[hit..<hit + needle.count].elementsEqual(needle) { return hit }
            index = hit + 1
        }
        return nil
    }

    /// Where `needle` starts in `text`, up to `limit` times, without overlaps.
    static func matches(_ needle: Bytes, in text: Bytes, limit: Int) -> [Int] {
        var found: [Int] = []
        var index = 0
        while found.count < limit, let hit = find(needle, in: text, from: index) {
            found.append(hit)
            index = hit + needle.count
        }
        return found
    }

    /// `text` with `old` replaced by `new`, the first `limit` times.
    static func replace(_ old: Bytes, by new: Bytes, in text: Bytes, limit: Int) -> Bytes {
        // An empty pattern matches before each scalar and at the end.
        let hits = old.isEmpty ? Array(boundaries(text).prefix(limit)) : matches(old, in: text, limit: limit)
        guard !hits.isEmpty else { return text }
        var result: Bytes = []
        result.reserveCapacity(text.count + hits.count * (new.count - min(new.count, old.count)))
        var index = 0
        for hit in hits {
            result += text[index..<hit]
            result += new
            index = hit + old.count
        }
        return result + text[index...]
    }

    // MARK: Splitting

    /// `text` cut at `separator`, at most `limit` times, from the front or from the back.
    static func split(_ text: Bytes, at separator: Bytes, limit: Int, fromBack: Bool = false) -> [Bytes] {
        let hits =
            fromBack
            ? backMatches(separator, in: text, limit: limit) : matches(separator, in: text, limit: limit)
        var parts: [Bytes] = []
        var index = 0
        for hit in hits {
            parts.append(Array(text[index..<hit]))
            index = hit + separator.count
        }
        return parts + [Array(text[index...])]
    }

    /// Where `needle` starts, found from the back without overlaps, in ascending order.
    private static func backMatches(_ needle: Bytes, in text: Bytes, limit: Int) -> [Int] {
        var found: [Int] = []
        var index = text.count - needle.count
        while index >= 0, found.count < limit {
            if text[index..<index + needle.count].elementsEqual(needle) {
                found.append(index)
                index -= needle.count
            } else {
                index -= 1
            }
        }
        return found.reversed()
    }

    /// The words of `text` between white space, at most `limit` cuts from the front.
    static func words(_ text: Bytes, limit: Int) -> [Bytes] {
        var parts: [Bytes] = []
        var rest = trimmedStart(text[...])
        while !rest.isEmpty {
            if parts.count == limit { return parts + [Array(rest)] }
            var end = rest.startIndex
            while end < rest.endIndex {
                let (value, length) = scalar(rest[end...])
                if isSpace(value) { break }
                end += length
            }
            parts.append(Array(rest[..<end]))
            rest = trimmedStart(rest[end...])
        }
        return parts
    }

    /// The lines of `text`, as `str.splitlines`.
    static func lines(_ text: Bytes, keepEnds: Bool) -> [Bytes] {
        var parts: [Bytes] = []
        var (start, index) = (0, 0)
        while index < text.count {
            let (value, length) = scalar(text[index...])
            let lineEnd = index
            index += length
            switch value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                if value == 0x0D, index < text.count, text[index] == 0x0A { index += 1 }
                parts.append(Array(text[start..<(keepEnds ? index : lineEnd)]))
                start = index
            default: break
            }
        }
        if start < text.count { parts.append(Array(text[start...])) }
        return parts
    }

    // MARK: Case

    /// `text` in upper case.
    static func upper(_ text: Bytes) -> Bytes { Array(String(decoding: text, as: UTF8.self).uppercased().utf8) }

    /// `text` in lower case.
    static func lower(_ text: Bytes) -> Bytes { Array(String(decoding: text, as: UTF8.self).lowercased().utf8) }

    /// The first scalar in upper case, the rest in lower case.
    static func capitalized(_ text: Bytes) -> Bytes {
        guard !text.isEmpty else { return text }
        let length = scalar(text[...]).length
        return titleCase(Array(text[..<length])) + lower(Array(text[length...]))
    }

    private static func titleCase(_ text: Bytes) -> Bytes {
        String(decoding: text, as: UTF8.self).unicodeScalars.flatMap { Array($0.properties.titlecaseMapping.utf8) }
    }

    /// As `str.title`: each run of letters that have case begins with upper case and goes on in lower case.
    static func titled(_ text: Bytes) -> Bytes {
        var result: Bytes = []
        var insideWord = false
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            let properties = scalar.properties
            result += insideWord ? properties.lowercaseMapping.utf8 : properties.titlecaseMapping.utf8
            insideWord = properties.isCased
        }
        return result
    }

    /// As Jinja's filter `title`: words begin after white space, `-`, `(`, `{`, `[` and `<`.
    static func filterTitled(_ text: Bytes) -> Bytes {
        var result: Bytes = []
        var word = ""
        func finished() -> Bytes {
            guard let first = word.unicodeScalars.first else { return [] }
            let rest = String(String.UnicodeScalarView(word.unicodeScalars.dropFirst()))
            return Array(String(Character(first)).uppercased().utf8) + Array(rest.lowercased().utf8)
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if isSpace(scalar.value) || "-({[<".unicodeScalars.contains(scalar) {
                result += finished() + Array(String(Character(scalar)).utf8)
                word = ""
            } else {
                word.unicodeScalars.append(scalar)
            }
        }
        return result + finished()
    }
}
