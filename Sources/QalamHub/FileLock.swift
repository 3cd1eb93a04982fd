// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats

/// A lock that one process at a time holds, by `flock` on a file that is there only while someone holds it.
///
/// The system lets go of it when a process ends, however that happens.
struct FileLock: ~Copyable {
    private let path: String
    private let descriptor: Int32

    /// Takes the lock at `url`; nil if another holds it.
    init?(_ url: URL) throws {
        let path = url.path
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
            guard descriptor >= 0 else { throw writeError(path, needed: 0) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(descriptor)
                guard code == EWOULDBLOCK || code == EINTR else {
                    throw FormatError.unwritable(path: path, why: String(cString: strerror(code)))
                }
                return nil
            }
            // Whoever held it before may have removed the file between our opening and our lock.
            var (ours, there) = (stat(), stat())
            if fstat(descriptor, &ours) == 0, stat(path, &there) == 0, ours.st_ino == there.st_ino {
                self.path = path
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit {
        unlink(path)
        close(descriptor)
    }
}
