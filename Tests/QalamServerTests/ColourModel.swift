// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import QalamImages

/// Draws one colour, which follows from the words and the seed: for trying out what asks for pictures without weights.
struct ColourModel: ImageModel {
    let id: String
    let created = 1_700_000_000
    let contextLength = 0
    let nativeSize: Int

    /// Fills squares; of a given picture, what its mask leaves open, or all of it as far as `strength` says.
    func draw(_ request: DrawRequest) -> AsyncThrowingStream<DrawEvent, any Error> {
        let (stream, continuation) = AsyncThrowingStream<DrawEvent, any Error>.makeStream()
        for picture in 0..<request.count {
            let seed = request.seed &+ UInt64(picture)
            let finished = drawn(request, seed: seed)
            for number in 0..<request.partials {
                let side = max(nativeSize >> (request.partials - number), 1)
                let rough = finished.resized(width: side, height: side)
                continuation.yield(
                    .partial(picture: picture, number: number, rough.resized(width: nativeSize, height: nativeSize)))
            }
            continuation.yield(.finished(picture: picture, finished, seed: seed))
        }
        let words = request.prompt.split(separator: " ").count
        continuation.yield(.usage(inputTokens: words, outputTokens: request.count * nativeSize * nativeSize / 64))
        continuation.finish()
        return stream
    }

    private func drawn(_ request: DrawRequest, seed: UInt64) -> Picture {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed  // FNV-1a
        for byte in request.prompt.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let colour = [UInt8(hash >> 16 & 255), UInt8(hash >> 32 & 255), UInt8(hash >> 48 & 255), 255]
        var result = Picture(width: nativeSize, height: nativeSize, filledWith: colour)
        guard let source = request.source else { return result }
        let old = source.picture.squared(to: nativeSize)
        let mask = source.mask?.squared(to: nativeSize)
        var pixels = result.pixels
        for index in pixels.indices {
            let share = mask.map { 1 - Float($0.pixels[index | 3]) / 255 } ?? Float(source.strength)
            pixels[index] = UInt8((Float(pixels[index]) * share + Float(old.pixels[index]) * (1 - share)).rounded())
        }
        result.pixels = pixels
        return result
    }
}
