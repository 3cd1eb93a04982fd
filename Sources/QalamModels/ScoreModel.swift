// SPDX-License-Identifier: Apache-2.0
public import QalamFormats
public import QalamTensors

// B: pictures or texts   S: side in pixels   T = (S/8)²: patches   L: text tokens   C: width   E: numbers of a vector

/// The sizes of a score model.
public struct ScoreModelConfig: Sendable, Equatable {
    /// S.
    public var size: Int
    /// C and E.
    public var width: Int
    /// Blocks of each tower.
    public var layers: Int
    /// Attention heads.
    public var heads: Int
    /// Entries of the text tokenizer; the id behind the last stands for no token.
    public var vocabularySize: Int
    /// L.
    public var textLength: Int

    /// Small towers for pictures of `size` pixels.
    public init(
        size: Int, width: Int = 128, layers: Int = 3, heads: Int = 4, vocabularySize: Int, textLength: Int = 24
    ) {
        (self.size, self.width, self.layers, self.heads) = (size, width, layers, heads)
        (self.vocabularySize, self.textLength) = (vocabularySize, textLength)
    }

    /// Patches of a picture, T.
    public var patches: Int { size / 8 * (size / 8) }

    /// Ids cut or filled up to L.
    public func padded(_ ids: [Int32]) -> [Int32] { paddedText(ids, to: textLength, vocabularySize: vocabularySize) }
}

/// Says how well a picture and a text belong together: two small transformers, and the cosine of their vectors.
///
/// In the manner of CLIP (Radford et al. 2021).
public struct ScoreModel {
    /// The sizes.
    public let config: ScoreModelConfig
    /// Everything trainable, in the order of the model.
    public let parameters: [Parameter]
    private let patches: Dense
    private let patchPositions: Tensor  // (T,C)
    private let pictureTower: Tower
    private let words: Tensor  // (V+1,C)
    private let wordPositions: Tensor  // (L,C)
    private let textTower: Tower

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: ScoreModelConfig, _ w: Weights) throws {
        config = c
        let (p, t) = (w["picture"], w["text"])
        patches = try Dense(256, c.width, p["patches"])
        patchPositions = try p["positions"]["weight"].tensor([c.patches, c.width], .normal(deviation: 0.1))
        pictureTower = try Tower(c, p)
        words = try t["words"]["weight"].tensor([c.vocabularySize + 1, c.width], .normal(deviation: 0.5))
        wordPositions = try t["positions"]["weight"].tensor([c.textLength, c.width], .normal(deviation: 0.1))
        textTower = try Tower(c, t)
        parameters = w.parameters
    }

    /// The vectors of pictures, of length 1: (B,S,S,4) to (B,E).
    public func pictures(_ x: Tensor) -> Tensor {
        let B = x.shape[0]
        let cells = spaceToDepth(spaceToDepth(spaceToDepth(x))).reshaped([B * config.patches, 256])
        let positions = (0..<B).flatMap { _ in 0..<Int32(config.patches) }
        return pictureTower(patches(cells) + embedding(positions, patchPositions), batch: B)
    }

    /// The vectors of texts, of length 1: B·L ids, padded, to (B,E).
    public func texts(_ ids: [Int32]) -> Tensor {
        let B = ids.count / config.textLength
        let positions = (0..<B).flatMap { _ in 0..<Int32(config.textLength) }
        return textTower(embedding(ids, words) + embedding(positions, wordPositions), batch: B)
    }
}

/// Blocks over the tokens of each sample, their mean, and a projection to a vector of length 1.
private struct Tower {
    let blocks: [PlainBlock]
    let norm: Tensor  // (C)
    let head: Dense

    init(_ c: ScoreModelConfig, _ w: Weights) throws {
        blocks = try (0..<c.layers).map { try PlainBlock(c, w["blocks"][$0]) }
        norm = try w["norm"]["weight"].tensor([c.width], .ones)
        head = try Dense(c.width, c.width, w["head"])
    }

    func callAsFunction(_ tokens: Tensor, batch: Int) -> Tensor {
        let C = tokens.rowsAndColumns.columns
        let x = blocks.reduce(tokens) { $1($0, batch: batch) }
        let mean = meanOfTokens(rmsNorm(x, norm, epsilon: 1e-6).reshaped([batch, x.rowsAndColumns.rows / batch, C]))
        return rmsNorm(head(mean), Tensor(repeating: 1 / Float(C).squareRoot(), [C]), epsilon: 1e-12)
    }
}

/// Attention and feed-forward, each normed before and added after.
private struct PlainBlock {
    let shape: AttentionShape
    let attentionNorm: Tensor
    let qkv: Dense
    let output: Dense
    let norm: Tensor
    let up: Dense
    let down: Dense

    init(_ c: ScoreModelConfig, _ w: Weights) throws {
        let C = c.width
        shape = AttentionShape(heads: c.heads, kvHeads: c.heads, headDim: C / c.heads)
        attentionNorm = try w["attention"]["norm"]["weight"].tensor([C], .ones)
        qkv = try Dense(C, 3 * C, w["attention"]["qkv"])
        output = try Dense(C, C, gain: 0.5, w["attention"]["output"])
        norm = try w["feed_forward"]["norm"]["weight"].tensor([C], .ones)
        up = try Dense(C, 4 * C, w["feed_forward"]["up"])
        down = try Dense(4 * C, C, gain: 0.5, w["feed_forward"]["down"])
    }

    func callAsFunction(_ x: Tensor, batch: Int) -> Tensor {
        let attended = bidirectionalAttention(qkv(rmsNorm(x, attentionNorm, epsilon: 1e-6)), shape, batch: batch)
        let h = x + output(attended)
        return h
            + geluFeedForward(
                rmsNorm(h, norm, epsilon: 1e-6), up: (up.weight, up.bias), down: (down.weight, down.bias))
    }
}
