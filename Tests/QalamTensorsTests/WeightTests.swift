// SPDX-License-Identifier: Apache-2.0
import CQalamKernels
import Foundation
import QalamTensors
import Testing

/// Products with weights in blocks, against sums in double over what the blocks decode to.
@Suite(.serialized) struct WeightTests {
    /// The relative error that rounded activations may make: bfloat16, int16 or int8, or none.
    private func bound(_ type: BlockType) -> Double {
        switch type {
        case .bf16: Device.cpu.instructionSet == "avx512bf16" ? 5e-3 : 1e-5
        case .q8_0, .iq4_NL, .iq4_XS: 1e-4
        case .q4_0, .q4_1, .q5_0, .q5_1, .mxfp4: 1.2e-2
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: 3e-2
        default: 1e-5
        }
    }

    @Test(arguments: BlockType.allCases)
    func productsAreClose(type: BlockType) {
        for (rows, columns) in [(40, 512), (16, 256), (5, 768)] {
            let made = makeWeight(type, rows, columns)
            let x = randomTensor([7, columns], seed: 3)
            let bias = randomTensor([rows], seed: 4)
            let exact = product(x, made.numbers, rows: rows, bias: bias)
            for weight in [made.weight, made.weight.packed()] {
                let y = linear(x, weight, bias: bias)
                #expect(relativeError(y.values, exact) < bound(type), "\(type.name) \(rows)x\(columns)")
            }
        }
    }

    /// A row's outputs have the same bits alone and beside others, on one thread and on three.
    @Test(arguments: BlockType.allCases)
    func rowsDoNotDependOnOthers(type: BlockType) {
        let weight = makeWeight(type, 100, 1024).weight.packed()
        let x = randomTensor([300, 1024], seed: 5)
        let whole = linear(x, weight).values
        let threads = Device.cpu.threads
        defer { Device.cpu.threads = threads }
        for (count, threads) in [(1, 1), (4, 2), (13, 1), (48, 3), (253, 1), (300, 3)] {
            Device.cpu.threads = threads
            let first = Tensor(Array(x.values.prefix(count * 1024)), [count, 1024])
            #expect(linear(first, weight).values == Array(whole.prefix(count * 100)), "\(type.name), \(count) rows")
        }
    }

    /// A matrix in a file is reordered at its second product, with which nothing changes.
    @Test(arguments: BlockType.allCases)
    func firstAndLaterProductsAgree(type: BlockType) {
        let (tensor, _) = makeTensor(type, [40, 512], seed: 1, isFile: true)
        let weight = Weight([tensor]).packed()
        for rows in [1, 7, 1, 7] {
            let x = randomTensor([rows, 512], seed: 5)
            let expected = linear(x, makeWeight(type, 40, 512).weight.packed()).values
            #expect(linear(x, weight).values == expected, "\(type.name), \(rows) rows")
        }
    }

    /// Pieces of several types stand side by side, and a table gives its rows.
    @Test func piecesAndTables() {
        let (a, b) = (makeWeight(.q4_K, 24, 256, seed: 1), makeWeight(.q6_K, 16, 256, seed: 2))
        let x = randomTensor([3, 256], seed: 6)
        let both = Weight(a.pieces + b.pieces).packed()
        let y = linear(x, both).values
        let (first, second) = (linear(x, a.weight.packed()).values, linear(x, b.weight.packed()).values)
        for row in 0..<3 {
            #expect(Array(y[row * 40..<row * 40 + 24]) == Array(first[row * 24..<row * 24 + 24]))
            #expect(Array(y[row * 40 + 24..<row * 40 + 40]) == Array(second[row * 16..<row * 16 + 16]))
        }
        #expect(embedding([7, 0], a.weight).values == Array(a.numbers[7 * 256..<8 * 256] + a.numbers[..<256]))
    }

    /// An expert's matrix multiplies as it would alone, reordered or not.
    @Test func experts() {
        let (experts, rows, columns) = (3, 32, 256)
        let stacked = makeTensor(.q4_0, [experts, rows, columns], seed: 1).tensor
        let x = randomTensor([5, columns], seed: 8)
        for index in 0..<experts {
            let plain = linear(x, Weight([stacked.expert(index)]).packed()).values
            #expect(linear(x, Weight([stacked.packed().expert(index)])).values == plain)
        }
    }

    /// A row of nothing and rows of infinities do not disturb their neighbours.
    @Test func hostileActivations() {
        let weight = makeWeight(.q4_K, 16, 256).weight.packed()
        let good = randomTensor([1, 256], seed: 9).values
        let bad = [Float](repeating: .infinity, count: 256) + [Float](repeating: .nan, count: 256)
        let x = Tensor(bad + good + [Float](repeating: 0, count: 256), [4, 256])
        let y = linear(x, weight).values
        #expect(Array(y[32..<48]) == linear(Tensor(good, [1, 256]), weight).values)
        #expect(y[48...].allSatisfy { $0 == 0 })
    }
}

/// Memory for blocks, freed with the last reference.
///
/// `@unchecked Sendable`: written once, in `init`.
private final class Bytes: @unchecked Sendable {
    let start: UnsafeRawBufferPointer

    init(_ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        fill(buffer)
        start = UnsafeRawBufferPointer(buffer)
    }

    deinit { start.deallocate() }
}

private struct Made {
    let pieces: [QuantizedTensor]
    let numbers: [Float]
    var weight: Weight { Weight(pieces) }
}

private func makeTensor(
    _ type: BlockType, _ shape: [Int], seed: UInt64, isFile: Bool = false
) -> (tensor: QuantizedTensor, owner: Bytes) {
    let count = shape.reduce(1, *)
    let numbers = randomTensor([count], seed: seed).values.map { $0 * 0.05 }
    let owner = Bytes(type.byteCount(numbers: count) ?? 0) { target in
        numbers.withUnsafeBufferPointer { encodeBlocks(type, $0, into: target) }
    }
    return (QuantizedTensor(type: type, shape: shape, bytes: owner.start, owner: owner, isFile: isFile), owner)
}

private func makeWeight(_ type: BlockType, _ rows: Int, _ columns: Int, seed: UInt64 = 1) -> Made {
    let (tensor, owner) = makeTensor(type, [rows, columns], seed: seed)
    var decoded = [Float](repeating: 0, count: rows * columns)
    decoded.withUnsafeMutableBufferPointer { decodeBlocks(type, owner.start, into: $0) }
    return Made(pieces: [tensor], numbers: decoded)
}

private func randomTensor(_ shape: TensorShape, seed: UInt64) -> Tensor {
    var random = CounterRandom(seed: seed)
    return Tensor((0..<shape.reduce(1, *)).map { _ in Float(random.normal()) }, shape)
}

private func product(_ x: Tensor, _ weight: [Float], rows: Int, bias: Tensor) -> [Double] {
    let (count, columns) = (x.shape[0], x.shape[1])
    let (x, bias) = (x.values, bias.values)
    return (0..<count * rows).map { index in
        let (m, n) = (index / rows, index % rows)
        return (0..<columns).reduce(Double(bias[n])) {
            $0 + Double(x[m * columns + $1]) * Double(weight[n * columns + $1])
        }
    }
}

private func relativeError(_ found: [Float], _ exact: [Double]) -> Double {
    let error = zip(found, exact).reduce(0) { $0 + ($1.0.isNaN ? .infinity : pow(Double($1.0) - $1.1, 2)) }
    return (error / exact.reduce(0) { $0 + $1 * $1 }).squareRoot()
}
