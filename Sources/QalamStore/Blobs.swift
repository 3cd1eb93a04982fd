// SPDX-License-Identifier: Apache-2.0
internal import Crypto
public import Foundation

/// The bytes of files, each under a name, in a folder: written once, then only read or removed.
public final class Blobs: Sendable {
    private let folder: URL
    private let isTemporary: Bool

    /// The blobs in `folder`; a temporary one is removed with this object.
    init(_ folder: URL, temporary: Bool = false) throws {
        self.folder = folder
        isTemporary = temporary
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        if isTemporary { try? FileManager.default.removeItem(at: folder) }
    }

    /// What was written: its size and the SHA-256 of it, in hexadecimal digits.
    public struct Summary: Sendable, Equatable {
        /// How many bytes there are.
        public var bytes: Int
        /// Their SHA-256.
        public var sha256: String
        /// Their MD5, if the writer was asked for it.
        public var md5: String?
    }

    /// Starts a blob called `name`; it exists once its writer has finished.
    public func writer(_ name: String, md5: Bool = false) throws -> BlobWriter {
        try BlobWriter(to: try url(name), md5: md5)
    }

    /// The bytes of a blob, mapped into memory.
    public func read(_ name: String) throws -> Data {
        try Data(contentsOf: try url(name), options: .mappedIfSafe)
    }

    /// Whether there is a blob of this name.
    public func contains(_ name: String) throws -> Bool {
        FileManager.default.fileExists(atPath: try url(name).path)
    }

    /// Removes a blob, if it is there.
    public func remove(_ name: String) throws {
        let url = try url(name)
        if FileManager.default.fileExists(atPath: url.path) { try FileManager.default.removeItem(at: url) }
    }

    /// The names of all blobs that are older than `seconds`, and leftovers of writers killed that long ago.
    func names(olderThan seconds: Double) throws -> [String] {
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: [.contentModificationDateKey])
        let limit = Date().addingTimeInterval(-seconds)
        return files.filter { file in
            let date = try? file.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate
            return date.map { $0 < limit } ?? false
        }.map(\.lastPathComponent)
    }

    /// Copies a blob into another folder; false: it is not there.
    func copy(_ name: String, to other: URL) throws -> Bool {
        let source = try url(name)
        guard FileManager.default.fileExists(atPath: source.path) else { return false }
        try FileManager.default.copyItem(at: source, to: other.appending(path: name))
        return true
    }

    /// Names come from this program alone, but a path out of the folder must be impossible.
    private func url(_ name: String) throws -> URL {
        let allowed = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                || (byte < 128 && Character(Unicode.Scalar(byte)).isLetter)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard allowed, !name.isEmpty, !name.hasPrefix(".") else { throw StoreError.missing(name) }
        return folder.appending(path: name)
    }
}

/// Writes a blob; its calls wait for the disk on a thread of their own.
public actor BlobWriter {
    private let destination: URL
    private let part: URL
    private var file: FileHandle?
    private var hash = SHA256()
    private var md5: Insecure.MD5?
    private var count = 0

    /// The queue that all writers share.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { DiskThread.shared.asUnownedSerialExecutor() }

    init(to destination: URL, md5: Bool) throws {
        self.destination = destination
        self.md5 = md5 ? Insecure.MD5() : nil
        part = destination.deletingLastPathComponent().appending(path: "part-" + randomHex(bytes: 8))
        guard FileManager.default.createFile(atPath: part.path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw StoreError.folder(part.deletingLastPathComponent().path, why: "no file can be made there") }
        file = try FileHandle(forWritingTo: part)
    }

    deinit {
        if file != nil { try? FileManager.default.removeItem(at: part) }
    }

    /// How many bytes there are so far.
    public var size: Int { count }

    /// Adds bytes at the end.
    public func append(_ bytes: some Sendable & DataProtocol) throws {
        let data = Data(bytes)
        hash.update(data: data)
        md5?.update(data: data)
        count += data.count
        try file?.write(contentsOf: data)
    }

    /// Puts the blob in its place; on return it is on disk.
    public func finish() throws -> Blobs.Summary {
        try file?.synchronize()
        try file?.close()
        guard rename(part.path, destination.path) == 0 else {
            throw StoreError.folder(destination.path, why: String(cString: strerror(errno)))
        }
        file = nil
        let folder = open(destination.deletingLastPathComponent().path, O_RDONLY)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
        return Blobs.Summary(bytes: count, sha256: hex(hash.finalize()), md5: (md5?.finalize()).map { hex($0) })
    }
}

/// One thread for work that waits for the disk, so that none of those that everything shares does.
private final class DiskThread: SerialExecutor {
    static let shared = DiskThread()
    private let queue = DispatchQueue(label: "qalam.disk", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// Bytes as hexadecimal digits.
private func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
}
