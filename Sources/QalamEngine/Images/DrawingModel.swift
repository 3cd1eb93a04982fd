// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamImages
public import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// A folder that `qalam train image` wrote, opened: it draws pictures.
public struct DrawingModel: ImageModel {
    /// The name clients call it by.
    public let id: String
    /// When its folder's config.json was last changed, in seconds since 1970.
    public let created: Int
    /// The most tokens of a prompt.
    public let contextLength: Int
    /// What its files say of it.
    public let facts: ModelFacts?
    /// The side of its pictures in pixels.
    public let nativeSize: Int
    private let tokenizer: Tokenizer
    private let drawsTokens: Bool
    private let canRank: Bool
    private let runner: DrawingRunner

    /// Opens the folder at `url`; `open` does the same on a thread of its own.
    ///
    /// - Parameters:
    ///   - url: the folder
    ///   - id: the name clients call it by; nil for the folder's
    ///   - rank: the folder of a score model that chooses among candidates; nil for `score` in the model's, if there
    /// - Throws: errors that name what is wrong where
    public init(_ url: URL, id: String? = nil, rank: URL? = nil) throws {
        let folder = try DrawingFolder(url)
        self.id = id ?? modelName(url)
        created = modelDate(url)
        facts = try ModelFacts(url)
        tokenizer = try folder.textTokenizer()
        nativeSize = folder.imageTokenizerConfig.size
        let drawer = folder.drawer
        let own = url.appending(path: PictureRanker.folderName)
        let ranker = rank ?? (FileManager.default.fileExists(atPath: own.path) ? own : nil)
        canRank = ranker != nil
        runner = try DrawingRunner(folder, ranker: ranker)
        contextLength = drawer?.textLength ?? 0
        drawsTokens = if case .token = drawer { true } else { false }
        guard tokenizer.vocabularySize <= drawer?.vocabularySize ?? 0 else {
            throw ModelError.mismatch("\(url.lastPathComponent): its tokenizer and its weights don't belong together.")
        }
    }

    /// Opens a folder as `init` does, on a thread that no one else waits for.
    public static func open(_ url: URL, id: String? = nil, rank: URL? = nil) async throws -> DrawingModel {
        try await onOwnThread { try DrawingModel(url, id: id, rank: rank) }
    }

    /// The most pictures of one request.
    public static let mostPictures = 64

    /// Draws all pictures of a request together.
    public func draw(_ request: DrawRequest) throws -> AsyncThrowingStream<DrawEvent, any Error> {
        let ids = captionTokens(request.prompt, tokenizer)
        guard ids.count <= contextLength else {
            throw EngineError.badOption(
                name: "prompt",
                why: "takes \(ids.count) tokens, and this model reads \(contextLength): shorten it.")
        }
        try check("n", request.count, 1...Self.mostPictures)
        if let candidates = request.candidates {
            try check("candidates", candidates, request.count...Self.mostPictures)
            guard canRank || candidates == request.count else {
                throw EngineError.badOption(name: "candidates", why: "needs a score model to choose by.")
            }
        }
        try check("steps", request.steps ?? 1, 1...200)
        try check("partial_images", request.partials, 0...3)
        try checkSampling(request)
        let guidance = request.guidance ?? 1, strength = request.source?.strength ?? 1
        guard guidance >= 1, guidance <= 20 else {
            throw EngineError.badOption(name: "guidance", why: "is not in 1...20.")
        }
        guard strength >= 0, strength <= 1 else {
            throw EngineError.badOption(name: "strength", why: "is not in 0...1.")
        }
        return AsyncThrowingStream { continuation in
            let task = Task {
                await runner.draw(request, ids) { continuation.yield($0) }
                if Task.isCancelled { return continuation.finish(throwing: CancellationError()) }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// What only models that draw code by code take.
    private func checkSampling(_ request: DrawRequest) throws(EngineError) {
        let options: [(String, Double?, ClosedRange<Double>)] = [
            ("temperature", request.temperature, 0...10), ("top_k", request.topK.map(Double.init), 0...1_048_576),
            ("top_p", request.topP, 0.01...1),
        ]
        for (name, value, range) in options {
            guard let value else { continue }
            guard drawsTokens else { throw .badOption(name: name, why: "is for models that draw code by code.") }
            guard range.contains(value) else { throw .badOption(name: name, why: "is \(value), not in \(range).") }
        }
    }

    private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(EngineError) {
        guard range.contains(value) else { throw .badOption(name: name, why: "is \(value), not in \(range).") }
    }
}
