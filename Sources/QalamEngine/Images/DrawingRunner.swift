// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamImages
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// Draws for many callers, one request after the other, on a thread of its own.
actor DrawingRunner {
    private let sampler: any CodeSampler
    private let images: ImageTokenizer
    private let thread = EngineThread()

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let ranker: PictureRanker?

    init(_ folder: DrawingFolder, ranker url: URL?) throws {
        ranker = try url.map { try PictureRanker($0) }
        images = try folder.imageTokenizer()
        sampler = try folder.openDrawer().sampler(images)
    }

    func draw(_ request: DrawRequest, _ ids: [TokenID], report: (DrawEvent) -> Void) {
        var sampler = sampler
        sampler.follow(request)
        let candidates = max(request.count, request.candidates ?? 0)
        let wanted = (0..<candidates).map { CodeRequest(text: ids, seed: request.seed &+ UInt64($0)) }
        let original = request.source.map { Original($0, size: images.config.size) }
        let source = original.map { $0.source(images, strength: request.source?.strength ?? 1) }
        let partials = Self.milestones(request.partials, steps: sampler.steps)
        let codes = sampler.draw(wanted, from: source) { done, codes in
            if let number = partials.firstIndex(of: done) {
                for (i, picture) in pictures(codes(), original).prefix(request.count).enumerated() {
                    report(.partial(picture: i, number: number, picture))
                }
            }
            return !Task.isCancelled
        }
        guard let codes else { return }
        let drawn = pictures(codes, original)
        let order = candidates == request.count ? nil : ranker?.order(of: drawn, for: request.prompt)
        for (i, place) in (order ?? Array(drawn.indices)).prefix(request.count).enumerated() {
            report(.finished(picture: i, drawn[place], seed: wanted[place].seed))
        }
        report(.usage(inputTokens: ids.count, outputTokens: candidates * sampler.imageTokens))
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
