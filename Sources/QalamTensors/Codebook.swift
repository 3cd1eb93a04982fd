// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

// N: places   K: codes   D: numbers of a code

/// Learned numbers for each of K codes, among which logits choose: the middle of DALL-E's discrete VAE.
///
/// Ramesh et al. 2021, § 2.1.
public struct Codebook {
    /// (D,K): a column for each code.
    private let weight: Tensor

    /// - Parameter weight: (D,K), with K a multiple of 16
    public init(_ weight: Tensor) {
        precondition(weight.shape.count == 2 && weight.shape[1] % 16 == 0, "codebook: \(weight.shape)")
        self.weight = weight
    }

    /// K.
    public var codes: Int { weight.shape[1] }
    /// D.
    public var width: Int { weight.shape[0] }

    /// How a choice is softened while the codebook is trained, so that gradients pass.
    public struct Relaxation {
        /// Near 0 almost all of the weight is on one code; at 1 it is spread.
        public var temperature: Float
        /// What the noise follows from.
        public var seed: UInt32
        /// What the gradient of the mean divergence from the even distribution is multiplied by.
        public var divergenceWeight: Float

        /// All three.
        public init(temperature: Float, seed: UInt32, divergenceWeight: Float) {
            (self.temperature, self.seed, self.divergenceWeight) = (temperature, seed, divergenceWeight)
        }
    }

    /// The numbers of codes drawn from logits, softened.
    ///
    /// The Gumbel softmax of Jang et al. 2016.
    ///
    /// - Parameters:
    ///   - logits: (N,K)
    ///   - relaxation: how soft
    /// - Returns: (N,D), and the mean divergence of the logits' distributions from the even one, in nats
    public func relaxed(_ logits: Tensor, _ relaxation: Relaxation) -> (numbers: Tensor, divergence: Double) {
        let (N, K) = logits.rowsAndColumns
        precondition(K == codes && N * K < 1 << 32, "codebook: \(logits.shape) for \(weight.shape)")
        let weights = Tensor(uninitialized: [N, K], on: logits.device)
        let divergences = Tensor(uninitialized: [N], on: logits.device)
        func arguments() -> k_relaxation_args {
            k_relaxation_args(
                rows: N, codes: K, logits: logits.pointer, temperature: relaxation.temperature, seed: relaxation.seed,
                out: weights.pointer, divergences: divergences.pointer)
        }
        var forward = arguments()
        k_relax(&forward)
        let recorded = weights.recorded(from: [logits.node]) { dy in
            let slope = Tensor(uninitialized: logits.shape, on: logits.device)
            var backward = arguments()
            k_relax_backward(&backward, dy.pointer, slope.pointer, relaxation.divergenceWeight / Float(N))
            logits.node?.add(slope)
        }
        let mean = divergences.buffer.reduce(0) { $0 + Double($1) } / Double(max(N, 1))
        return (linear(recorded, weight), mean)
    }

    /// The codes that logits (…,K) favour.
    public func choice(_ logits: Tensor) -> [Int32] {
        let (rows, K) = logits.rowsAndColumns
        return (0..<rows).map { row in
            let start = row * K
            var best = 0
            for code in 1..<K where logits.buffer[start + code] > logits.buffer[start + best] { best = code }
            return Int32(best)
        }
    }

    /// The numbers of codes, each in 0..<K: (N,D).
    public func values(of codes: [Int32]) -> Tensor { embedding(codes, rows) }

    /// The code whose numbers are nearest to each row of (N,D).
    public func codes(of numbers: Tensor) -> [Int32] {
        let rows = rows
        let squares = (0..<codes).map { code in
            -0.5
                * (0..<width).reduce(Float(0)) {
                    $0 + weight.buffer[$1 * codes + code] * weight.buffer[$1 * codes + code]
                }
        }
        // |x - w|² is least where x·w - |w|²/2 is greatest.
        return choice(linear(numbers.detached, rows, bias: Tensor(squares, [codes])))
    }

    /// (K,D): a row for each code.
    private var rows: Tensor {
        let out = Tensor(uninitialized: [codes, width], on: weight.device)
        for code in 0..<codes {
            for axis in 0..<width { out.buffer[code * width + axis] = weight.buffer[axis * codes + code] }
        }
        return out
    }
}
