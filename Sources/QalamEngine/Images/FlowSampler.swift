// SPDX-License-Identifier: Apache-2.0
package import QalamModels
package import QalamTensors

/// Follows a flow from noise to the codes of pictures.
///
/// Euler's method on the time from 0, noise, to 1, the picture (Liu et al. 2022), with classifier-free guidance (Ho &
/// Salimans 2022). What comes out for one picture does not depend on the others of a batch.
package struct FlowSampler {
    /// What one picture is to become.
    package struct Picture {
        /// Ids of the text, not padded; none for any picture.
        package var text: [Int32]
        /// What its noise follows from.
        package var seed: UInt64

        /// A picture of a text.
        package init(text: [Int32], seed: UInt64) { (self.text, self.seed) = (text, seed) }
    }

    /// A picture to start from.
    package struct Source {
        /// Its codes: (1,G,G,D).
        package var codes: Tensor
        /// Image tokens that stay as they are, T flags; nil: none.
        package var kept: [Bool]?
        /// The share of the way from the picture back to noise, in 0...1.
        package var strength: Float

        /// A picture, and what is to stay of it.
        package init(codes: Tensor, kept: [Bool]?, strength: Float) {
            (self.codes, self.kept, self.strength) = (codes, kept, strength)
        }
    }

    /// Steps from noise to picture.
    package var steps = 24
    /// How much the text counts: 1 takes the model's word for it, more exaggerates.
    package var guidance: Float = 3
    private let model: FlowTransformer

    /// A sampler of this model.
    package init(_ model: FlowTransformer) { self.model = model }

    /// Draws all pictures together.
    ///
    /// - Parameters:
    ///   - pictures: B texts and seeds
    ///   - source: what all of them start from; nil for noise
    ///   - progress: called before each step but the first with the steps done and codes as they look now; false ends
    /// - Returns: (B,G,G,D), on the model's levels only after rounding; nil if `progress` ended it
    package func draw(
        _ pictures: [Picture], from source: Source? = nil, progress: (Int, Tensor) -> Bool = { _, _ in true }
    ) -> Tensor? {
        let c = model.config
        let noise = noise(pictures)
        let start = source.map { 1 - min(max($0.strength, 0), 1) } ?? 0
        let known = source.map { repeated(model.patches(of: $0.codes), pictures.count) }
        var z = known.map { mixed($0, noise, at: start) } ?? noise.copied()
        let text = pictures.map(\.text).flatMap(c.padded)
        let empty = pictures.flatMap { _ in c.padded([]) }
        let first = Int((Float(steps) * start).rounded(.down))
        for step in first..<steps {
            let time = max(Float(step) / Float(steps), start), next = Float(step + 1) / Float(steps)
            if let known, let kept = source?.kept { restore(kept, of: mixed(known, noise, at: time), in: z) }
            let clean = prediction(z, time, text: text, empty: empty)
            // The straight line from here to the clean codes, followed until `next`: all of it in the last step.
            let share = (next - time) / (1 - time)
            let moved = z.copied()
            moved.scaleInPlace(by: 1 - share)
            moved.addInPlace(clean, times: share)
            z = moved
            if step + 1 < steps, !progress(step + 1 - first, model.codes(of: clean)) { return nil }
        }
        if let known, let kept = source?.kept { restore(kept, of: known, in: z) }
        return model.codes(of: z)
    }

    /// The clean codes with guidance: twice the batch unless guidance is 1.
    private func prediction(_ z: Tensor, _ time: Float, text: [Int32], empty: [Int32]) -> Tensor {
        let B = z.shape[0]
        guard guidance != 1 else { return model(z, times: Array(repeating: time, count: B), text: text) }
        let both = Tensor(uninitialized: [2 * B] + z.shape.dropFirst())
        both.pointer.update(from: z.pointer, count: z.count)
        (both.pointer + z.count).update(from: z.pointer, count: z.count)
        let made = model(both, times: Array(repeating: time, count: 2 * B), text: text + empty)
        let clean = made.rows(B..<2 * B).copied()
        clean.scaleInPlace(by: 1 - guidance)
        clean.addInPlace(made.rows(0..<B), times: guidance)
        return clean
    }

    private func noise(_ pictures: [Picture]) -> Tensor {
        let size = model.config.imageTokens * model.config.patchWidth
        let values = pictures.flatMap { picture in
            var random = CounterRandom(seed: picture.seed)
            return (0..<size).map { _ in Float(random.normal()) }
        }
        return Tensor(values, [pictures.count, model.config.imageTokens, model.config.patchWidth])
    }

    private func mixed(_ clean: Tensor, _ noise: Tensor, at time: Float) -> Tensor {
        let mixed = noise.copied()
        mixed.scaleInPlace(by: 1 - time)
        mixed.addInPlace(clean, times: time)
        return mixed
    }

    private func repeated(_ one: Tensor, _ count: Int) -> Tensor {
        let all = Tensor(uninitialized: [count] + one.shape.dropFirst())
        for i in 0..<count { (all.pointer + i * one.count).update(from: one.pointer, count: one.count) }
        return all
    }

    /// Writes the tokens that stay over those of z.
    private func restore(_ kept: [Bool], of known: Tensor, in z: Tensor) {
        let (B, T, P) = (z.shape[0], z.shape[1], z.shape[2])
        for row in 0..<B * T where kept[row % T] {
            (z.pointer + row * P).update(from: known.pointer + row * P, count: P)
        }
    }
}
