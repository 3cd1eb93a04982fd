// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A model on this machine.
package struct StoredModel: Sendable, Equatable {
    /// How its numbers are stored.
    package enum Kind: String, Sendable {
        /// A folder with `config.json` and safetensors.
        case safetensors
        /// A `.gguf` file, or the parts of one.
        case gguf
        /// A pull that has not ended.
        case incomplete
    }

    /// What to call it on the command line.
    package let name: String
    /// What opens it: the folder, or the (first) `.gguf` file.
    package let url: URL
    /// How its numbers are stored.
    package let kind: Kind
    /// The quantization that the file's name tells, of GGUF models.
    package let quantization: String?
    /// The files that are its own.
    package let files: [URL]
    /// How many `.gguf` files there must be.
    package let partCount: Int
    /// Bytes of its files.
    package let size: Int
    /// When the latest of its files was changed.
    package let modified: Date

    /// A model made of files: a folder, or a pull that has not ended.
    init(_ name: String, _ kind: Kind, at url: URL, files: [URL]) {
        self.init(name, kind, url, nil, (files, 1))
    }

    /// A GGUF model; nil if it has no files.
    init?(_ name: String, _ group: GGUFGroup<URL>) {
        guard let first = group.files.first else { return nil }
        self.init(name, .gguf, first, group.quantization, (group.files, group.partCount))
    }

    private init(
        _ name: String, _ kind: Kind, _ url: URL, _ quantization: String?, _ files: (urls: [URL], count: Int)
    ) {
        (self.name, self.kind, self.url, self.quantization) = (name, kind, url, quantization)
        (self.files, partCount) = (files.urls, files.count)
        let found = files.urls.compactMap { fileStatus($0, followLinks: true) }
        size = found.reduce(0) { $0 + Int($1.st_size) }
        modified = Date(timeIntervalSince1970: Double(found.map(modificationTime).max() ?? 0))
    }
}

/// What the file system knows of a file; nil if there is none.
func fileStatus(_ url: URL, followLinks: Bool) -> stat? {
    var status = stat()
    return fstatat(AT_FDCWD, url.path, &status, followLinks ? 0 : AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
}

/// Whether `url` is a folder, or a link to one if those are followed.
func isFolder(_ url: URL, followLinks: Bool = true) -> Bool {
    fileStatus(url, followLinks: followLinks).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
}

/// The names in `folder`, sorted; none if it can't be read.
func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
}

/// The files in `folder` and in the folders in it, six levels down; hidden ones and linked folders are passed over.
func filesUnder(_ folder: URL, depth: Int = 6) -> [URL] {
    names(in: folder).filter { !$0.hasPrefix(".") }.flatMap { name -> [URL] in
        let child = folder.appending(path: name)
        guard isFolder(child) else { return [child] }
        return depth > 0 && isFolder(child, followLinks: false) ? filesUnder(child, depth: depth - 1) : []
    }
}

private func modificationTime(_ status: stat) -> Int {
    #if canImport(Darwin)
        status.st_mtimespec.tv_sec
    #else
        status.st_mtim.tv_sec
    #endif
}
