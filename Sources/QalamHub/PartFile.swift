// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import NIOCore
internal import QalamFormats

/// A file that is being fetched: its bytes in `name.part`, what is known of them in `name.part.json`.
///
/// The record is written after the bytes it speaks of have been flushed, so that after a kill or a crash it never
/// claims more than there is. An actor on a thread of its own: the disk never holds up Swift's cooperative pool.
actor PartFile {
    /// What `name.part.json` holds.
    struct Record: Codable, Equatable {
        /// Bytes of the whole file.
        var size: Int
        /// What the hub says they sum to.
        var checksum: String?
        /// What names the version that they are of.
        var tag: String?
        /// Pairs of the first byte and the one after the last, of what is there.
        var ranges: [[Int]] = []
        /// SHA-256 of the whole, once it has been checked.
        var sha256: String?
    }

    /// Where the bytes are.
    nonisolated let url: URL
    private let file: HubFile
    private var descriptor: Int32?
    private var record: Record
    private var present: IndexSet
    private var saved = ContinuousClock.now
    private let thread = DiskThread()

    /// The thread that the actor's work runs on.
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The part of `file` at `url`, as an earlier attempt left it; one of another version starts over.
    init(_ file: HubFile, at url: URL) {
        self.file = file
        self.url = url
        let fresh = Record(size: file.size, checksum: file.checksum?.description)
        record = Self.read(Self.recordURL(url), for: fresh, url) ?? fresh
        present = IndexSet()
        for range in record.ranges { present.insert(integersIn: range[0]..<range[1]) }
    }

    deinit {
        if let descriptor { close(descriptor) }
    }

    /// The open file, made with its folder if it is not there.
    private func opened() throws -> Int32 {
        if let descriptor { return descriptor }
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        let new = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard new >= 0 else { throw writeError(url.path, needed: 0) }
        descriptor = new
        if present.isEmpty, ftruncate(new, 0) != 0 { throw writeError(url.path, needed: 0) }
        return new
    }

    /// Where the record of the part at `url` is.
    static func recordURL(_ url: URL) -> URL {
        url.deletingLastPathComponent().appendingPathComponent(url.lastPathComponent + ".json")
    }

    /// The record beside a part, if it speaks of the same version as `fresh` and of bytes that are there.
    private static func read(_ url: URL, for fresh: Record, _ part: URL) -> Record? {
        var status = stat()
        guard let data = try? Data(contentsOf: url), let record = try? JSONDecoder().decode(Record.self, from: data),
            record.size == fresh.size, record.checksum == fresh.checksum, lstat(part.path, &status) == 0,
            status.st_mode & S_IFMT == S_IFREG
        else { return nil }
        let end = min(record.size, Int(status.st_size))
        let isSound = record.ranges.allSatisfy { $0.count == 2 && 0 <= $0[0] && $0[0] < $0[1] && $0[1] <= end }
        let isWhole = Int(status.st_size) == record.size && record.ranges == Self.whole(record.size)
        return isSound && (record.sha256 == nil || isWhole) ? record : nil
    }

    private static func whole(_ size: Int) -> [[Int]] { size == 0 ? [] : [[0, size]] }

    /// Bytes that are there.
    var count: Int { present.count }

    /// SHA-256 of the whole file if it is complete and checked.
    var sha256: String? { record.sha256 }

    /// The ranges that are still to come.
    var missing: [Range<Int>] {
        file.size == 0 ? [] : IndexSet(integersIn: 0..<file.size).subtracting(present).rangeView.map { $0 }
    }

    /// Whether an answer with this tag belongs to the bytes that are there; the first tag decides.
    func accepts(tag: String?) -> Bool {
        guard let tag else { return true }
        if record.tag == nil { record.tag = tag }
        return record.tag == tag
    }

    /// Forgets all bytes.
    func startOver() throws {
        record = Record(size: file.size, checksum: file.checksum?.description)
        present = IndexSet()
        guard ftruncate(try opened(), 0) == 0 else { throw writeError(url.path, needed: 0) }
        try save()
    }

    /// Puts `bytes` at `offset`; returns how many bytes are there now.
    func write(_ bytes: ByteBuffer, at offset: Int) throws -> Int {
        guard bytes.readableBytes > 0 else { return present.count }
        let descriptor = try opened()
        try bytes.withUnsafeReadableBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let at = off_t(offset + all.count - rest.count)
                let sent = pwrite(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count, at)
                if sent < 0 {
                    if errno == EINTR { continue }
                    throw writeError(url.path, needed: file.size - present.count)
                }
                rest = rest.dropFirst(sent)
            }
        }
        present.insert(integersIn: offset..<offset + bytes.readableBytes)
        if ContinuousClock.now - saved > .seconds(2) { try save() }
        return present.count
    }

    /// Flushes the bytes, then writes the record.
    func save() throws {
        try synchronize(try opened(), url.path)
        record.ranges = present.rangeView.map { [$0.lowerBound, $0.upperBound] }
        try writeAtomically(Array(try JSONEncoder().encode(record)), to: Self.recordURL(url))
        saved = .now
    }

    /// Checks the sum of the complete file and returns its SHA-256; a file with a wrong one is deleted.
    ///
    /// Where the list of files names no sum, a tag that is a SHA-256 counts as one.
    func verify() throws -> String {
        if let sum = record.sha256 { return sum }
        let expected = file.checksum ?? (record.tag?.utf8.count == 64 ? record.tag.flatMap(Checksum.init(hex:)) : nil)
        var isBlob = false
        if case .gitBlob = expected { isBlob = true }
        let sums = try self.sums(blob: isBlob)
        let got = isBlob ? sums.blob : sums.sha256
        guard expected == nil || expected?.description == got else {
            try remove()
            throw HubError.badSum(path: file.path, expected: expected?.description ?? "", got: got)
        }
        record.sha256 = sums.sha256
        try save()
        if let descriptor { close(descriptor) }
        descriptor = nil
        return sums.sha256
    }

    /// Deletes the part and its record.
    func remove() throws {
        unlink(Self.recordURL(url).path)
        guard unlink(url.path) == 0 || errno == ENOENT else { throw writeError(url.path, needed: 0) }
    }

    private func sums(blob: Bool) throws -> (sha256: String, blob: String) {
        var sha = SHA256()
        var git = Insecure.SHA1()
        if blob { git.update(data: Array("blob \(file.size)\0".utf8)) }
        let descriptor = try opened()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while offset < file.size {
            let count = pread(descriptor, &buffer, min(buffer.count, file.size - offset), off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw FormatError.truncated(path: url.path, at: offset, expected: file.size)
            }
            buffer.withUnsafeBytes { all in
                let bytes = UnsafeRawBufferPointer(rebasing: all[..<count])
                sha.update(bufferPointer: bytes)
                if blob { git.update(bufferPointer: bytes) }
            }
            offset += count
            try Task.checkCancellation()
        }
        return (hex(sha.finalize()), hex(git.finalize()))
    }
}

/// Bytes as hexadecimal digits.
func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
}

/// One thread that runs the work of a file in order.
private final class DiskThread: SerialExecutor {
    private let queue = DispatchQueue(label: "qalam.hub.disk")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
