// SPDX-License-Identifier: Apache-2.0
public import QalamFormats
public import QalamTensors

// B: pictures   G: side of the grid of codes   N = G²: image tokens, one code each   K: codes there are
// L: text tokens   C: width

/// The sizes of a token transformer.
public struct TokenTransformerConfig: Sendable, Equatable {
    /// G.
    public var grid: Int
    /// K.
    public var codes: Int
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

    /// Sizes for a tokenizer's grid.
    public init(
        grid: Int, codes: Int, width: Int = 192, layers: Int = 8, heads: Int = 6, vocabularySize: Int,
        textLength: Int = 24
    ) {
        (self.grid, self.codes, self.width, self.layers, self.heads) = (grid, codes, width, layers, heads)
        (self.vocabularySize, self.textLength) = (vocabularySize, textLength)
    }

    /// Image tokens, N.
    public var imageTokens: Int { grid * grid }

    /// The decoder inside: its vocabulary is the codes, and it reads all but the last of them.
    public var decoder: DecoderConfig {
        DecoderConfig(
            .llama, vocabularySize: codes, hiddenSize: width, layers: layers,
            attention: AttentionShape(heads: heads, kvHeads: heads, headDim: width / heads),
            contextLength: textLength + imageTokens - 1)
    }

    /// Ids cut or filled up to L.
    public func padded(_ ids: [Int32]) -> [Int32] { paddedText(ids, to: textLength, vocabularySize: vocabularySize) }
}

/// A language model over a text and then the codes of a picture, row by row from the top.
///
/// The transformer of DALL-E (Ramesh et al. 2021, § 2.2) with the project's own decoder. Texts have a table of their
/// own, so the head is over codes alone and the text has no loss. The decoder's rotation tells how far apart tokens
/// are; learned rows and columns, added to the codes, tell where on the picture they lie.
public struct TokenTransformer {
    /// The sizes.
    public let config: TokenTransformerConfig
    /// Everything trainable, in the order of the model.
    public let parameters: [Parameter]
    /// What reads the embedded tokens; its embedding is that of the codes.
    public let decoder: Decoder
    private let words: Tensor  // (V+1,C)
    private let rows: Tensor  // (G,C)
    private let columns: Tensor  // (G,C)

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: TokenTransformerConfig, _ w: Weights) throws {
        config = c
        let draw = Initial.normal(deviation: 0.02)
        words = try w["words"]["weight"].tensor([c.vocabularySize + 1, c.width], draw)
        rows = try w["rows"]["weight"].tensor([c.grid, c.width], draw)
        columns = try w["columns"]["weight"].tensor([c.grid, c.width], draw)
        decoder = try Decoder(c.decoder, w["decoder"])
        parameters = w.parameters
    }

    /// Text tokens as the decoder reads them: (ids,C).
    public func embedded(text: [Int32]) -> Tensor { embedding(text, words) }

    /// Codes at places 0..<N of their pictures as the decoder reads them: (codes,C).
    public func embedded(codes: [Int32], at places: [Int32]) -> Tensor {
        precondition(codes.count == places.count, "codes: \(codes.count) at \(places.count) places")
        let G = Int32(config.grid)
        return decoder.embedded(codes) + embedding(places.map { $0 / G }, rows)
            + embedding(places.map { $0 % G }, columns)
    }

    /// The states that predict every code of whole pictures, for the decoder's head.
    ///
    /// - Parameters:
    ///   - text: B·L ids, padded
    ///   - codes: B·N
    /// - Returns: (B·N,C)
    public func states(text: [Int32], codes: [Int32]) -> Tensor {
        let (L, N, C) = (config.textLength, config.imageTokens, config.width)
        let B = codes.count / N
        precondition(text.count == B * L && codes.count == B * N, "token: \(text.count) ids, \(codes.count) codes")
        let read = codes.indices.filter { $0 % N != N - 1 }
        let seen = embedded(codes: read.map { codes[$0] }, at: read.map { Int32($0 % N) })
        let x = joined(embedded(text: text).reshaped([B, L, C]), seen.reshaped([B, N - 1, C]))
        var context = CausalContext(batch: B, length: L + N - 1)
        let hidden = decoder.hidden(embedded: x.reshaped([B * (L + N - 1), C]), &context)
        // The last token of the text predicts the first code.
        return tokens(hidden.reshaped([B, L + N - 1, C]), L - 1..<L + N - 1).reshaped([B * N, C])
    }
}
