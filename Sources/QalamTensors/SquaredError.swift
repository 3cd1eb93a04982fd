// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The mean of (x - target)², each sample times its weight; a scalar on the tape.
///
/// - Parameters:
///   - x: (B,…)
///   - target: numbers of the same shape, without history
///   - weights: one for each of the B samples; nil: all 1
///   - gradientScale: what the gradient is multiplied by, such as the micro-batch's share of a step
/// - Returns: the mean over all numbers, in double precision
public func squaredError(
    _ x: Tensor, _ target: Tensor, weights: [Float]? = nil, gradientScale: Float = 1
) -> DifferentiatedError {
    precondition(x.shape == target.shape, "squared error: \(x.shape) and \(target.shape)")
    precondition(weights.map { $0.count == x.shape[0] } ?? true, "squared error: \(x.shape), one weight a sample")
    let difference = x.detached.copied()
    difference.addInPlace(target, times: -1)
    let (samples, size) = (x.shape[0], x.count / max(x.shape[0], 1))
    var total = 0.0
    for sample in 0..<samples {
        let start = difference.pointer + sample * size
        let weight = weights?[sample] ?? 1
        total += Double(weight) * k_sum_of_squares(start, size)
        k_scale(start, 2 * weight * gradientScale / Float(x.count), size)
    }
    return DifferentiatedError(mean: total / Double(x.count), input: x, gradient: difference)
}

/// A loss with its gradient at hand: a terminal of the tape.
public struct DifferentiatedError {
    /// The loss.
    public let mean: Double
    fileprivate let input: Tensor
    fileprivate let gradient: Tensor

    /// Propagates the gradient to all leaves.
    public func backward() { input.backward(gradient) }
}
