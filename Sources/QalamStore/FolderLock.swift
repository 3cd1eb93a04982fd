// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Holds other processes off while this object lives.
final class FolderLock {
    private let descriptor: Int32

    /// Waits for the lock on the file at `url`.
    init(_ url: URL) throws {
        descriptor = open(url.path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            let why = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw StoreError.folder(url.deletingLastPathComponent().path, why: why)
        }
    }

    deinit { close(descriptor) }
}
