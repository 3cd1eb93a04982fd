// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

/// How an image tokenizer's numbers make codes.
public enum ImageCodes: Sendable, Equatable {
    /// Finite scalar quantization to these levels.
    case levels([Int])
    /// A choice among `count` codes with `width` learned numbers each, as in DALL-E's discrete VAE.
    case codebook(count: Int, width: Int)

    /// How many codes there are.
    public var count: Int {
        switch self {
        case .levels(let levels): levels.reduce(1, *)
        case .codebook(let count, _): count
        }
    }

    /// Numbers of a code.
    public var width: Int {
        switch self {
        case .levels(let levels): levels.count
        case .codebook(_, let width): width
        }
    }
}

/// The codes of numbers, and the numbers of codes.
public enum ImageQuantizer {
    /// Each number on its own.
    case finiteScalar(FiniteScalarQuantizer)
    /// All numbers of a code together.
    case codebook(Codebook)

    /// The codes nearest to numbers (…,D).
    public func codes(of numbers: Tensor) -> [Int32] {
        let width = numbers.shape.last ?? 1
        let rows = numbers.detached.reshaped([numbers.count / width, width])
        return switch self {
        case .finiteScalar(let quantizer): quantizer.codes(of: rows)
        case .codebook(let codebook): codebook.codes(of: rows)
        }
    }

    /// The numbers of codes: (N,D).
    public func values(of codes: [Int32]) -> Tensor {
        switch self {
        case .finiteScalar(let quantizer): quantizer.values(of: codes)
        case .codebook(let codebook): codebook.values(of: codes)
        }
    }

    /// Moves numbers (…,D) to those of the nearest codes, in place; for what another model has made.
    public func snap(_ numbers: Tensor) {
        switch self {
        case .finiteScalar(let quantizer): quantizer.snap(numbers)
        case .codebook:
            let nearest = values(of: codes(of: numbers))
            numbers.pointer.update(from: nearest.pointer, count: numbers.count)
        }
    }
}
