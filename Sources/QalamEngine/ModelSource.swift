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
        var kinds: [Kind] = []
        for source in sources {
            if entries.contains(where: { $0.name == source.id }) {
                throw EngineError.badOption(name: "--model", why: "has two models called \(source.id).")
            }
            let kind = try ImageModelFacts(source.url).map { Kind.image($0) } ?? .text(try ModelFacts(source.url))
            kinds.append(kind)
            entries.append(
                ServedLibrary.Source(name: source.id, bytes: kind.bytes) {
                    try await Qalam.open(
                        source.url, id: source.id, draft: source.draft, adapters: source.adapters,
                        configuration: source.configuration)
                })
        }
        let library = ServedLibrary(entries, memoryLimit: memoryLimit, keepAlive: keepAlive)
        return (library, zip(sources, kinds).flatMap { $1.models(of: $0, library) })
    }
}

/// What is known of a model before it is opened.
private enum Kind {
    case text(ModelFacts)
    case image(ImageModelFacts)

    var bytes: Int {
        switch self {
        case .text(let facts): facts.bytes
        case .image(let facts): facts.bytes
        }
    }

    /// The model as a server shows it, by its own name and with each of its adapters.
    func models(of source: ModelSource, _ library: ServedLibrary) -> [any ServedModel] {
        let created = modelDate(source.url)
        switch self {
        case .image(let facts):
            return [LibraryImageModel(id: source.id, created: created, nativeSize: facts.size, library: library)]
        case .text(let facts) where facts.kind == .encoder:
            return [LibraryEncoder(id: source.id, created: created, facts: facts, library: library)]
        case .text(let facts):
            let names = source.adapters.keys.sorted()
            let base = LibraryModel(id: source.id, created: created, facts: facts, adapters: names, library: library)
            return [base] + names.map { AdaptedModel(base, adapter: $0) }
        }
    }
}
