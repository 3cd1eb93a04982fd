// SPDX-License-Identifier: Apache-2.0
import QalamTensors
import Testing

/// Finite scalar quantization.
@Suite struct QuantizerTests {
    private let quantizer = FiniteScalarQuantizer(levels: [8, 5, 2])

    @Test func everyCodeIsItself() {
        let all = (0..<Int32(quantizer.codes)).map(\.self)
        #expect(quantizer.codes(of: quantizer.values(of: all)) == all)
    }

    /// Inputs from far below to far above take each level once in turn, and none beyond.
    @Test func roundsToEveryLevel() {
        let steps = 4001
        let inputs = (0..<steps).flatMap { step -> [Float] in
            Array(repeating: Float(step - steps / 2) / 200, count: 3)
        }
        let codes = quantizer.codes(of: quantizer.quantized(Tensor(inputs, [steps, 3])))
        for (axis, unit) in [(0, 1), (1, 8), (2, 40)] {
            let levels = codes.map { Int($0) / unit % quantizer.levels[axis] }
            #expect(levels == levels.sorted())
            #expect(Set(levels).count == quantizer.levels[axis])
        }
    }

    @Test func quantizedNumbersStay() {
        let values = quantizer.values(of: (0..<Int32(quantizer.codes)).map(\.self))
        let snapped = values.copied()
        quantizer.snap(snapped)
        #expect(snapped.values == values.values)
        let moved = values.copied()
        for i in 0..<moved.count { moved.buffer[i] += i % 2 == 0 ? 0.05 : -0.05 }
        quantizer.snap(moved)
        #expect(moved.values == values.values)
    }

    /// Damaged weights make numbers that are none: codes stay codes.
    @Test func whatIsNoNumberHasACode() {
        let codes = quantizer.codes(of: Tensor([.nan, .infinity, -.infinity], [1, 3]))
        #expect(codes.allSatisfy { $0 >= 0 && $0 < quantizer.codes })
    }

    /// The gradient is that of the bound: rounding is passed over.
    @Test func gradientPassesRounding() {
        let x = Tensor([0, 0, 0, 9, 9, 9], [2, 3]).requiringGradient()
        quantizer.quantized(x).backward()
        let gradient = x.gradient?.values ?? []
        #expect(gradient[1] > 0.9 && gradient[1] < 1.1)
        #expect(gradient[3...].allSatisfy { abs($0) < 1e-3 })
    }
}
