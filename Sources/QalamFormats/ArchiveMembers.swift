// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// The files in a tar, plain or with .gz, .xz or .zst behind it, one after another and of any kind.
package final class ArchiveMembers {
    private let input: ArchiveInput

    /// Opens the archive at `url`.
    package init(_ url: URL) throws(FormatError) {
        guard let kind = CorpusKind(url.lastPathComponent), kind.content == nil else {
            throw .unsupported(path: url.relativePath, why: "this is no archive that is read; give it as .tar.")
        }
        input = try ArchiveInput(url, kind)
    }

    /// Whether a file of this name is an archive that is read.
    package static func reads(_ name: String) -> Bool {
        CorpusKind(name).map { $0.content == nil } ?? false
    }

    /// Moves to the next file and returns its name; nil at the end.
    package func next() throws(FormatError) -> String? { try input.nextFile() }

    /// The bytes of the file in hand.
    ///
    /// - Throws: `FormatError` if there are more than `limit`.
    package func bytes(limit: Int) throws(FormatError) -> [UInt8] {
        var result: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try block.withUnsafeMutableBufferPointer { (bytes) throws(FormatError) in
                try input.read(into: UnsafeMutableRawBufferPointer(bytes))
            }
            if count == 0 { return result }
            result += block[..<count]
            guard result.count <= limit else {
                throw .unsupported(path: input.entryPath, why: "it has more than \(limit) bytes; leave it out.")
            }
        }
    }
}
