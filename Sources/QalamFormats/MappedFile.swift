// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// A file mapped into memory for reading: opening is instant, pages are read when touched.
///
/// Qalam replaces files by renaming and never shortens one in place, so a mapping keeps the bytes it was opened with.
///
/// `@unchecked Sendable`: base and count never change after `init`, the pages are mapped read-only, and the one
/// `munmap` is in `deinit`, when nobody holds the object.
public final class MappedFile: @unchecked Sendable {
    /// The path as it was given.
    public let path: String
    /// How many bytes the file has.
    public let count: Int
    private let base: UnsafeMutableRawPointer?

    /// Maps the file at `url`; an empty file is fine.
    public init(_ url: URL) throws(FormatError) {
        path = url.relativePath
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, why: lastSystemError()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(path: path, why: lastSystemError()) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable(path: path, why: "it is not a file") }
        count = Int(status.st_size)
        if count == 0 {
            base = nil
        } else {
            let mapped = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
            guard let mapped, mapped != MAP_FAILED else { throw .unreadable(path: path, why: lastSystemError()) }
            base = mapped
        }
    }

    deinit {
        if let base { munmap(base, count) }
    }

    /// The bytes; valid only while the object lives, so keep it with `withExtendedLifetime` or as a stored property.
    package var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Lends all bytes to `body`, bounds-checked.
    public func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result
    {
        defer { withExtendedLifetime(self) {} }
        return try body(buffer.bytes)
    }
}

/// The text of `errno`.
func lastSystemError() -> String { String(cString: strerror(errno)) }
