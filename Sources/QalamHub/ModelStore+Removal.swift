// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import QalamFormats

/// What a removal would delete.
package struct ModelRemoval: Sendable {
    /// The model as it is listed.
    package let name: String
    /// The folders and files that go.
    package let paths: [URL]
    /// Bytes that become free; a link's own, not those of what it leads to.
    package let size: Int
    /// The folder of the model, if it stays with other quantizations in it.
    fileprivate let remaining: URL?
    fileprivate let staging: Staging?
}

extension ModelStore {
    /// What removing `text` would delete: a model with all of its quantizations, or `owner/name:Q4_K_M` alone.
    ///
    /// - Throws: `HubError` if there is no such model in the folder of models, or what it is lies elsewhere.
    package func removal(of text: String) throws(HubError) -> ModelRemoval {
        let models = own()
        let found: (name: String, models: [StoredModel])
        do {
            found = try named(text, among: models)
        } catch {
            guard let other = try? find(text) else { throw error }
            throw .outside(path: other.url.path, folder: root.path)
        }
        let variant = ModelName.split(text).variant?.lowercased()
        let chosen = found.models.filter { variant == nil || $0.quantization?.lowercased() == variant }
        guard !chosen.isEmpty else {
            throw .noSuchQuantization(
                variant ?? "", model: found.name, choices: found.models.compactMap(\.quantization))
        }
        let folder = root.appending(path: found.name)
        let staging = Staging(folder: folder)
        guard isFolder(folder) else {
            // Loose files, or a pull that has not ended.
            let paths = chosen.flatMap { $0.kind == .incomplete ? [$0.url] : $0.files }
            return try removal(found.name, paths, remaining: nil, staging: staging)
        }
        if chosen.count == found.models.count {
            let paths = [folder, staging.url].filter { fileStatus($0, followLinks: false) != nil }
            return try removal(found.name, paths, remaining: nil, staging: staging)
        }
        return try removal(text, chosen.flatMap(\.files), remaining: folder, staging: staging)
    }

    /// Deletes it; returns the bytes that became free.
    package func remove(_ removal: ModelRemoval) throws -> Int {
        if let staging = removal.staging {
            guard let lock = try FileLock(staging.lock) else { throw HubError.busy(path: staging.folder.path) }
            try delete(removal)
            _ = consume lock
            // The owner's folder, if this was the last model in it; the system keeps it if not.
            let parent = staging.folder.deletingLastPathComponent()
            if parent.path != root.path { rmdir(parent.path) }
        }
        return removal.size
    }

    private func delete(_ removal: ModelRemoval) throws {
        if let folder = removal.remaining, var manifest = ModelManifest.of(folder) {
            let gone = Set(removal.paths.map(\.path))
            manifest.files.removeAll { gone.contains(folder.appending(path: $0.path).path) }
            try manifest.write(to: folder)
        }
        for path in removal.paths {
            try check(path)
            do {
                try FileManager.default.removeItem(at: path)
            } catch {
                throw FormatError.unwritable(path: path.path, why: "can't be removed: \(error.localizedDescription)")
            }
        }
        if let folder = removal.remaining { names(in: folder).forEach { removeEmptyFolders(folder, $0) } }
    }

    private func removeEmptyFolders(_ folder: URL, _ name: String) {
        let child = folder.appending(path: name)
        if isFolder(child, followLinks: false) { QalamHub.removeEmptyFolders(child) }
    }

    private func removal(
        _ name: String, _ paths: [URL], remaining: URL?, staging: Staging?
    ) throws(HubError) -> ModelRemoval {
        for path in paths { try check(path) }
        let size = paths.reduce(0) { $0 + Self.size($1) }
        return ModelRemoval(name: name, paths: paths, size: size, remaining: remaining, staging: staging)
    }

    /// Throws unless the folder that holds `path`, all links followed, is the folder of models or lies in it.
    private func check(_ path: URL) throws(HubError) {
        guard let parent = realPath(path.deletingLastPathComponent()), let root = realPath(root),
            parent == root || parent.hasPrefix(root + "/")
        else { throw .outside(path: path.path, folder: self.root.path) }
    }

    private func realPath(_ url: URL) -> String? {
        guard let path = realpath(url.path, nil) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    /// Bytes of a file, or of all files in a folder; of a link, none.
    private static func size(_ url: URL) -> Int {
        guard let status = fileStatus(url, followLinks: false) else { return 0 }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return status.st_nlink == 1 ? Int(status.st_size) : 0
        case S_IFDIR: return names(in: url).reduce(0) { $0 + size(url.appending(path: $1)) }
        default: return 0
        }
    }
}
