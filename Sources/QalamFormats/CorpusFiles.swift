// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a name says about a file of text: how it is packed, how it is compressed, and what its lines are.
struct CorpusKind: Equatable {
    enum Content { case text, jsonLines }
    enum Compression: String { case gzip = "gz", xz, zstd = "zst" }

    static let supported = "a folder, .txt, .jsonl, .tar, or one of these with .gz, .xz or .zst behind it"

    let compression: Compression?
    /// What the file holds; nil for a tar archive, whose members say so each for itself.
    let content: Content?

    /// The kind of the file `name`; nil if it is none that is read.
    init?(_ name: String) {
        var parts = name.lowercased().split(separator: ".", omittingEmptySubsequences: false).dropFirst()
        compression = parts.last.flatMap { Compression(rawValue: String($0)) }
        if compression != nil { parts.removeLast() }
        switch parts.last {
        case "txt": content = .text
        case "jsonl": content = .jsonLines
        case "tar": content = nil
        default: return nil
        }
    }
}

/// The files that a list of paths stands for, in a fixed order.
struct CorpusFiles {
    private(set) var files: [URL] = []
    private(set) var skipped: [URL] = []

    /// Paths in the order given, each folder replaced by the files in and under it, sorted by name.
    ///
    /// In folders, files of other kinds are listed as skipped; hidden files, and folders reached by links, are passed
    /// over.
    init(_ paths: [URL]) throws(FormatError) {
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder) else {
                throw .unreadable(path: path.relativePath, why: "No such file or directory")
            }
            if isFolder.boolValue {
                let before = files.count
                try walk(path)
                guard files.count > before else {
                    throw .unsupported(
                        path: path.relativePath,
                        why: "the folder holds no text that can be read; give it files such as .txt or .jsonl.")
                }
            } else {
                guard CorpusKind(path.lastPathComponent) != nil else {
                    throw .unsupported(
                        path: path.relativePath, why: "this kind of file is not read; give \(CorpusKind.supported).")
                }
                files.append(path)
            }
        }
    }

    private mutating func walk(_ folder: URL) throws(FormatError) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        } catch {
            throw .unreadable(path: folder.relativePath, why: error.localizedDescription)
        }
        for name in names where !name.hasPrefix(".") {
            let url = folder.appendingPathComponent(name)
            var (itself, target) = (stat(), stat())
            guard lstat(url.path, &itself) == 0, stat(url.path, &target) == 0 else {
                throw .unreadable(path: url.relativePath, why: lastSystemError())
            }
            if itself.st_mode & S_IFMT == S_IFDIR {
                try walk(url)
            } else if target.st_mode & S_IFMT == S_IFREG, CorpusKind(name) != nil {
                files.append(url)
            } else {
                skipped.append(url)
            }
        }
    }
}
