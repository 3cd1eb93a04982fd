// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats

/// What the `config.json` of a model that draws says.
struct ImageModelFacts: Sendable {
    /// The kind of model, as `model_type` names it.
    let type: String
    /// Pixels of a side.
    let size: Int
    /// Bytes of its weights.
    let bytes: Int

    /// The kinds of model that draw.
    static let types = ["qalam-draw", "qalam-colour"]

    /// Reads the config of the folder at `url`; nil: it is a model of another kind, or none.
    init?(_ url: URL) throws {
        let file = url.appending(path: "config.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let config = try JSONReader(contentsOf: file)
        type = try config.string("model_type")
        guard Self.types.contains(type) else { return nil }
        size = try config.int("image_size")
        let files = try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: [.fileSizeKey])
        bytes = try files.filter { $0.pathExtension == "safetensors" }.reduce(0) {
            try $0 + ($1.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
        }
    }
}

/// Opens the folder of a model that draws; its `config.json` says so by its `model_type`.
///
/// - Throws: errors that name what is wrong with which file, or `EngineError.unsupported`
public func openImageModel(_ folder: URL) throws -> any ImageModel {
    let name = modelName(folder)
    guard let facts = try ImageModelFacts(folder) else { throw EngineError.unsupported(model: name, what: "draw") }
    switch facts.type {
    case "qalam-colour": return ColourModel(name: name, size: facts.size)
    default: throw EngineError.unsupported(model: name, what: "be opened yet: models of its kind are to come")
    }
}
