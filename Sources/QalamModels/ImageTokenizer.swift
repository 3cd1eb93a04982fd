// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamFormats
public import QalamTensors

// B: pictures   S: side in pixels   G = S/4: side of the grid of codes   W, V: channels at S/2 and at S/4
// D: numbers of a code

/// The sizes of an image tokenizer.
public struct ImageTokenizerConfig: Sendable, Equatable {
    /// The side of the pictures it was trained on; others work if they are multiples of 4.
    public var size: Int
    /// Channels at half the side.
    public var fineWidth: Int
    /// Channels at a quarter of the side.
    public var coarseWidth: Int
    /// Blocks at half the side: in the encoder, in the decoder.
    public var fineBlocks: [Int]
    /// Blocks at a quarter of the side: in the encoder, in the decoder.
    public var coarseBlocks: [Int]
    /// How codes are made.
    public var codes: ImageCodes

    /// Pixels along the side of the square that one code stands for.
    public static let factor = 4

    /// About 0.7 M parameters and a thousand codes.
    public init(
        size: Int = 64, fineWidth: Int = 32, coarseWidth: Int = 96, codes: ImageCodes = .levels([8, 5, 5, 5])
    ) {
        (self.size, self.fineWidth, self.coarseWidth, self.codes) = (size, fineWidth, coarseWidth, codes)
        fineBlocks = [1, 2]
        coarseBlocks = [2, 3]
    }

    /// The side of the grid of codes, G.
    public var grid: Int { size / Self.factor }
}

/// A convolutional autoencoder whose middle is a grid of codes from a small fixed set: pictures as tokens.
///
/// The place of DALL-E's discrete VAE (Ramesh et al. 2021, § 2.1): with finite scalar quantization, or with a learned
/// codebook as there. Pictures are premultiplied RGBA in -1...1.
public struct ImageTokenizer {
    /// The sizes.
    public let config: ImageTokenizerConfig
    /// Everything trainable, in the order of the model.
    public let parameters: [Parameter]
    /// Codes of numbers and back.
    public let quantizer: ImageQuantizer
    private let encoderStem: Convolution
    private let encoderFine: [ConvolutionBlock]
    private let encoderDown: Dense
    private let encoderCoarse: [ConvolutionBlock]
    private let encoderHead: Dense
    private let decoderStem: Dense
    private let decoderCoarse: [ConvolutionBlock]
    private let decoderUp: Dense
    private let decoderFine: [ConvolutionBlock]
    private let decoderNorm: Tensor
    private let decoderHead: Convolution

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: ImageTokenizerConfig, _ w: Weights) throws {
        config = c
        let (W, V) = (c.fineWidth, c.coarseWidth)
        func blocks(_ count: Int, _ width: Int, _ w: Weights) throws -> [ConvolutionBlock] {
            try (0..<count).map { try ConvolutionBlock(width, w[$0]) }
        }
        let (e, d) = (w["encoder"], w["decoder"])
        encoderStem = try Convolution(16, W, e["stem"])
        encoderFine = try blocks(c.fineBlocks[0], W, e["fine"])
        encoderDown = try Dense(4 * W, V, e["down"])
        encoderCoarse = try blocks(c.coarseBlocks[0], V, e["coarse"])
        switch c.codes {
        case .levels(let levels):
            encoderHead = try Dense(V, levels.count, e["head"])
            quantizer = .finiteScalar(FiniteScalarQuantizer(levels: levels))
        case .codebook(let count, let width):
            encoderHead = try Dense(V, count, e["head"])
            quantizer = .codebook(Codebook(try w["codebook"]["weight"].tensor([width, count], .normal(deviation: 1))))
        }
        decoderStem = try Dense(c.codes.width, V, d["stem"])
        decoderCoarse = try blocks(c.coarseBlocks[1], V, d["coarse"])
        decoderUp = try Dense(V, 4 * W, d["up"])
        decoderFine = try blocks(c.fineBlocks[1], W, d["fine"])
        decoderNorm = try d["norm"]["weight"].tensor([W], .ones)
        decoderHead = try Convolution(W, 16, d["head"])
        parameters = w.parameters
    }

    /// The quantized numbers of every code: (B,S,S,4) to (B,G,G,D).
    ///
    /// A gradient passes finite scalar quantization; for a codebook, see ``reconstruction(of:_:)``.
    public func encode(_ pictures: Tensor) -> Tensor {
        let made = encoded(pictures)
        switch quantizer {
        case .finiteScalar(let quantizer): return quantizer.quantized(made)
        case .codebook(let codebook):
            return codebook.values(of: codebook.choice(made)).reshaped(made.shape.ending(in: codebook.width))
        }
    }

    /// Pictures encoded and decoded, as they are trained.
    ///
    /// - Parameters:
    ///   - pictures: (B,S,S,4)
    ///   - relaxation: how a codebook's choice is softened; finite scalar quantization needs none
    /// - Returns: (B,S,S,4)
    public func reconstruction(of pictures: Tensor, _ relaxation: Codebook.Relaxation) -> Tensor {
        guard case .codebook(let codebook) = quantizer else { return decode(encode(pictures)) }
        let logits = encoded(pictures)
        let flat = logits.reshaped([logits.count / codebook.codes, codebook.codes])
        return decode(codebook.relaxed(flat, relaxation).numbers.reshaped(logits.shape.ending(in: codebook.width)))
    }

    /// What the quantizer gets: (B,S,S,4) to (B,G,G,D), or (B,G,G,K) for a codebook.
    private func encoded(_ pictures: Tensor) -> Tensor {
        var x = encoderStem(spaceToDepth(pictures))  // (B,S/2,S/2,W)
        for block in encoderFine { x = block(x) }
        x = encoderDown(spaceToDepth(x))  // (B,G,G,V)
        for block in encoderCoarse { x = block(x) }
        return encoderHead(x)
    }

    /// The pictures that quantized numbers stand for: (B,G,G,D) to (B,S,S,4).
    public func decode(_ numbers: Tensor) -> Tensor {
        var x = decoderStem(numbers)
        for block in decoderCoarse { x = block(x) }
        x = depthToSpace(decoderUp(x))
        for block in decoderFine { x = block(x) }
        return depthToSpace(decoderHead(rmsNorm(x, decoderNorm, epsilon: 1e-6)))
    }
}

/// x · Wᵀ + b on every pixel or token.
struct Dense {
    let weight: Tensor  // (out,in)
    let bias: Tensor  // (out)

    /// Drawn with deviation √(1/in), times `gain`; 0 starts as nothing.
    init(_ inputs: Int, _ outputs: Int, gain: Float = 1, _ w: Weights) throws {
        let initial = gain == 0 ? Initial.zeros : .normal(deviation: gain / Float(inputs).squareRoot())
        weight = try w.stacked([("weight", outputs)], columns: [inputs], initial, role: .projection)
        bias = try w["bias"].tensor([outputs], .zeros)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight, bias: bias) }
}

/// A convolution with 3×3 taps.
struct Convolution {
    let weight: Tensor  // (out,3,3,in)
    let bias: Tensor  // (out)

    init(_ inputs: Int, _ outputs: Int, _ w: Weights) throws {
        let initial = Initial.normal(deviation: 1 / Float(9 * inputs).squareRoot())
        weight = try w.stacked([("weight", outputs)], columns: [3, 3, inputs], initial, role: .table)
        bias = try w["bias"].tensor([outputs], .zeros)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { convolution(x, weight, bias: bias) }
}

/// The residual block x + down(gelu(up(norm(convolution(x))))).
///
/// In the manner of ConvNeXt (Liu et al. 2022), with a full convolution.
struct ConvolutionBlock {
    let mix: Convolution
    let norm: Tensor  // (C)
    let up: Dense
    let down: Dense

    init(_ width: Int, _ w: Weights) throws {
        mix = try Convolution(width, width, w["mix"])
        norm = try w["norm"]["weight"].tensor([width], .ones)
        up = try Dense(width, 2 * width, w["up"])
        down = try Dense(2 * width, width, gain: 0.5, w["down"])
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let h = rmsNorm(mix(x), norm, epsilon: 1e-6)
        return x + geluFeedForward(h, up: (up.weight, up.bias), down: (down.weight, down.bias))
    }
}
