// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import QalamFormats

/// All that `qalam show` tells of a model on this machine.
package struct ModelSummary: Sendable {
    /// A file of the model.
    package struct File: Sendable, Equatable {
        /// Its path in the model's folder.
        package let path: String
        /// Its bytes.
        package let size: Int
    }

    /// The model.
    package let model: StoredModel
    /// What its files say.
    package let facts: ModelFacts
    /// Its files, sorted by path.
    package let files: [File]
    /// Where it was pulled from, if it was.
    package let manifest: ModelManifest?

    /// Reads what is known of `model`.
    ///
    /// - Throws: `FormatError` that names the file that can't be read.
    package init(_ model: StoredModel) throws(FormatError) {
        let folder = model.kind == .gguf ? Self.folder(of: model.url) : model.url
        self.model = model
        manifest = ModelManifest.of(folder)
        var facts = model.kind == .gguf ? try ModelFacts(gguf: model.url) : try ModelFacts(folder: folder)
        facts.licence = facts.licence ?? cardLicence(in: folder)
        self.facts = facts
        let base = folder.path + "/"
        files = model.files.map { file in
            let path = file.path.hasPrefix(base) ? String(file.path.dropFirst(base.count)) : file.path
            return File(path: path, size: fileStatus(file, followLinks: true).map { Int($0.st_size) } ?? 0)
        }.sorted { $0.path < $1.path }
    }

    /// The folder of the model that a `.gguf` file belongs to: the nearest one above it with a manifest, else its own.
    private static func folder(of file: URL) -> URL {
        let own = file.deletingLastPathComponent()
        var folder = own
        for _ in 0..<4 {
            let manifest = folder.appending(path: ModelManifest.fileName)
            if fileStatus(manifest, followLinks: true) != nil { return folder }
            folder = folder.deletingLastPathComponent()
        }
        return own
    }
}
