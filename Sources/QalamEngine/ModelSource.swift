// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamModels

/// A model that a library can open, and how.
public struct ModelSource: Sendable {
    /// The folder or `.gguf` file.
    public var url: URL
    /// What clients call it.
    public var id: String
    /// A smaller model of the same vocabulary, for `Speculation.draft`.
    public var draft: URL?
    /// Low-rank adapters by name.
    public var adapters: [String: URL]
    /// Memory for keys and values, sequences at once.
    public var configuration: EngineConfiguration

    /// The model at `url`, called like its folder or file unless `id` says otherwise.
    public init(
        _ url: URL, id: String? = nil, draft: URL? = nil, adapters: [String: URL] = [:],
        configuration: EngineConfiguration = .init()
    ) {
        self.url = url
        self.id = id ?? modelName(url)
        self.draft = draft
        self.adapters = adapters
        self.configuration = configuration
    }
}

extension ModelLibrary<any ServedModel> {
    /// A library of these models, none of which is opened yet, and the models as a server shows them: each under its
    /// own name, and under `name:adapter` with each of its adapters.
    ///
    /// - Parameters:
    ///   - sources: the models
    ///   - memoryLimit: the most bytes of weights open at once; nil for no limit
    ///   - keepAlive: how long a model stays open unused; nil for ever
    /// - Returns: the library, and the models
    /// - Throws: errors that name what is wrong with which config, or two models of one name
    public static func serving(
        _ sources: [ModelSource], memoryLimit: Int? = nil, keepAlive: Duration? = nil
    ) throws -> (library: ServedLibrary, models: [any ServedModel]) {
        var entries: [ServedLibrary.Source] = []
        var facts: [ModelFacts] = []
        for source in sources {
            if entries.contains(where: { $0.name == source.id }) {
                throw EngineError.badOption(name: "--model", why: "has two models called \(source.id).")
            }
            let known = try ModelFacts(source.url)
            facts.append(known)
            entries.append(
                ServedLibrary.Source(name: source.id, bytes: known.bytes) {
                    try await Qalam.open(
                        source.url, id: source.id, draft: source.draft, adapters: source.adapters,
                        configuration: source.configuration)
                })
        }
        let library = ServedLibrary(entries, memoryLimit: memoryLimit, keepAlive: keepAlive)
        let models = try zip(sources, facts).flatMap { source, facts -> [any ServedModel] in
            let created = modelDate(source.url)
            switch facts.kind {
            case .encoder:
                return [LibraryEncoder(id: source.id, created: created, facts: facts, library: library)]
            case .drawing:
                return [
                    LibraryDrawing(
                        id: source.id, created: created, facts: facts, nativeSize: try drawingSize(source.url),
                        library: library)
                ]
            case .decoder:
                let names = source.adapters.keys.sorted()
                let base = LibraryModel(
                    id: source.id, created: created, facts: facts, adapters: names, library: library)
                return [base] + names.map { AdaptedModel(base, adapter: $0) }
            }
        }
        return (library, models)
    }
}

/// The side of the pictures of the folder at `url`.
private func drawingSize(_ url: URL) throws -> Int { try DrawingFolder(url).imageTokenizerConfig.size }
