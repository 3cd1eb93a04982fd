// SPDX-License-Identifier: Apache-2.0

package import Foundation

// Replacing a whole folder, such as a checkpoint.
//
// States of the disk, for a folder `name`, in order; a crash can leave any of them:
//   1. name (old), name.partial (incomplete)                   reader sees old
//   2. name (old), name.partial (complete, flushed)            reader sees old
//   3. name (new), name.partial (old), after the exchange      reader sees new
//   4. name (new)
// Where the file system can't exchange two names in one step, 3 is made of two renames with a moment between them:
//   3a. name.previous (old), name.partial (complete)           `recoverFolder` turns it back into 1
//   3b. name (new), name.previous (old)
// name.previous exists only in 3a and 3b, so a missing `name` beside it is enough to know what to do.

/// Replaces the folder at `url` by one that `body` fills; a crash at any moment leaves the old one or the new one
/// whole.
///
/// `body` gets the path of an empty folder, `name.partial`. If it throws, that folder is removed and the old one stays.
package func replaceFolderAtomically(at url: URL, _ body: (URL) throws -> Void) throws {
    let parent = url.deletingLastPathComponent()
    let partial = sibling(of: url, ".partial")
    try recoverFolder(at: url)
    try makeFolder(partial)
    do {
        try body(partial)
        try synchronizeTree(partial)
    } catch {
        try removeTree(partial)
        throw error
    }
    try synchronizeFolder(parent)
    let leftover = try swapIntoPlace(partial, url)
    try synchronizeFolder(parent)
    if let leftover { try removeTree(leftover) }
}

/// Puts right what a crash inside `replaceFolderAtomically` left behind; call it before reading the folder.
///
/// A folder moved aside comes back if nothing took its place; half-written and replaced ones are removed.
package func recoverFolder(at url: URL) throws {
    let previous = sibling(of: url, ".previous")
    if exists(previous) {
        if exists(url) {
            try removeTree(previous)
        } else {
            try move(previous, url)
            try synchronizeFolder(url.deletingLastPathComponent())
        }
    }
    let partial = sibling(of: url, ".partial")
    if exists(partial) { try removeTree(partial) }
}

/// Puts `partial` in the place of `url`; returns where the old folder is now, if there was one.
private func swapIntoPlace(_ partial: URL, _ url: URL) throws -> URL? {
    guard exists(url) else {
        try move(partial, url)
        return nil
    }
    if exchange(partial, url) { return partial }
    let previous = sibling(of: url, ".previous")
    try move(url, previous)
    try synchronizeFolder(url.deletingLastPathComponent())
    do {
        try move(partial, url)
    } catch {
        try move(previous, url)
        throw error
    }
    return previous
}

/// Exchanges two names in one step; false where the file system or the system can't.
private func exchange(_ a: URL, _ b: URL) -> Bool {
    #if canImport(Darwin)
        return renamex_np(a.path, b.path, UInt32(RENAME_SWAP)) == 0
    #else
        // renameat2 (Linux 3.15) is not in the headers Swift sees, and not in every C library: so it is looked up.
        typealias Rename = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
        let exchangeFlag: UInt32 = 2  // RENAME_EXCHANGE in linux/fs.h
        guard let symbol = dlsym(nil, "renameat2") else { return false }
        return unsafeBitCast(symbol, to: Rename.self)(AT_FDCWD, a.path, AT_FDCWD, b.path, exchangeFlag) == 0
    #endif
}

private func sibling(of url: URL, _ suffix: String) -> URL {
    url.deletingLastPathComponent().appendingPathComponent(url.lastPathComponent + suffix)
}

private func exists(_ url: URL) -> Bool {
    var status = stat()
    return lstat(url.path, &status) == 0
}

private func move(_ from: URL, _ to: URL) throws(FormatError) {
    guard rename(from.path, to.path) == 0 else { throw writeError(to.relativePath, needed: 0) }
}

private func makeFolder(_ url: URL) throws(FormatError) {
    guard mkdir(url.path, 0o777) == 0 else { throw writeError(url.relativePath, needed: 0) }
}

private func removeTree(_ url: URL) throws(FormatError) {
    do {
        try FileManager.default.removeItem(at: url)
    } catch {
        throw .unwritable(path: url.relativePath, why: "can't be removed: \(error.localizedDescription)")
    }
}

/// Flushes every file and folder under `url`, the deepest first.
private func synchronizeTree(_ url: URL) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() {
        let child = url.appendingPathComponent(name)
        var status = stat()
        guard lstat(child.path, &status) == 0 else { throw writeError(child.relativePath, needed: 0) }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: try synchronizeTree(child)
        case S_IFREG: try synchronizeFolder(child)
        default: break
        }
    }
    try synchronizeFolder(url)
}
