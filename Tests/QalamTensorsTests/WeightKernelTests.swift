// SPDX-License-Identifier: Apache-2.0
import CQalamKernels
import QalamTensors
import Testing

/// Products with weights in blocks, of every type, on every instruction set here.
@Suite(.serialized) struct WeightKernelTests {
    private static let most = 61

    /// The relative error that the activations' rounding may make: int16, bfloat16, int8, or none.
    private func bound(_ type: BlockType, _ set: InstructionSet) -> Double {
        switch type {
        case .f32, .f16: 1e-5
        case .bf16: set.name == "avx512bf16" ? 5e-3 : 1e-5
        case .q8_0, .iq4_NL, .iq4_XS: 1e-4
        case .q4_0, .q4_1, .q5_0, .q5_1, .mxfp4: 1.2e-2
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: 3e-2
        }
    }

    /// Close to the twin, which decodes and sums in double; and a row's outputs have the same bits alone and beside
    /// others, on one, two and five threads.
    @Test(arguments: BlockType.allCases, InstructionSet.available)
    func agreesWithTwinAtAnyRowsAndThreads(type: BlockType, on set: InstructionSet) throws {
        let error = try largestError(k_block_type(rawValue: type.rawValue), on: set)
        #expect(error < bound(type, set))
    }

    /// The same for int8 activations beside Q8_0, which only dot products of bytes make.
    @Test(arguments: InstructionSet.available)
    func int8ActivationsAgreeWithTwin(on set: InstructionSet) throws {
        let hasBytes = ["avx512vnni", "avx512bf16", "neondot", "neoni8mm"].contains(set.name)
        let error = try largestError(K_BLOCK_Q8_0_INT8, on: set)
        #expect(error < (hasBytes ? 1.2e-2 : 1e-4))
        #expect(!hasBytes || error > 1e-3, "activations were not rounded to int8")
    }

    /// The largest error of products of several sizes, each of which is to have the same bits at any rows and threads.
    private func largestError(_ type: k_block_type, on set: InstructionSet) throws -> Double {
        var most = 0.0
        let table = try #require(set.table), twins = k_table_reference().pointee
        let threads = k_threads()
        defer { k_threads_set(threads) }
        for (rows, columns) in [(40, 512), (16, 256), (300, 768), (7, 2048)] {
            let weight = PackedWeight(type, rows, columns)
            let x = weight.activations(Self.most)
            let exact = weight.product(x, Self.most, twins.k_linear)
            k_threads_set(1)
            let all = weight.product(x, Self.most, table.k_linear)
            most = max(most, relativeError(all, exact))
            for (count, threads) in [(1, 1), (1, 2), (4, 5), (6, 1), (16, 2), (Self.most, 2), (Self.most, 5)] {
                k_threads_set(threads)
                let some = weight.product(x, count, table.k_linear)
                let same = some.elementsEqual(all.prefix(count * rows)) { $0.bitPattern == $1.bitPattern }
                #expect(same, "\(rows)x\(columns): \(count) rows on \(threads) threads have other bits")
            }
        }
        return most
    }

    private func relativeError(_ found: [Float], _ exact: [Float]) -> Double {
        var error = 0.0, size = 0.0
        for (a, b) in zip(found, exact) {
            let difference = Double(a) - Double(b)
            error += difference.isNaN ? .infinity : difference * difference
            size += Double(b) * Double(b)
        }
        return (error / size).squareRoot()
    }
}

/// A matrix of random numbers in blocks and, where the type has them, in panels.
private struct PackedWeight {
    private let type: k_block_type
    private let rows: Int, columns: Int
    private let blocks: [UInt8], panels: [UInt8]

    init(_ kernelType: k_block_type, _ rows: Int, _ columns: Int) {
        var random = CounterRandom(seed: 11)
        let numbers = (0..<rows * columns).map { _ in Float(random.normal()) * 0.05 }
        let bytes = rows * columns / k_block_numbers(kernelType) * k_block_bytes(kernelType)
        var blocks = [UInt8](repeating: 0, count: bytes)
        k_block_encode(&blocks, kernelType, numbers, rows, columns)
        var panels = [UInt8](repeating: 0, count: k_weight_panel_bytes(kernelType, rows, columns))
        if !panels.isEmpty {
            blocks.withUnsafeBytes { blocks in
                guard let start = blocks.baseAddress else { return }
                var weight = k_weight(
                    type: kernelType, rows: rows, columns: columns, blocks: start, panels: nil, bias: nil)
                k_weight_pack(&panels, &weight)
            }
        }
        (self.type, self.rows, self.columns, self.blocks, self.panels) = (kernelType, rows, columns, blocks, panels)
    }

    /// Normal numbers, one in 400 of them 20 times as large.
    func activations(_ count: Int) -> [Float] {
        var random = CounterRandom(seed: 12)
        return (0..<count * columns).map { Float(random.normal()) * ($0 % 401 == 0 ? 20 : 1) }
    }

    /// The product of the first `count` rows of `x`.
    func product(_ x: [Float], _ count: Int, _ linear: (UnsafePointer<k_linear_args>) -> Void) -> [Float] {
        var y = [Float](repeating: .nan, count: count * rows)
        blocks.withUnsafeBytes { blocks in
            panels.withUnsafeBytes { panels in
                var weight = k_weight(
                    type: type, rows: rows, columns: columns, blocks: blocks.baseAddress,
                    panels: panels.isEmpty ? nil : panels.baseAddress, bias: nil)
                x.withUnsafeBufferPointer { x in
                    y.withUnsafeMutableBufferPointer { y in
                        guard let from = x.baseAddress, let to = y.baseAddress else { return }
                        withUnsafePointer(to: &weight) { weight in
                            var arguments = k_linear_args(
                                m: count, x: from, ldx: columns, weights: weight, count: 1, y: to, ldy: rows)
                            linear(&arguments)
                        }
                    }
                }
            }
        }
        return y
    }
}
