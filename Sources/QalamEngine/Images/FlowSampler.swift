// SPDX-License-Identifier: Apache-2.0
package import QalamModels
package import QalamTensors

/// Follows a flow from noise to the codes of pictures.
///
/// Euler's method on the time from 0, noise, to 1, the picture (Liu et al. 2022), with classifier-free guidance (Ho &
/// Salimans 2022).
package struct FlowSampler: CodeSampler {
    /// Steps from noise to picture.
    package var steps = 24
    /// How much the text counts: 1 takes the model's word for it, more exaggerates.
    package var guidance: Float = 3
    private let model: FlowTransformer

    /// A sampler of this model.
    package init(_ model: FlowTransformer) { self.model = model }

    package var imageTokens: Int { model.config.imageTokens }

    package mutating func follow(_ request: DrawRequest) {
        if let value = request.steps { steps = value }
        if let value = request.guidance { guidance = Float(value) }
    }

    package func draw(
        _ pictures: [CodeRequest], from source: CodeSource?, progress: (Int, () -> Tensor) -> Bool
    ) -> Tensor? {
        let c = model.config
        let noise = noise(pictures)
        let start = source.map { 1 - min(max($0.strength, 0), 1) } ?? 0
        let kept = source?.kept.map(patches)
        let known = source.map { repeated(model.patches(of: $0.codes), pictures.count) }
        var z = known.map { mixed($0, noise, at: start) } ?? noise.copied()
        let text = pictures.map(\.text).flatMap(c.padded)
        let empty = pictures.flatMap { _ in c.padded([]) }
        let first = Int((Float(steps) * start).rounded(.down))
        for step in first..<steps {
            let time = max(Float(step) / Float(steps), start), next = Float(step + 1) / Float(steps)
            if let known, let kept { restore(kept, of: mixed(known, noise, at: time), in: z) }
            let clean = prediction(z, time, text: text, empty: empty)
            // The straight line from here to the clean codes, followed until `next`: all of it in the last step.
            let share = (next - time) / (1 - time)
            let moved = z.copied()
            moved.scaleInPlace(by: 1 - share)
            moved.addInPlace(clean, times: share)
            z = moved
            if step + 1 < steps, !progress(step + 1 - first, { model.codes(of: clean) }) { return nil }
        }
        if let known, let kept { restore(kept, of: known, in: z) }
        return model.codes(of: z)
    }

    /// The clean codes with guidance: twice the batch unless guidance is 1.
    private func prediction(_ z: Tensor, _ time: Float, text: [Int32], empty: [Int32]) -> Tensor {
        let B = z.shape[0]
        guard guidance != 1 else { return model(z, times: Array(repeating: time, count: B), text: text) }
        let both = Tensor(uninitialized: z.shape.starting(with: 2 * B))
        both.pointer.update(from: z.pointer, count: z.count)
        (both.pointer + z.count).update(from: z.pointer, count: z.count)
        let made = model(both, times: Array(repeating: time, count: 2 * B), text: text + empty)
        let clean = made.rows(B..<2 * B).copied()
        clean.scaleInPlace(by: 1 - guidance)
        clean.addInPlace(made.rows(0..<B), times: guidance)
        return clean
    }

    /// Image tokens all of whose codes are kept: G² flags to T.
    private func patches(_ kept: [Bool]) -> [Bool] {
        let G = model.config.grid, side = G / 2
        return (0..<side * side).map { token in
            let first = token / side * 2 * G + token % side * 2
            return [0, 1, G, G + 1].allSatisfy { kept[first + $0] }
        }
    }

    private func noise(_ pictures: [CodeRequest]) -> Tensor {
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
        let all = Tensor(uninitialized: one.shape.starting(with: count))
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
