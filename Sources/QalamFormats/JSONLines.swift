// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// The records of `.jsonl` files, one object a line, packed and compressed as `TextCorpus` takes them.
package struct JSONLinesReader: ~Copyable {
    private let lineLimit: Int
    private var lines: CorpusLines

    /// The records of `paths`: files and folders; a line may have up to `lineLimit` bytes.
    package init(_ paths: [URL], lineLimit: Int = 1 << 28) throws(FormatError) {
        self.lineLimit = lineLimit
        lines = CorpusLines(try CorpusFiles(paths).files, CorpusLines.Limits(text: lineLimit, jsonLines: lineLimit))
    }

    /// The next record, whose errors name file and line; nil at the end.
    ///
    /// Lines of white space are passed over.
    package mutating func next() throws(FormatError) -> JSONReader? {
        while let event = try lines.next() {
            switch event {
            case .entry(.text):
                throw .unsupported(path: lines.path, why: "records are needed, and this is text; give it .jsonl files.")
            case .line(let range, let starts, let ends):
                guard starts, ends else {
                    throw .badLine(path: lines.path, line: lines.lineNumber, why: "longer than \(lineLimit) bytes")
                }
                let line = lines.buffer[range]
                if line.allSatisfy({ [0x20, 0x09, 0x0D, 0x0A].contains($0) }) { continue }
                return try JSONReader(Array(line), file: "\(lines.path):\(lines.lineNumber)")
            case .entry, .endOfEntry: continue
            }
        }
        return nil
    }
}
