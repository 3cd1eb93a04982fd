// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats

/// Where the parts of a pull are until the model is complete: a hidden folder beside the model's.
struct Staging: Sendable {
    /// The model's folder.
    let folder: URL

    private func sibling(_ ending: String) -> URL {
        folder.deletingLastPathComponent().appendingPathComponent(".\(folder.lastPathComponent)\(ending)")
    }

    /// The hidden folder.
    var url: URL { sibling(".pull") }
    /// The lock that a pull and a removal hold.
    var lock: URL { sibling(".lock") }

    /// Where the bytes of `file` come to be.
    func part(_ file: HubFile) -> URL { url.appendingPathComponent(file.path + ".part") }

    /// The model's folder that a hidden folder of this name belongs to; nil if it is none of ours.
    static func modelName(of name: String) -> String? {
        name.hasPrefix(".") && name.hasSuffix(".pull") && name.count > 6 ? String(name.dropFirst().dropLast(5)) : nil
    }

    /// Puts complete parts under their own names: the folder changes from old to new in one step, and a crash leaves
    /// one of them whole.
    ///
    /// Files of the old folder stay unless a new one replaces them or `dropping` names them.
    func install(_ files: [HubFile], dropping: Set<String>, manifest: ModelManifest) throws {
        let replaced = dropping.union(files.map(\.path)).union([ModelManifest.fileName])
        try replaceFolderAtomically(at: folder) { new in
            if FileManager.default.fileExists(atPath: folder.path) {
                try share(folder, new, except: replaced, prefix: "")
            }
            for file in files { try link(part(file), new.appendingPathComponent(file.path)) }
            try manifest.write(to: new)
        }
        for file in files {
            unlink(PartFile.recordURL(part(file)).path)
            unlink(part(file).path)
        }
        removeEmptyFolders(url)
    }

    /// Gives every file under `old` a second name under `new`.
    private func share(_ old: URL, _ new: URL, except: Set<String>, prefix: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: old.path) {
            let (source, path) = (old.appendingPathComponent(name), prefix + name)
            var status = stat()
            guard lstat(source.path, &status) == 0, !except.contains(path) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try share(source, new, except: except, prefix: path + "/")
            } else {
                try link(source, new.appendingPathComponent(path))
            }
        }
    }

    /// Gives the file `old` a second name, or copies it where the file system has no such names.
    private func link(_ old: URL, _ new: URL) throws {
        try FileManager.default.createDirectory(
            at: new.deletingLastPathComponent(), withIntermediateDirectories: true)
        // The sixth argument of links to links: Linux and Darwin differ in what `link` does with them.
        guard linkat(AT_FDCWD, old.path, AT_FDCWD, new.path, 0) != 0 else { return }
        guard [EPERM, ENOTSUP, EOPNOTSUPP, EMLINK, EXDEV, ENOSYS].contains(errno) else {
            throw writeError(new.path, needed: 0)
        }
        try FileManager.default.copyItem(at: old, to: new)
    }
}

/// Removes `folder` and the folders in it as far as they hold no files.
func removeEmptyFolders(_ folder: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
        var status = stat()
        let child = folder.appendingPathComponent(name)
        if lstat(child.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { removeEmptyFolders(child) }
    }
    rmdir(folder.path)
}
