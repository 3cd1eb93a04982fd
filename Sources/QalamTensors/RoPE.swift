// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels
internal import Foundation

/// Rotary position embedding, on pairs (i, i + R/2) of the first R floats of each head as in Hugging Face's Llama.
///
/// RoFormer (Su et al. 2021); R = D unless the rotation is partial.
public struct RoPE: Sendable {
    /// θ^(-2i/R), scaled, for each of the R/2 pairs.
    let inverseFrequency: [Float]
    /// What rotated numbers are multiplied by: YaRN's correction of the scores' temperature.
    let magnitude: Float

    /// Frequencies for `width` rotated floats a head with base `theta`.
    ///
    /// - Parameters:
    ///   - width: R, even
    ///   - theta: the base
    ///   - scaling: how the frequencies are changed for longer texts
    ///   - contextLength: the longest text that will be run, by which LongRoPE chooses its factors
    public init(width: Int, theta: Double, scaling: RoPEScaling = .none, contextLength: Int = 0) {
        precondition(width % 2 == 0, "rope: \(width) is odd")
        let plain = (0..<width / 2).map { 1 / pow(theta, Double(2 * $0) / Double(width)) }
        inverseFrequency = scaling.applied(to: plain, theta: theta, contextLength: contextLength).map { Float($0) }
        magnitude = Float(scaling.magnitude)
    }

    /// Rotates queries and keys of fused rows (N, (H + 2·Hkv)·D) in place; `direction` -1 is the transpose.
    func rotate(_ fused: Tensor, _ s: AttentionShape, positions: [Int32], direction: Float = 1) {
        let rows = fused.rowsAndColumns.rows
        let width = 2 * inverseFrequency.count
        precondition(positions.count == rows, "rope: \(positions.count) positions, \(fused.shape)")
        precondition(width <= s.headDim, "rope: \(width) of \(s.headDim) floats")
        if width == s.headDim {
            k_rope(
                fused.pointer, positions, inverseFrequency, rows, s.heads + s.kvHeads, width, s.fusedWidth, direction)
        } else {
            for head in 0..<s.heads + s.kvHeads {
                k_rope(
                    fused.pointer + head * s.headDim, positions, inverseFrequency, rows, 1, width, s.fusedWidth,
                    direction)
            }
        }
        if magnitude != 1 { scale(fused, s, width: width) }
    }

    /// Multiplies the rotated floats of every head by the magnitude.
    private func scale(_ fused: Tensor, _ s: AttentionShape, width: Int) {
        let heads = s.heads + s.kvHeads
        let (runs, length) = width == s.headDim ? (1, heads * width) : (heads, width)
        for row in 0..<fused.rowsAndColumns.rows {
            for run in 0..<runs {
                k_scale(fused.pointer + row * s.fusedWidth + run * s.headDim, magnitude, length)
            }
        }
    }
}

/// How rotary frequencies are changed so that a model reads texts longer than it was trained on at first.
public enum RoPEScaling: Sendable, Equatable {
    /// Not at all.
    case none
    /// All positions are divided by the factor (Chen et al. 2023).
    case linear(factor: Double)
    /// Slow pairs are divided by `factor`, quick ones left, with a ramp between (Llama 3.1).
    case llama3(factor: Double, lowFrequency: Double, highFrequency: Double, originalContext: Int)
    /// The same with the ramp over the number of turns, and warmer scores: YaRN (Peng et al. 2023).
    case yarn(YaRN)
    /// A divisor for each pair: one list up to the original context, another beyond (Ding et al. 2024).
    case longRoPE(short: [Double], long: [Double], originalContext: Int, magnitude: Double)
    /// A divisor for each pair, as GGUF files hold what Llama 3.1's formula gives.
    case divided([Double])

    /// YaRN's numbers.
    public struct YaRN: Sendable, Equatable {
        /// By how much the context grew.
        public var factor: Double
        /// The context before.
        public var originalContext: Int
        /// Pairs that turn more often than this in the original context are left alone.
        public var betaFast = 32.0
        /// Pairs that turn less often are divided by the factor.
        public var betaSlow = 1.0
        /// What rotated numbers are multiplied by; nil for 0.1·ln(factor) + 1.
        public var magnitude: Double?
        /// Whether the ramp starts and ends at whole pairs.
        public var isRounded = true

        /// YaRN with the paper's constants.
        public init(factor: Double, originalContext: Int) {
            self.factor = factor
            self.originalContext = originalContext
        }
    }

    /// What rotated numbers are multiplied by.
    var magnitude: Double {
        switch self {
        case .yarn(let yarn): yarn.magnitude ?? (yarn.factor > 1 ? 0.1 * log(yarn.factor) + 1 : 1)
        case .longRoPE(_, _, _, let magnitude): magnitude
        default: 1
        }
    }

    /// The frequencies after scaling, from θ^(-2i/R).
    func applied(to plain: [Double], theta: Double, contextLength: Int) -> [Double] {
        switch self {
        case .none: plain
        case .linear(let factor): plain.map { $0 / factor }
        case .llama3(let factor, let low, let high, let original):
            plain.map { frequency in
                // Turns in the original context: below `low` all of the division, above `high` none.
                let turns = Double(original) * frequency / (2 * .pi)
                let kept = min(max((turns - low) / (high - low), 0), 1)
                return (1 - kept) * frequency / factor + kept * frequency
            }
        case .yarn(let yarn): yarn.applied(to: plain, theta: theta)
        case .longRoPE(let short, let long, let original, _):
            zip(plain, contextLength > original ? long : short).map { $0 / $1 }
        case .divided(let divisors): zip(plain, divisors).map { $0 / $1 }
        }
    }
}

extension RoPEScaling.YaRN {
    /// Divides the pairs past the ramp by the factor (formulas 19 to 22 of the paper).
    fileprivate func applied(to plain: [Double], theta: Double) -> [Double] {
        let width = Double(2 * plain.count)
        /// The pair that makes this many turns in the original context.
        func pair(turning turns: Double) -> Double {
            width * log(Double(originalContext) / (turns * 2 * .pi)) / (2 * log(theta))
        }
        var (first, last) = (pair(turning: betaFast), pair(turning: betaSlow))
        if isRounded { (first, last) = (first.rounded(.down), last.rounded(.up)) }
        first = max(first, 0)
        last = min(last, width - 1)
        if first == last { last += 0.001 }
        return plain.indices.map { i in
            let divided = min(max((Double(i) - first) / (last - first), 0), 1)
            return plain[i] / factor * divided + plain[i] * (1 - divided)
        }
    }
}
