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

/// Learned codes.
@Suite struct CodebookTests {
    private let codebook = Codebook(Tensor((0..<32).map { Float($0 * $0 % 13) - 6 + Float($0) / 40 }, [2, 16]))

    @Test func codesHaveTheirOwnNumbers() {
        let all = (0..<Int32(codebook.codes)).map(\.self)
        let values = codebook.values(of: all)
        #expect(values.shape == [16, 2])
        #expect(codebook.codes(of: values) == all)
        for i in 0..<values.count { values.buffer[i] += i % 2 == 0 ? 0.01 : -0.01 }
        #expect(codebook.codes(of: values) == all)
    }

    /// The colder, the nearer to numbers of one code; and codes with a greater logit come more often.
    @Test func coldChoicesAreCodes() {
        let logits = Tensor((0..<400 * 16).map { $0 % 16 == 5 ? 3 : 0 }, [400, 16])
        let drawn = codebook.relaxed(
            logits, Codebook.Relaxation(temperature: 0.01, seed: 9, divergenceWeight: 0)
        ).numbers
        let codes = codebook.codes(of: drawn)
        let own = codebook.values(of: codes)
        let near = (0..<drawn.count).count { abs(drawn.buffer[$0] - own.buffer[$0]) < 0.05 }
        #expect(near > 760)
        // e³ / (e³ + 15) = 0.572
        #expect(abs(Double(codes.count { $0 == 5 }) / 400 - 0.572) < 0.08)
        #expect(Set(codes).count == 16)
    }

    @Test func whatIsNoNumberHasACode() {
        #expect(codebook.codes(of: Tensor([.nan, .nan], [1, 2])) == [0])
    }
}
