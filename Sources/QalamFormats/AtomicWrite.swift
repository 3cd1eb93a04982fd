// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Where the body of `writeAtomically` puts its bytes: buffered, appended to the temporary file.
package struct FileWriter: ~Copyable {
    /// How many bytes have been written so far, those in the buffer included.
    package private(set) var count = 0
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private static let bufferSize = 1 << 20

    /// A writer onto an open descriptor, which stays the caller's; errors name `path`.
    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
        buffer.reserveCapacity(Self.bufferSize)
    }

    /// Appends `bytes`.
    package mutating func write(_ bytes: [UInt8]) throws(FormatError) {
        try bytes.withUnsafeBufferPointer { (all) throws(FormatError) in try write(UnsafeRawBufferPointer(all)) }
    }

    /// Appends the UTF-8 of `text`.
    package mutating func write(_ text: String) throws(FormatError) { try write(Array(text.utf8)) }

    /// Appends `bytes`; large pieces bypass the buffer.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        count += bytes.count
        if buffer.count + bytes.count > Self.bufferSize { try flush() }
        if bytes.count >= Self.bufferSize { try send(bytes) } else { buffer.append(contentsOf: bytes) }
    }

    /// Hands everything buffered to the operating system.
    package mutating func flush() throws(FormatError) {
        try buffer.withUnsafeBufferPointer { (all) throws(FormatError) in try send(UnsafeRawBufferPointer(all)) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if sent < 0 {
                if errno == EINTR { continue }
                throw writeError(path, needed: rest.count)
            }
            rest = rest.dropFirst(sent)
        }
    }
}

/// Writes a file so that a crash, a full disk or an error in `body` leaves the old one whole.
///
/// The bytes go to a temporary file in the same folder, which is flushed to the disk and then renamed over `url`; at
/// the end the folder is flushed too. On any error the temporary file is removed.
/// - Parameters:
///   - url: where the file appears.
///   - size: its size if known: the space is then taken first, so that a full disk shows before the work is done.
///   - body: writes the content.
/// - Throws: `FormatError` for the file, or what `body` throws.
package func writeAtomically(
    to url: URL, size: Int? = nil, _ body: (inout FileWriter) throws -> Void
) throws {
    let path = url.relativePath
    let folder = url.deletingLastPathComponent()
    let name = ".\(url.lastPathComponent).\(UInt64.random(in: 0 ... .max)).tmp"
    let temporary = folder.appendingPathComponent(name).path
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw writeError(path, needed: size ?? 0) }
    do {
        defer { close(descriptor) }
        try reserve(size ?? 0, descriptor, path)
        var writer = FileWriter(descriptor: descriptor, path: path)
        try body(&writer)
        try writer.flush()
        // The reservation may have been longer than what came.
        guard ftruncate(descriptor, off_t(writer.count)) == 0 else { throw writeError(path, needed: 0) }
        try synchronize(descriptor, path)
    } catch {
        unlink(temporary)
        throw error
    }
    guard rename(temporary, url.path) == 0 else {
        let failure = writeError(path, needed: 0)
        unlink(temporary)
        throw failure
    }
    try synchronizeFolder(folder)
}

/// Writes `bytes` to `url` as `writeAtomically` does.
package func writeAtomically(_ bytes: [UInt8], to url: URL) throws {
    try writeAtomically(to: url, size: bytes.count) { try $0.write(bytes) }
}

/// The error for a failed system call on `path`, from `errno`; a full disk says how much more is needed and what is
/// left.
package func writeError(_ path: String, needed: Int) -> FormatError {
    let code = errno
    guard code == ENOSPC || code == EDQUOT else { return .unwritable(path: path, why: String(cString: strerror(code))) }
    var status = statvfs()
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let free = statvfs(folder, &status) == 0 ? Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize)) : 0
    return .diskFull(path: path, needed: needed, free: free)
}

/// Takes `size` bytes of the disk for the file, where the file system can.
private func reserve(_ size: Int, _ descriptor: Int32, _ path: String) throws(FormatError) {
    guard size > 0 else { return }
    #if os(Linux)
        let code = posix_fallocate(descriptor, 0, off_t(size))
        if code == ENOSPC || code == EDQUOT || code == EFBIG {
            errno = code
            throw writeError(path, needed: size)
        }
    #endif
}

/// Flushes an open file to the disk itself.
package func synchronize(_ descriptor: Int32, _ path: String) throws(FormatError) {
    #if canImport(Darwin)
        // Plain fsync on Darwin stops at the drive's own cache.
        if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
    #endif
    guard fsync(descriptor) == 0 else { throw writeError(path, needed: 0) }
}

/// Flushes a folder, so that names made or moved in it survive a crash.
func synchronizeFolder(_ url: URL) throws(FormatError) {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw writeError(url.relativePath, needed: 0) }
    defer { close(descriptor) }
    try synchronize(descriptor, url.relativePath)
}
