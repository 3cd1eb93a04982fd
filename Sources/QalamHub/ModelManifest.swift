// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import QalamFormats

/// `qalam.lock.json` in a model's folder: what was pulled, from where and when.
package struct ModelManifest: Codable, Equatable, Sendable {
    /// One file of the folder.
    package struct File: Codable, Equatable, Sendable {
        /// Where it is in the folder.
        package var path: String
        /// Its bytes.
        package var size: Int
        /// SHA-256 of its bytes, in hexadecimal digits.
        package var sha256: String
        /// What the hub said that its bytes sum to: a SHA-256 or git's name of the blob.
        package var checksum: String?
        /// The commit it is from.
        package var commit: String
    }

    /// The name of the file.
    package static let fileName = "qalam.lock.json"

    /// `owner/name` on the hub.
    package var repository: String
    /// The hub's address.
    package var hub: String
    /// The branch, tag or commit that was asked for.
    package var revision: String
    /// The commit that it was.
    package var commit: String
    /// When the pull ended.
    package var pulled: Date
    /// The files that were pulled, sorted by path.
    package var files: [File]

    /// The manifest of `folder`; nil if it has none that can be read.
    package static func of(_ folder: URL) -> ModelManifest? {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent(fileName)) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let manifest = try? decoder.decode(Self.self, from: data) else { return nil }
        return manifest.files.allSatisfy { isSafePath($0.path) } ? manifest : nil
    }

    /// Writes it into `folder`.
    func write(to folder: URL) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeAtomically(Array(encoder.encode(self)) + [0x0A], to: folder.appendingPathComponent(Self.fileName))
    }

    /// The entry of `file` if that very version is in `folder` already.
    func entry(of file: HubFile, commit: String, in folder: URL) -> File? {
        guard let entry = files.first(where: { $0.path == file.path }), entry.size == file.size,
            entry.checksum == file.checksum?.description, entry.checksum != nil || entry.commit == commit
        else { return nil }
        var status = stat()
        guard stat(folder.appendingPathComponent(file.path).path, &status) == 0,
            status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == file.size
        else { return nil }
        return entry
    }
}
