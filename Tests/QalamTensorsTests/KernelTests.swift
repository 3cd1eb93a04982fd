// SPDX-License-Identifier: Apache-2.0
import CQalamKernels
import Testing

/// An instruction set that this processor and build have.
struct InstructionSet: Sendable, CustomTestStringConvertible {
    let name: String
    private let rawValue: UInt32

    /// Its kernels; nil where it is not to be had.
    var table: k_table? {
        k_table_of(k_isa(rawValue: rawValue))?.pointee
    }

    var testDescription: String { name }

    static let all = [
        K_ISA_GENERIC, K_ISA_AVX2, K_ISA_AVX512, K_ISA_AVX512VNNI, K_ISA_AVX512BF16, K_ISA_NEON, K_ISA_NEON_DOT,
        K_ISA_NEON_I8MM,
    ]

    static let available: [InstructionSet] = all.compactMap { isa in
        k_table_of(isa) == nil ? nil : InstructionSet(name: String(cString: k_isa_name(isa)), rawValue: isa.rawValue)
    }
}

/// The kernels of every instruction set here against their naive twins in double, on random shapes with odd tails.
///
/// The kernels are called through tables, so that tests elsewhere keep the instruction set they run on; the number of
/// threads is everybody's, but no result depends on it, which is what is shown here.
@Suite(.serialized) struct KernelTests {
    @Test(arguments: KernelCase.all, InstructionSet.available)
    func agreesWithTwinAtAnyThreadCount(_ kernel: KernelCase, on set: InstructionSet) throws {
        let table = try #require(set.table), twins = k_table_reference().pointee
        let threads = k_threads()
        defer { k_threads_set(threads) }
        for number in 0..<kernel.count {
            let expected = kernel.results(number, twins)
            k_threads_set(1)
            let alone = kernel.results(number, table)
            let error = largestError(alone, expected)
            #expect(error <= kernel.tolerance, "case \(number)")
            k_threads_set(3)
            let same = kernel.results(number, table).elementsEqual(alone) { $0.bitPattern == $1.bitPattern }
            #expect(same, "case \(number) has other bits with three threads")
        }
    }

    @Test func refusesInstructionSetsOfOtherProcessors() {
        let current = k_isa_current()
        #expect(InstructionSet.available.contains { $0.name == String(cString: k_isa_name(current)) })
        for isa in InstructionSet.all where k_table_of(isa) == nil {
            #expect(!k_isa_select(isa))
        }
        #expect(k_isa_current() == current)
    }

    /// NaN goes through rather than turning into a number: it is how a diverging run is noticed.
    @Test(arguments: InstructionSet.available)
    func keepsNaN(on set: InstructionSet) throws {
        let table = try #require(set.table)
        var logits: [Float] = [1, 2, .nan, 3, 4], loss: [Float] = [0], out = [Float](repeating: 0, count: 5)
        let copy = logits
        table.k_gelu(&out, copy, 5)
        #expect(out[2].isNaN && !out[1].isNaN)
        table.k_cross_entropy(&loss, &logits, [0], 1, 5, 1)
        #expect(loss[0].isNaN)
    }

    /// The largest error relative to 1 + the size of the value; infinite where only one is NaN or the counts differ.
    private func largestError(_ x: [Float], _ expected: [Float]) -> Double {
        guard x.count == expected.count else { return .infinity }
        var worst = 0.0
        for (a, b) in zip(x, expected) where a != b && !(a.isNaN && b.isNaN) {
            let error = abs(Double(a) - Double(b)) / (1 + abs(Double(b)))
            worst = max(worst, error.isNaN ? .infinity : error)
        }
        return worst
    }
}
