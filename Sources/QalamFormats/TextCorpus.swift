// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Documents from files of text, streamed in bounded memory.
///
/// Read are `.txt`, `.jsonl`, `.tar` and each of them with `.gz`, `.xz` or `.zst` behind it, and folders of these.
/// Bytes pass unchanged, NUL and invalid UTF-8 included. Empty documents are left out.
package struct TextCorpus: Sendable {
    /// Where one document of a text file ends and the next begins.
    package enum Boundary: Sendable, Equatable {
        /// Each file is one document.
        case file
        /// A line with just this text, which may be empty, stands between documents and belongs to none.
        case line(String)
        /// A line that starts so is the first of a new document, as `= Title =` in texts from Wikipedia.
        case lineStartingWith(String)
    }

    /// How files are read.
    package struct Options: Sendable, Equatable {
        /// The field of each line of a `.jsonl` file that holds the text.
        package var field = "text"
        /// How text files are cut into documents.
        package var boundary = Boundary.file
        /// The most bytes of one piece.
        package var pieceLimit = 1 << 20
        /// The longest line accepted in a `.jsonl` file.
        package var lineLimit = 1 << 28

        /// The defaults: the field `text`, one document a text file, pieces of 1 MiB.
        package init() {}
    }

    /// A document or a part of one; never empty.
    package struct Piece: Sendable, Equatable {
        /// At most `pieceLimit` bytes; cut after a line end where there is one, else between characters.
        package var bytes: [UInt8]
        /// Whether the document ends here.
        package var endsDocument: Bool
        /// The file, and in a tar the member, that the bytes are from.
        package var path: String
    }

    /// The files to be read, in order; folders come sorted by name.
    package let files: [URL]
    /// Files in the folders that are of no kind that is read.
    package let skipped: [URL]
    /// How they are read.
    package let options: Options

    /// The documents of `paths`: files and folders.
    package init(_ paths: [URL], options: Options = Options()) throws(FormatError) {
        let found = try CorpusFiles(paths)
        (files, skipped) = (found.files, found.skipped)
        self.options = options
    }

    /// A reader at the first document.
    package func makeReader() -> TextCorpusReader { TextCorpusReader(files, options) }
}

/// A position in a `TextCorpus`.
package struct TextCorpusReader: ~Copyable {
    private let options: TextCorpus.Options
    private var lines: CorpusLines
    private var content = CorpusKind.Content.text
    /// The piece being filled.
    private var filling: [UInt8] = []
    /// A full piece of which it is not known yet whether its document goes on.
    private var held: TextCorpus.Piece?
    /// Pieces to be handed out, in order.
    private var ready: [TextCorpus.Piece] = []

    init(_ files: [URL], _ options: TextCorpus.Options) {
        self.options = options
        lines = CorpusLines(files, CorpusLines.Limits(text: options.pieceLimit, jsonLines: options.lineLimit))
    }

    /// Members of archives that were passed over so far, because of no kind that is read.
    package var skippedMembers: [String] { lines.skipped }

    /// The next piece; nil at the end.
    package mutating func next() throws(FormatError) -> TextCorpus.Piece? {
        while ready.isEmpty {
            switch try lines.next() {
            case .entry(let content): self.content = content
            case .line(let range, let starts, let ends):
                switch content {
                case .text: takeText(range, starts)
                case .jsonLines: try takeRecord(range, whole: starts && ends)
                }
            case .endOfEntry: endDocument()
            case nil: return nil
            }
        }
        return ready.removeFirst()
    }

    private mutating func takeText(_ range: Range<Int>, _ starts: Bool) {
        switch starts ? options.boundary : .file {
        case .line(let separator) where lineText(range).elementsEqual(separator.utf8):
            endDocument()
            return
        case .lineStartingWith(let prefix) where lineText(range).starts(with: prefix.utf8): endDocument()
        default: break
        }
        append(lines.buffer[range])
    }

    /// The line without its line end.
    private func lineText(_ range: Range<Int>) -> ArraySlice<UInt8> {
        var line = lines.buffer[range]
        if line.last == 0x0A { line.removeLast() }
        if line.last == 0x0D { line.removeLast() }
        return line
    }

    private mutating func takeRecord(_ range: Range<Int>, whole: Bool) throws(FormatError) {
        let (path, number) = (lines.path, lines.lineNumber)
        guard whole else {
            throw .badLine(path: path, line: number, why: "longer than \(options.lineLimit) bytes")
        }
        let text: [UInt8]?
        do throws(JSONFault) {
            text = try Self.field(options.field, of: JSONScanner(lines.buffer, range: range))
        } catch {
            throw .badLine(path: path, line: number, why: "byte \(error.at - range.lowerBound): \(error.why)")
        }
        guard let text else { return }
        append(text[...])
        endDocument()
    }

    /// The string under `name` in the object that `scanner` is at; nil if there is nothing but white space.
    private static func field(_ name: String, of scanner: consuming JSONScanner) throws(JSONFault) -> [UInt8]? {
        guard scanner.peek() != nil else { return nil }
        let start = scanner.position
        let wanted = Array(name.utf8)
        var text: [UInt8]?
        try scanner.object { scanner, key throws(JSONFault) in
            guard key == wanted else { return try scanner.skipValue() }
            guard text == nil else { throw scanner.fault("the field \"\(name)\" comes twice") }
            guard scanner.peek() == UInt8(ascii: "\"") else {
                throw scanner.fault("the field \"\(name)\" is not a string")
            }
            text = try scanner.string()
        }
        try scanner.finish()
        guard let text else { throw JSONFault(at: start, why: "there is no field \"\(name)\"") }
        return text
    }

    /// Adds bytes to the document, handing on each piece that is full.
    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        if filling.count + bytes.count > options.pieceLimit { passOn() }
        var rest = bytes
        while rest.count > options.pieceLimit {
            let piece = rest.prefix(cut(rest))
            filling += piece
            passOn()
            rest = rest.dropFirst(piece.count)
        }
        filling += rest
    }

    /// How many of `bytes`, which are more than a piece holds, the next piece takes.
    private func cut(_ bytes: ArraySlice<UInt8>) -> Int {
        let window = bytes.prefix(options.pieceLimit)
        if let newline = window.lastIndex(of: 0x0A) { return newline + 1 - bytes.startIndex }
        for back in 0...3 where bytes[window.endIndex - back] & 0xC0 != 0x80 && back < window.count {
            return window.count - back
        }
        return window.count
    }

    private mutating func passOn() {
        guard !filling.isEmpty else { return }
        if let held { ready.append(held) }
        held = TextCorpus.Piece(bytes: filling, endsDocument: false, path: lines.path)
        filling = []
    }

    private mutating func endDocument() {
        passOn()
        guard var last = held else { return }
        last.endsDocument = true
        ready.append(last)
        held = nil
    }
}
