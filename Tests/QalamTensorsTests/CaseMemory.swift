// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The memory and the random numbers of one case.
///
/// They are the same for the same number, so that a kernel and its twin start from equal inputs. Everything is freed
/// with it.
final class CaseMemory {
    private static let guardCount = 8
    private var state: UInt64
    private var blocks: [UnsafeMutableRawPointer] = []
    /// What the case left: its outputs, and a few floats after each that must stay as they were.
    private(set) var results: [Float] = []

    init(number: Int) {
        state = UInt64(number) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    }

    deinit {
        for block in blocks { block.deallocate() }
    }

    func bits() -> UInt32 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt32(truncatingIfNeeded: state >> 32)
    }

    /// A number of `range`.
    func pick(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(bits()) % range.count
    }

    /// True once in `n` times.
    func once(in n: Int) -> Bool {
        pick(1...n) == 1
    }

    /// n floats between -scale and scale, not aligned to a vector.
    func floats(_ n: Int, scale: Float = 1) -> UnsafeMutablePointer<Float> {
        let count = n + Self.guardCount + 1
        let block = UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64)
        blocks.append(block)
        let x = block.bindMemory(to: Float.self, capacity: count)
        for i in 0..<count { x[i] = scale * (Float(bits()) / 0x1p31 - 1) }
        return x + 1
    }

    /// n numbers of `range`.
    func integers(_ n: Int, _ range: ClosedRange<Int>) -> UnsafeMutablePointer<Int32> {
        let block = UnsafeMutableRawPointer.allocate(byteCount: 4 * (n + 1), alignment: 64)
        blocks.append(block)
        let x = block.bindMemory(to: Int32.self, capacity: n + 1)
        for i in 0..<n { x[i] = Int32(pick(range)) }
        return x
    }

    /// n random 16-bit codes.
    func codes(_ n: Int) -> UnsafeMutablePointer<UInt16> {
        let count = n + Self.guardCount
        let block = UnsafeMutableRawPointer.allocate(byteCount: 2 * count, alignment: 64)
        blocks.append(block)
        let x = block.bindMemory(to: UInt16.self, capacity: count)
        for i in 0..<count { x[i] = UInt16(truncatingIfNeeded: bits()) }
        return x
    }

    func leave(_ outputs: (UnsafeMutablePointer<Float>, Int)...) {
        for (x, n) in outputs { results += UnsafeBufferPointer(start: x, count: n + Self.guardCount) }
    }

    func leave(codes x: UnsafeMutablePointer<UInt16>, _ n: Int) {
        results += UnsafeBufferPointer(start: x, count: n + Self.guardCount).map { Float($0) }
    }
}
