// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// The parts of a split GGUF model: `name-00001-of-00003.gguf` and its siblings.
///
/// `split.count` and `split.no` (from 0) stand in every part, the other keys in the first; `split.tensors.count` is the
/// number of tensors of all parts.
package struct GGUFParts {
    static let numberKey = "split.no"
    static let countKey = "split.count"
    static let tensorCountKey = "split.tensors.count"

    private let urls: [URL]

    /// The parts of which the file at `url` is one; nil if its metadata don't say that it is.
    init?(_ url: URL, _ metadata: GGUFMetadata) throws(FormatError) {
        let count = try metadata.int(Self.countKey, default: 1)
        guard count != 0, count != 1 else { return nil }
        guard count > 1, count <= Int(UInt16.max) else {
            throw metadata.error(Self.countKey, "expected at most 65535, found \(count)")
        }
        let number = try metadata.int(Self.numberKey)
        guard number >= 0, number < count else {
            throw metadata.error(Self.numberKey, "expected 0 to \(count - 1), found \(number)")
        }
        let suffix = Self.suffix(number, of: count)
        guard url.lastPathComponent.hasSuffix(suffix) else {
            throw metadata.error(
                Self.countKey,
                "this is part \(number + 1) of \(count), so its name must end in \(suffix); give it that name again.")
        }
        urls = Self.urls(prefix: String(url.path.dropLast(suffix.count)), count: count)
        let missing = urls.filter { !FileManager.default.fileExists(atPath: $0.path) }.map(\.lastPathComponent)
        guard missing.isEmpty else {
            let shown = missing.prefix(4).joined(separator: ", ") + (missing.count > 4 ? ", …" : "")
            throw .unreadable(
                path: url.relativePath, why: "\(missing.count) of its \(count) parts are missing beside it: \(shown)")
        }
    }

    /// The files of a model in `count` parts, by their names' common start.
    package static func urls(prefix: String, count: Int) -> [URL] {
        (0..<count).map { URL(filePath: prefix + suffix($0, of: count)) }
    }

    private static func suffix(_ number: Int, of count: Int) -> String {
        func digits(_ number: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "-\(digits(number + 1))-of-\(digits(count)).gguf"
    }

    /// Opens every part; they must agree on how many they are.
    func open() throws(FormatError) -> (GGUFMetadata, [GGUF.Tensor], [MappedFile]) {
        var files: [MappedFile] = []
        var tensors: [GGUF.Tensor] = []
        var first: GGUFMetadata?
        for (number, url) in urls.enumerated() {
            let file = try MappedFile(url)
            let header = try GGUFHeader(file, index: number)
            for (key, expected) in [(Self.numberKey, number), (Self.countKey, urls.count)] {
                let found = try header.metadata.int(key)
                guard found == expected else {
                    throw header.metadata.error(key, "the file's name says \(expected), the file itself \(found)")
                }
            }
            first = first ?? header.metadata
            files.append(file)
            tensors += header.tensors
        }
        guard let first else { preconditionFailure("a split model has more than one part") }
        let expected = try first.int(Self.tensorCountKey, default: tensors.count)
        guard expected == tensors.count else {
            throw first.error(Self.tensorCountKey, "\(expected) tensors are announced and \(tensors.count) are there")
        }
        return (first, tensors, files)
    }
}
