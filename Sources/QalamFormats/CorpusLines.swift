// SPDX-License-Identifier: Apache-2.0

import Foundation

/// All lines of the files of a corpus, one entry after another, in bounded memory.
struct CorpusLines: ~Copyable {
    /// The longest line handed out whole, by what the file holds.
    struct Limits {
        let text: Int
        let jsonLines: Int
    }

    /// What comes next.
    enum Event {
        /// A new file or a new member of an archive begins.
        case entry(CorpusKind.Content)
        /// `buffer[range]` is a line, its line end included, or a part of one that is longer than the limit.
        case line(Range<Int>, starts: Bool, ends: Bool)
        /// The entry is over.
        case endOfEntry
    }

    private static let readSize = 1 << 17

    /// The bytes that ranges refer to, until the next call.
    private(set) var buffer: [UInt8] = []
    /// The entry in hand, as errors name it.
    private(set) var path = ""
    /// The number of the last line handed out, from 1.
    private(set) var lineNumber = 0
    /// Members of archives that were passed over, so far.
    private(set) var skipped: [String] = []

    private var remaining: ArraySlice<URL>
    private let limits: Limits
    private var limit = 0
    private var input: ArchiveInput?
    private var inEntry = false
    private var atEnd = false
    private var atLineStart = true
    /// `buffer[start..<filled]` is still to be handed out.
    private var start = 0
    private var filled = 0

    /// Lines of `files`, whose kinds are known.
    init(_ files: [URL], _ limits: Limits) {
        precondition(min(limits.text, limits.jsonLines) >= 16, "limits \(limits) are below 16")
        remaining = files[...]
        self.limits = limits
    }

    /// The next event; nil at the end of the last file.
    mutating func next() throws(FormatError) -> Event? {
        if inEntry { return try nextLine() }
        while true {
            if let input {
                if let content = try input.nextEntry() {
                    limit = content == .text ? limits.text : limits.jsonLines
                    (path, lineNumber, inEntry, atEnd, atLineStart, start, filled) =
                        (input.entryPath, 0, true, false, true, 0, 0)
                    return .entry(content)
                }
                skipped += input.skipped
            }
            guard let url = remaining.popFirst() else {
                input = nil
                return nil
            }
            guard let kind = CorpusKind(url.lastPathComponent) else {
                preconditionFailure("\(url.relativePath) is no file of a corpus")
            }
            input = try ArchiveInput(url, kind)
        }
    }

    private mutating func nextLine() throws(FormatError) -> Event {
        var scanned = start
        while true {
            if let newline = newline(from: scanned, to: min(filled, start + limit)) {
                return line(upTo: newline + 1, ends: true)
            }
            if filled - start >= limit { return line(upTo: characterBoundary(before: start + limit), ends: false) }
            if atEnd {
                if start < filled { return line(upTo: filled, ends: true) }
                inEntry = false
                return .endOfEntry
            }
            let unscanned = filled - start
            try refill()
            scanned = start + unscanned
        }
    }

    private mutating func line(upTo end: Int, ends: Bool) -> Event {
        let range = start..<end
        let starts = atLineStart
        if starts { lineNumber += 1 }
        (start, atLineStart) = (end, ends)
        return .line(range, starts: starts, ends: ends)
    }

    /// The last place at or before `end` that does not split a UTF-8 character; `end` itself if the bytes are no UTF-8.
    private func characterBoundary(before end: Int) -> Int {
        guard end < filled else { return end }
        for back in 0...3 where buffer[end - back] & 0xC0 != 0x80 { return end - back }
        return end
    }

    private func newline(from: Int, to: Int) -> Int? {
        guard from < to else { return nil }
        return buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, let hit = memchr(base + from, 0x0A, to - from) else { return nil }
            return UnsafeRawPointer(hit) - base
        }
    }

    /// Moves what is left to the front and reads one more block behind it.
    private mutating func refill() throws(FormatError) {
        guard let input else { return }
        if start > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { memmove(base, base + start, filled - start) }
            }
            (start, filled) = (0, filled - start)
        }
        if buffer.count < filled + Self.readSize {
            buffer += [UInt8](repeating: 0, count: filled + max(filled, Self.readSize) - buffer.count)
        }
        let from = filled
        let count = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(FormatError) in
            try input.read(into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: bytes[from...])))
        }
        filled += count
        atEnd = count == 0
    }
}
