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
    private let runner: DrawingRunner

    /// Opens the folder at `url`; `open` does the same on a thread of its own.
    ///
    /// - Throws: errors that name what is wrong where
    public init(_ url: URL, id: String? = nil) throws {
        let folder = try DrawingFolder(url)
        self.id = id ?? modelName(url)
        created = modelDate(url)
        facts = try ModelFacts(url)
        tokenizer = try folder.textTokenizer()
        nativeSize = folder.imageTokenizerConfig.size
        let drawer = folder.drawer
        runner = try DrawingRunner(folder)
        contextLength = drawer?.textLength ?? 0
        drawsTokens = if case .token = drawer { true } else { false }
        guard tokenizer.vocabularySize <= drawer?.vocabularySize ?? 0 else {
            throw ModelError.mismatch("\(url.lastPathComponent): its tokenizer and its weights don't belong together.")
        }
    }

    /// Opens a folder as `init` does, on a thread that no one else waits for.
    public static func open(_ url: URL, id: String? = nil) async throws -> DrawingModel {
        try await onOwnThread { try DrawingModel(url, id: id) }
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

/// Draws for many callers, one request after the other, on a thread of its own.
private actor DrawingRunner {
    private let sampler: any CodeSampler
    private let images: ImageTokenizer
    private let thread = EngineThread()

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ folder: DrawingFolder) throws {
        images = try folder.imageTokenizer()
        sampler = try folder.openDrawer().sampler(images)
    }

    func draw(_ request: DrawRequest, _ ids: [TokenID], report: (DrawEvent) -> Void) {
        var sampler = sampler
        sampler.follow(request)
        let wanted = (0..<request.count).map { CodeRequest(text: ids, seed: request.seed &+ UInt64($0)) }
        let original = request.source.map { Original($0, size: images.config.size) }
        let source = original.map { $0.source(images, strength: request.source?.strength ?? 1) }
        let partials = Self.milestones(request.partials, steps: sampler.steps)
        let codes = sampler.draw(wanted, from: source) { done, codes in
            if let number = partials.firstIndex(of: done) {
                for (i, picture) in pictures(codes(), original).enumerated() {
                    report(.partial(picture: i, number: number, picture))
                }
            }
            return !Task.isCancelled
        }
        guard let codes else { return }
        for (i, picture) in pictures(codes, original).enumerated() {
            report(.finished(picture: i, picture, seed: wanted[i].seed))
        }
        report(.usage(inputTokens: ids.count, outputTokens: request.count * sampler.imageTokens))
    }

    /// The steps after which unfinished pictures are shown, spread over the work.
    private static func milestones(_ count: Int, steps: Int) -> [Int] {
        (0..<count).map { max(1, ($0 + 1) * steps / (count + 1)) }
    }

    private func pictures(_ codes: Tensor, _ original: Original?) -> [Picture] {
        images.quantizer.snap(codes)
        return picturesOf(images.decode(codes)).map { original?.restored(in: $0) ?? $0 }
    }
}

/// The picture that a request starts from, in the model's size.
private struct Original {
    private let picture: Picture
    private let mask: Picture?

    init(_ source: DrawSource, size: Int) {
        picture = source.picture.squared(to: size)
        mask = source.mask?.resized(width: size, height: size)
    }

    /// Its codes, and which of them no transparent pixel of the mask touches.
    func source(_ images: ImageTokenizer, strength: Double) -> CodeSource {
        let kept = mask.map { mask in
            let G = images.config.grid, pixels = mask.width / G
            return (0..<G * G).map { code in
                let (top, left) = (code / G * pixels, code % G * pixels)
                return (0..<pixels * pixels).allSatisfy { i in
                    mask.pixels[4 * ((top + i / pixels) * mask.width + left + i % pixels) + 3] == 255
                }
            }
        }
        let codes = images.encode(tensorOf([picture]))
        return CodeSource(codes: codes, kept: kept, strength: Float(strength))
    }

    /// The original's pixels again wherever the mask is not transparent.
    func restored(in drawn: Picture) -> Picture {
        guard let mask else { return drawn }
        var result = drawn
        for pixel in 0..<picture.width * picture.height where mask.pixels[4 * pixel + 3] > 127 {
            for i in 4 * pixel..<4 * pixel + 4 { result.pixels[i] = picture.pixels[i] }
        }
        return result
    }
}
