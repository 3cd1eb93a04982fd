// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The settings of one AdamW update (Loshchilov & Hutter 2019).
package struct AdamWUpdate {
    package var learningRate: Float
    package var beta1: Float = 0.9
    package var beta2: Float = 0.95
    package var epsilon: Float = 1e-8
    package var weightDecay: Float
    /// The number of this update, from 1: for the bias corrections.
    package var step: Int
    /// What gradients are multiplied by first, for clipping.
    package var gradientScale: Float = 1

    /// An update at `step` with this rate and decay.
    package init(learningRate: Float, weightDecay: Float, step: Int) {
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.step = step
    }

    /// Updates parameters and both moments in place.
    package func apply(to parameters: Tensor, gradient: Tensor, first: Tensor, second: Tensor) {
        let counts = [gradient.count, first.count, second.count]
        precondition(counts.allSatisfy { $0 == parameters.count }, "AdamW: \(parameters.count) against \(counts)")
        var arguments = k_adamw_args(
            learning_rate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weight_decay: weightDecay,
            bias1: Float(1 - Self.power(beta1, step)), bias2: Float(1 - Self.power(beta2, step)),
            gradient_scale: gradientScale)
        k_adamw(parameters.pointer, gradient.pointer, first.pointer, second.pointer, parameters.count, &arguments)
    }

    /// base^exponent in double precision, by squaring: the same on every platform.
    private static func power(_ base: Float, _ exponent: Int) -> Double {
        var (result, factor, n) = (1.0, Double(base), exponent)
        while n > 0 {
            if n & 1 == 1 { result *= factor }
            factor *= factor
            n >>= 1
        }
        return result
    }
}
