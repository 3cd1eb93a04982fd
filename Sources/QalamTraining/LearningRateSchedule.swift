// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// How the learning rate moves over a run, as a factor of its peak.
public struct LearningRateSchedule: Sendable, Equatable {
    /// The shape after warm-up.
    public enum Shape: String, Sendable, Codable, CaseIterable {
        /// Falls along half a cosine (Loshchilov & Hutter 2017).
        case cosine
        /// Warm-up, stable, decay: flat, then linear over the last `decay` of the run (Hu et al. 2024).
        case wsd
        /// Stays.
        case constant
    }

    /// The shape after warm-up.
    public var shape: Shape
    /// Steps from 0 to the peak.
    public var warmup: Int
    /// Steps in all.
    public var steps: Int
    /// The share of the run that `wsd` decays over.
    public var decay = 0.3
    /// Where cosine and wsd end.
    public var floor = 0.0

    /// A schedule over `steps` steps, the first `warmup` of which rise.
    public init(shape: Shape, warmup: Int, steps: Int) {
        self.shape = shape
        self.warmup = warmup
        self.steps = steps
    }

    /// The factor at `step`, from 0.
    public func factor(at step: Int) -> Double {
        if step < warmup { return Double(step + 1) / Double(warmup) }
        let rest = max(1, steps - warmup)
        let progress = min(1, Double(step - warmup) / Double(rest))
        switch shape {
        case .constant: return 1
        case .cosine: return floor + (1 - floor) * 0.5 * (1 + cos(.pi * progress))
        case .wsd:
            let start = 1 - decay
            return progress <= start || decay <= 0 ? 1 : floor + (1 - floor) * (1 - progress) / decay
        }
    }
}
