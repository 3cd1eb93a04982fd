// SPDX-License-Identifier: Apache-2.0

/// What a hub says the bytes of a file must sum to.
package enum Checksum: Hashable, Sendable, CustomStringConvertible {
    /// SHA-256 of the bytes, in hexadecimal digits: of files that the hub keeps outside git (LFS).
    case sha256(String)
    /// Git's name of the blob, in hexadecimal digits: SHA-1 of `blob`, the size, a zero byte and the bytes.
    case gitBlob(String)

    /// Takes `text` for what its length says; nil if it is neither.
    package init?(hex text: String) {
        guard text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
        switch text.utf8.count {
        case 64: self = .sha256(text.lowercased())
        case 40: self = .gitBlob(text.lowercased())
        default: return nil
        }
    }

    /// The hexadecimal digits.
    package var description: String {
        switch self {
        case .sha256(let hex), .gitBlob(let hex): hex
        }
    }
}

/// A file of a model on a hub.
package struct HubFile: Hashable, Sendable {
    /// Where it is in the model's folder.
    package let path: String
    /// Its bytes.
    package let size: Int
    /// What its bytes must sum to, if the hub says so.
    package let checksum: Checksum?

    /// A file of this path and size; throws if no folder may have such a file.
    package init(path: String, size: Int, checksum: Checksum?) throws(HubError) {
        guard isSafePath(path), size >= 0 else { throw .unsafePath(path) }
        self.path = path
        self.size = size
        self.checksum = checksum
    }

    /// The last part of the path.
    package var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// A revision of a model with all of its files.
package struct HubListing: Sendable {
    /// The model, as the hub calls it.
    package let id: String
    /// The commit, which never changes; the revision asked for if the hub has no commits.
    package let commit: String
    /// Every file.
    package let files: [HubFile]

    /// The files of a commit.
    package init(id: String, commit: String, files: [HubFile]) {
        self.id = id
        self.commit = commit
        self.files = files
    }
}

/// Whether a file of this relative path stays inside the folder it is put into, on any file system.
func isSafePath(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    // 255 bytes is what most file systems take for a name; the longest ending of ours has 10.
    return !parts.isEmpty && path.utf8.count <= 1024
        && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
        && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 240 }
}
