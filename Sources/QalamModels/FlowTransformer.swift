// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamFormats
public import QalamTensors

// B: pictures   G: side of the grid of codes   D: numbers of a code   T = (G/2)²: image tokens, 4·D numbers each
// L: text tokens   C: width

/// The sizes of a flow transformer.
public struct FlowTransformerConfig: Sendable, Equatable {
    /// G.
    public var grid: Int
    /// D.
    public var codeWidth: Int
    /// C.
    public var width: Int
    /// Blocks.
    public var layers: Int
    /// Attention heads.
    public var heads: Int
    /// Entries of the text tokenizer; the id behind the last stands for no token.
    public var vocabularySize: Int
    /// L.
    public var textLength: Int
    /// What quantized numbers are multiplied by so that their deviation is about 1.
    public var latentScale: Float

    /// Sizes for a tokenizer's grid.
    public init(
        grid: Int, codeWidth: Int, width: Int = 192, layers: Int = 8, heads: Int = 6, vocabularySize: Int,
        textLength: Int = 24, latentScale: Float = 1.5
    ) {
        (self.grid, self.codeWidth, self.width, self.layers, self.heads) = (grid, codeWidth, width, layers, heads)
        (self.vocabularySize, self.textLength, self.latentScale) = (vocabularySize, textLength, latentScale)
    }

    /// Image tokens, T.
    public var imageTokens: Int { grid / 2 * (grid / 2) }
    /// Numbers of an image token.
    public var patchWidth: Int { 4 * codeWidth }

    /// Ids cut or filled up to L.
    public func padded(_ ids: [Int32]) -> [Int32] { paddedText(ids, to: textLength, vocabularySize: vocabularySize) }
}

/// A transformer that turns noise into the codes of a picture by rectified flow, conditioned on a text that stands
/// before the picture in the same sequence.
///
/// Rectified flow: Liu et al. 2022. Blocks as in DiT (Peebles & Xie 2023) with one table of modulations for all
/// (PixArt-α, Chen et al. 2023); it predicts the clean codes themselves (Li & He 2025).
public struct FlowTransformer {
    /// The sizes.
    public let config: FlowTransformerConfig
    /// Everything trainable, in the order of the model.
    public let parameters: [Parameter]
    private let words: Tensor  // (V+1,C)
    private let wordPositions: Tensor  // (L,C)
    private let imagePositions: Tensor  // (T,C)
    private let patches: Dense
    private let timeUp: Dense
    private let timeDown: Dense
    private let textSummary: Dense
    private let modulations: Dense
    private let blocks: [FlowBlock]
    private let finalTable: Tensor  // (2·C)
    private let head: Dense

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: FlowTransformerConfig, _ w: Weights) throws {
        config = c
        let C = c.width
        let draw = Initial.normal(deviation: 0.02)
        words = try w["words"]["weight"].tensor([c.vocabularySize + 1, C], .normal(deviation: 0.5))
        wordPositions = try w["word_positions"]["weight"].tensor([c.textLength, C], .normal(deviation: 0.1))
        imagePositions = try w["image_positions"]["weight"].tensor([c.imageTokens, C], .normal(deviation: 0.1))
        patches = try Dense(c.patchWidth, C, w["patches"])
        timeUp = try Dense(C, C, w["time"]["up"])
        timeDown = try Dense(C, C, w["time"]["down"])
        textSummary = try Dense(C, C, w["text_summary"])
        modulations = try Dense(C, 6 * C, gain: 0.1, w["modulations"])
        blocks = try (0..<c.layers).map { try FlowBlock(c, w["blocks"][$0]) }
        finalTable = try w["final"]["table"].tensor([2 * C], draw)
        head = try Dense(C, c.patchWidth, gain: 0.1, w["final"]["head"])
        parameters = w.parameters
    }

    /// The clean codes, predicted from noisy ones.
    ///
    /// - Parameters:
    ///   - noisy: (B,T,4·D): time · codes + (1 - time) · noise
    ///   - times: one for each picture, in 0..<1
    ///   - text: B·L ids, padded
    /// - Returns: (B,T,4·D)
    public func callAsFunction(_ noisy: Tensor, times: [Float], text: [Int32]) -> Tensor {
        let c = config
        let (B, T, L, C) = (times.count, c.imageTokens, c.textLength, c.width)
        precondition(
            noisy.shape == [B, T, c.patchWidth] && text.count == B * L, "flow: \(noisy.shape), \(text.count) ids")
        let read = embedding(text, words) + embedding((0..<B).flatMap { _ in 0..<Int32(L) }, wordPositions)
        let seen =
            patches(noisy) + embedding((0..<B).flatMap { _ in 0..<Int32(T) }, imagePositions).reshaped([B, T, C])
        let textRows = read.reshaped([B, L, C])
        let time = geluFeedForward(
            sinusoids(times, width: C), up: (timeUp.weight, timeUp.bias), down: (timeDown.weight, timeDown.bias))
        let condition = time + textSummary(meanOfTokens(textRows))
        let shared = modulations(condition)  // (B,6·C)
        var x = joined(textRows, seen).reshaped([B * (L + T), C])
        for block in blocks { x = block(x, shared, batch: B) }
        let last = Modulation(finalModulation(condition), width: C)
        let images = tokens(x.reshaped([B, L + T, C]), L..<L + T).reshaped([B * T, C])
        return head(last.modulate(norm(images), scale: 0, shift: 1)).reshaped([B, T, c.patchWidth])
    }

    /// Scale and shift before the head: the condition twice, plus a table.
    private func finalModulation(_ condition: Tensor) -> Tensor {
        let (B, C) = condition.rowsAndColumns
        let twice = joined(condition.reshaped([B, 1, C]), condition.reshaped([B, 1, C])).reshaped([B, 2 * C])
        return repeated(finalTable, B) + twice
    }

    /// Sines and cosines of times: (B,C).
    ///
    /// As positions are encoded by Vaswani et al. 2017.
    private func sinusoids(_ times: [Float], width: Int) -> Tensor {
        let half = width / 2
        return Tensor(
            times.flatMap { time in
                let angles = (0..<half).map { time * 1000 * powf(10000, -Float($0) / Float(half)) }
                return angles.map { cosf($0) } + angles.map { sinf($0) }
            }, [times.count, 2 * half])
    }
}

/// Ids cut to `length`, or filled up with the id behind the last of the vocabulary, which stands for no token.
func paddedText(_ ids: [Int32], to length: Int, vocabularySize: Int) -> [Int32] {
    Array(ids.prefix(length)) + Array(repeating: Int32(vocabularySize), count: max(0, length - ids.count))
}

/// A row for each of `count` samples: (C) to (count,C).
private func repeated(_ row: Tensor, _ count: Int) -> Tensor {
    embedding(Array(repeating: 0, count: count), row.reshaped([1, row.count]))
}

/// Layer norm without weights, whose place modulation takes.
private func norm(_ x: Tensor) -> Tensor {
    layerNorm(x, Tensor(repeating: 1, [x.rowsAndColumns.columns]), bias: nil, epsilon: 1e-6)
}

/// Attention and feed-forward, each modulated before and gated after.
private struct FlowBlock {
    let table: Tensor  // (6·C)
    let shape: AttentionShape
    let qkv: Dense
    let output: Dense
    let up: Dense
    let down: Dense

    init(_ c: FlowTransformerConfig, _ w: Weights) throws {
        let C = c.width
        shape = AttentionShape(heads: c.heads, kvHeads: c.heads, headDim: C / c.heads)
        table = try w["table"].tensor([6 * C], .normal(deviation: 0.3))
        qkv = try Dense(C, 3 * C, w["attention"]["qkv"])
        output = try Dense(C, C, w["attention"]["output"])
        up = try Dense(C, 4 * C, w["feed_forward"]["up"])
        down = try Dense(4 * C, C, w["feed_forward"]["down"])
    }

    func callAsFunction(_ x: Tensor, _ shared: Tensor, batch: Int) -> Tensor {
        let m = Modulation(shared + repeated(table, batch), width: x.rowsAndColumns.columns)
        let attended = output(
            bidirectionalAttention(qkv(m.modulate(norm(x), scale: 0, shift: 1)), shape, batch: batch))
        let h = m.gate(attended, addedTo: x, by: 2)
        let fed = geluFeedForward(
            m.modulate(norm(h), scale: 3, shift: 4), up: (up.weight, up.bias), down: (down.weight, down.bias))
        return m.gate(fed, addedTo: h, by: 5)
    }
}

extension FlowTransformer {
    /// Codes (B,G,G,D) as image tokens, scaled: (B,T,4·D).
    public func patches(of codes: Tensor) -> Tensor {
        let scaled = spaceToDepth(codes.detached)
        scaled.scaleInPlace(by: config.latentScale)
        return scaled.reshaped([codes.shape[0], config.imageTokens, config.patchWidth])
    }

    /// The inverse of ``patches(of:)``: (B,T,4·D) to (B,G,G,D).
    public func codes(of patches: Tensor) -> Tensor {
        let side = config.grid / 2
        let codes = depthToSpace(patches.detached.reshaped([patches.shape[0], side, side, config.patchWidth]))
        codes.scaleInPlace(by: 1 / config.latentScale)
        return codes
    }
}
