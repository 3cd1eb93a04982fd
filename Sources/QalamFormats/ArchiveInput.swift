// SPDX-License-Identifier: Apache-2.0

import CArchive
import Foundation

/// One file of a corpus as a stream of entries (itself, or the members of a tar) and their bytes, decompressed on the
/// way.
///
/// libarchive does the work with fixed buffers, whatever the size of the file.
final class ArchiveInput {
    private let archive: OpaquePointer
    private var descriptor: Int32 = -1
    private let path: String
    private let kind: CorpusKind
    private var finishedSingle = false
    /// The name of the entry in hand, as errors give it.
    private(set) var entryPath: String
    /// Members of the archive that are not text of a kind that is read.
    private(set) var skipped: [String] = []

    /// Opens the file at `url`; its name decides what is expected in it.
    init(_ url: URL, _ kind: CorpusKind) throws(FormatError) {
        path = url.relativePath
        self.kind = kind
        entryPath = path
        guard let archive = archive_read_new() else { throw .unreadable(path: path, why: "out of memory") }
        self.archive = archive
        var status: [Int32] = []
        switch kind.compression {
        case .gzip: status.append(archive_read_support_filter_gzip(archive))
        case .xz: status.append(archive_read_support_filter_xz(archive))
        case .zstd: status.append(archive_read_support_filter_zstd(archive))
        case nil: break
        }
        if kind.content == nil {
            status.append(archive_read_support_format_tar(archive))
        } else {
            status.append(archive_read_support_format_raw(archive))
            status.append(archive_read_support_format_empty(archive))
        }
        guard status.allSatisfy({ $0 == ARCHIVE_OK }) else {
            throw .unsupported(
                path: path, why: "this libarchive was built without the compression; unpack the file first.")
        }
        descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, why: lastSystemError()) }
        guard archive_read_open_fd(archive, descriptor, 1 << 17) == ARCHIVE_OK else { throw failure() }
    }

    deinit {
        archive_read_free(archive)
        if descriptor >= 0 { close(descriptor) }
    }

    /// Moves to the next entry that holds text; nil at the end.
    func nextEntry() throws(FormatError) -> CorpusKind.Content? {
        while let name = try nextFile() {
            if let content = kind.content { return content }
            let lastPart = name.split(separator: "/").last.map(String.init) ?? name
            if let member = CorpusKind(lastPart), member.compression == nil, let content = member.content,
                !lastPart.hasPrefix(".")
            {
                return content
            }
            skipped.append(entryPath)
        }
        return nil
    }

    /// Moves to the next entry that is a file, of whatever kind, and returns its name in the archive; nil at the end.
    func nextFile() throws(FormatError) -> String? {
        while !finishedSingle {
            var entry: OpaquePointer?
            let status = archive_read_next_header(archive, &entry)
            if status == ARCHIVE_EOF {
                try checkCompression()
                return nil
            }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else { throw failure() }
            try checkCompression()
            if kind.content != nil {
                finishedSingle = true
                return path
            }
            guard archive_entry_filetype(entry) & S_IFMT == S_IFREG else { continue }
            let name = Self.name(entry)
            entryPath = "\(path): \(name)"
            return name
        }
        return nil
    }

    /// Reads more of the entry into `buffer`; 0 at its end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
        let count = archive_read_data(archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw failure() }
        return count
    }

    /// The name promised a compression; bytes that are not compressed so would otherwise pass as text.
    private func checkCompression() throws(FormatError) {
        let expected: Int32? =
            switch kind.compression {
            case .gzip: ARCHIVE_FILTER_GZIP
            case .xz: ARCHIVE_FILTER_XZ
            case .zstd: ARCHIVE_FILTER_ZSTD
            case nil: nil
            }
        guard let expected, archive_filter_code(archive, 0) != expected else { return }
        throw .malformed(path: path, at: 0, why: "this is not \(kind.compression?.rawValue ?? "") data")
    }

    /// What libarchive says is wrong, at the byte of the file that it had reached.
    private func failure() -> FormatError {
        let why = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        return .malformed(path: entryPath, at: Int(clamping: archive_filter_bytes(archive, -1)), why: why)
    }

    /// The member's name; in a locale that can't spell it, its bytes with the faults repaired.
    private static func name(_ entry: OpaquePointer) -> String {
        guard let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else { return "?" }
        return String(cString: name)
    }
}
