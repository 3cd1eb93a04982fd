// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import QalamFormats

/// One input of `qalam data images`: a folder, an archive, a caption file or a picture, with its captions.
///
/// Folders are walked with the archives in them; hidden files are passed over. Archives are read as streams, never
/// unpacked to the disk.
struct PictureSource {
    /// The path as it was given.
    let path: String
    /// How many pictures there are.
    private(set) var count = 0
    private(set) var captions = CaptionIndex()
    /// Pictures and archives, each with its path below the input.
    private var files: [(url: URL, path: String)] = []
    private let defaultStyle: String

    private static let pictureEndings: Set<String> = ["png", "jpg", "jpeg", "webp", "svg"]
    /// Bytes of one file beside a picture.
    private static let sidecarLimit = 1 << 20

    /// Finds what is in `url` and reads its captions.
    init(_ url: URL) throws {
        path = url.relativePath
        defaultStyle = CaptionIndex.withoutExtension(url.lastPathComponent)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw FormatError.unreadable(path: path, why: "No such file or directory")
        }
        if isFolder.boolValue {
            try walk(url, below: "")
        } else if url.pathExtension == "jsonl" {
            try captions.read(url)
            let folder = url.deletingLastPathComponent()
            files = captions.files.map { (folder.appending(path: $0), $0) }
        } else {
            try add(url, path: url.lastPathComponent)
        }
        for (url, _) in files {
            if ArchiveMembers.reads(url.lastPathComponent) { try scan(url) } else { count += 1 }
        }
        guard count > 0 else {
            throw FormatError.unsupported(
                path: path, why: "there are no pictures in it; give a folder or .tar with PNG, JPEG, WebP or SVG.")
        }
    }

    /// Hands every picture to `body`, as path and bytes, and returns SHA-256 of all paths and bytes.
    func read(limit: Int, _ body: (String, [UInt8]) throws -> Void) throws -> String {
        var hash = SHA256()
        func hand(_ path: String, _ bytes: [UInt8]) throws {
            hash.update(data: Array(path.utf8) + [0])
            hash.update(data: bytes)
            try body(path, bytes)
        }
        for (url, _) in files {
            if ArchiveMembers.reads(url.lastPathComponent) {
                let members = try ArchiveMembers(url)
                while let name = try members.next() {
                    if Self.isPicture(name) { try hand(name, try members.bytes(limit: limit)) }
                }
            } else {
                try hand(path, try Self.bytes(url, limit: limit))
            }
        }
        return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// The style of a picture whose caption names none: its archive's or its folder's name.
    func style(of entry: CaptionEntry) -> String { entry.style ?? defaultStyle }

    private mutating func walk(_ folder: URL, below prefix: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        where !name.hasPrefix(".") {
            let url = folder.appending(path: name)
            let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
            let values = try url.resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
            if values.isDirectory == true, values.isSymbolicLink != true {
                try walk(url, below: path)
            } else {
                try add(url, path: path)
            }
        }
    }

    private mutating func add(_ url: URL, path: String) throws {
        let name = url.lastPathComponent
        if Self.isPicture(name) || ArchiveMembers.reads(name) {
            files.append((url, path))
        } else if name.hasPrefix("captions"), name.hasSuffix(".jsonl") {
            try captions.read(url)
        } else if name.hasSuffix(".json") {
            try captions.addSidecar(try Self.bytes(url, limit: Self.sidecarLimit), path: path)
        }
    }

    /// Counts the pictures of an archive and reads what lies beside them.
    private mutating func scan(_ url: URL) throws {
        let members = try ArchiveMembers(url)
        while let name = try members.next() {
            if Self.isPicture(name) {
                count += 1
            } else if name.hasSuffix(".json") {
                try captions.addSidecar(try members.bytes(limit: Self.sidecarLimit), path: name)
            }
        }
    }

    private static func isPicture(_ path: String) -> Bool {
        guard let name = path.split(separator: "/").last, !name.hasPrefix("."), let dot = name.lastIndex(of: ".") else {
            return false
        }
        return pictureEndings.contains(name[name.index(after: dot)...].lowercased())
    }

    private static func bytes(_ url: URL, limit: Int) throws(FormatError) -> [UInt8] {
        let file = try MappedFile(url)
        guard file.count <= limit else {
            throw .unsupported(path: file.path, why: "it has more than \(limit) bytes; leave it out.")
        }
        return file.withBytes { $0.withUnsafeBytes { Array($0) } }
    }
}
