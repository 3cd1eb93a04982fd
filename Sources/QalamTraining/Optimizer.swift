// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import QalamFormats
internal import QalamTensors

/// How parameters follow their gradients.
public enum OptimizerKind: String, Sendable, Codable, CaseIterable {
    /// AdamW (Loshchilov & Hutter 2019) for everything.
    case adamw
    /// Muon (Jordan et al. 2024) for projections, AdamW for tables and vectors.
    case muon
}

/// An optimizer's state and its update: one straight pass over the parameters.
package struct Optimizer {
    /// What one step needs to know.
    package struct Step {
        /// From 1.
        package var number: Int
        package var learningRate: Float
        package var weightDecay: Float
        package var beta1: Float = 0.9
        package var beta2: Float = 0.95
        /// Gradients with a larger norm over all parameters are scaled down to it; 0 never.
        package var clip: Float

        /// The step `number` at this rate.
        package init(number: Int, learningRate: Float, weightDecay: Float, clip: Float) {
            self.number = number
            self.learningRate = learningRate
            self.weightDecay = weightDecay
            self.clip = clip
        }
    }

    /// One or two tensors per parameter, in the order of the parameters.
    private struct Moments {
        var first: Tensor
        /// AdamW's only.
        var second: Tensor?
    }

    private let parameters: [Parameter]
    private let kind: OptimizerKind
    private var moments: [Moments]

    /// Fresh state for these parameters.
    package init(_ kind: OptimizerKind, _ parameters: [Parameter]) {
        self.kind = kind
        self.parameters = parameters
        moments = parameters.map { parameter in
            let isMuon = kind == .muon && parameter.role == .projection
            let shape = parameter.tensor.shape
            return Moments(
                first: Tensor(repeating: 0, shape), second: isMuon ? nil : Tensor(repeating: 0, shape))
        }
    }

    /// Updates every parameter that has a gradient and clears the gradients; returns their norm before clipping.
    package mutating func update(_ step: Step) -> Double {
        let norm = parameters.reduce(0) { $0 + ($1.tensor.gradient?.sumOfSquares ?? 0) }.squareRoot()
        let scale = step.clip > 0 && norm > Double(step.clip) ? step.clip / Float(norm) : 1
        for (parameter, moments) in zip(parameters, moments) {
            guard let gradient = parameter.tensor.gradient else { continue }
            if let second = moments.second {
                var update = AdamWUpdate(
                    learningRate: step.learningRate,
                    weightDecay: parameter.role == .vector ? 0 : step.weightDecay, step: step.number)
                update.beta1 = step.beta1
                update.beta2 = step.beta2
                update.gradientScale = scale
                update.apply(to: parameter.tensor, gradient: gradient, first: moments.first, second: second)
            } else {
                muon(parameter, gradient, moments.first, scale: scale, step)
            }
            parameter.tensor.clearGradient()
        }
        return norm
    }

    /// Muon on each part of a projection: momentum, orthogonalized, scaled to AdamW's usual size so that one learning
    /// rate serves both.
    ///
    /// The scale: Liu et al. 2025, § 2.2.
    private func muon(_ parameter: Parameter, _ gradient: Tensor, _ momentum: Tensor, scale: Float, _ step: Step) {
        let beta: Float = 0.95
        momentum.scaleInPlace(by: beta)
        momentum.addInPlace(gradient, times: scale)
        let columns = parameter.tensor.shape[1]
        for part in parameter.parts {
            let rows = part.offset / columns..<(part.offset + part.count) / columns
            // Nesterov: the gradient ahead of the momentum.
            let ahead = momentum.rows(rows).copied()
            ahead.scaleInPlace(by: beta)
            ahead.addInPlace(gradient.rows(rows), times: scale)
            let direction = orthogonalized(ahead)
            let size = 0.2 * Float(max(rows.count, columns)).squareRoot()
            let weights = parameter.tensor.detached.rows(rows)
            weights.scaleInPlace(by: 1 - step.learningRate * step.weightDecay)
            weights.addInPlace(direction, times: -step.learningRate * size)
        }
    }

    /// The tensors of the state with names for a checkpoint.
    var named: [(name: String, tensor: Tensor)] {
        zip(parameters, moments).flatMap { parameter, moments in
            let name = parameter.parts[0].name
            return [("\(name).first", moments.first)] + (moments.second.map { [("\(name).second", $0)] } ?? [])
        }
    }
}

/// The nearest matrix with orthogonal rows or columns, by five Newton–Schulz steps.
///
/// The coefficients of Muon (Jordan et al. 2024).
private func orthogonalized(_ matrix: Tensor) -> Tensor {
    let (a, b, c): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)
    var x = matrix
    x.scaleInPlace(by: Float(1 / (x.sumOfSquares.squareRoot() + 1e-7)))
    let isTall = matrix.shape[0] > matrix.shape[1]
    for _ in 0..<5 {
        // gram is the smaller of XXᵀ and XᵀX; the polynomial aX + (b·gram + c·gram²)X pulls singular values to 1.
        let gram = isTall ? product(x, x, firstTransposed: true) : product(x, x, secondTransposed: true)
        let polynomial = product(gram, gram)
        polynomial.scaleInPlace(by: c)
        polynomial.addInPlace(gram, times: b)
        let next = isTall ? product(x, polynomial) : product(polynomial, x)
        next.addInPlace(x, times: a)
        x = next
    }
    return x
}
