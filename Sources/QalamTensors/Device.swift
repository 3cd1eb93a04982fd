// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels
internal import Synchronization

/// Where tensors live and operations run: today the processor, later a GPU.
///
/// A device keeps the blocks that tensors give back and hands them out again, so that a training step or a decoded
/// token, which asks for the same sizes as the one before, takes nothing from the system.
public final class Device: Sendable {
    /// The processor of this machine.
    public static let cpu = Device(name: "cpu")

    /// What the device is called in logs.
    public let name: String

    private struct Blocks {
        var free: [Int: [MemoryBlock]] = [:]
        var reserved = 0
    }

    private let blocks: Mutex<Blocks>

    /// A device with blocks of its own on the processor.
    package init(name: String) {
        self.name = name
        blocks = Mutex(Blocks())
    }

    /// Bytes taken from the system and not given back: in use or kept for reuse.
    public var reservedBytes: Int { blocks.withLock { $0.reserved } }

    /// How many threads share the work of an operation.
    ///
    /// Change it only while none runs.
    public var threads: Int {
        get { k_threads() }
        set {
            precondition(newValue >= 1, "threads: \(newValue), at least 1 is needed")
            k_threads_set(newValue)
        }
    }

    /// The instruction set that the kernels were chosen for, such as "avx2".
    public var instructionSet: String { String(cString: k_isa_name(k_isa_current())) }

    /// Chooses another instruction set than the best: for tests and comparisons, before any other work.
    ///
    /// - Returns: false if there is none of that name, or this processor lacks it
    package func useInstructionSet(_ name: String) -> Bool {
        let sets = K_ISA_GENERIC.rawValue...K_ISA_NEON_DOT.rawValue
        guard let set = sets.map({ k_isa(rawValue: $0) }).first(where: { String(cString: k_isa_name($0)) == name })
        else { return false }
        return k_isa_select(set)
    }

    /// Returns every block that no tensor uses to the system.
    public func trim() {
        blocks.withLock { blocks in
            for (size, free) in blocks.free {
                free.forEach { $0.start.deallocate() }
                blocks.reserved -= size * free.count
            }
            blocks.free = [:]
        }
    }

    /// Bytes a second that all threads together read from memory, the best of five passes over half a gigabyte.
    package func readBandwidth() -> Double {
        let size = 512 << 20
        let memory = Panels(byteCount: size)  // in huge pages, as weights are
        memory.start.initializeMemory(as: UInt8.self, repeating: 1, count: size)
        let times = (0..<5).map { _ in ContinuousClock().measure { k_read(memory.start, size) } / .seconds(1) }
        return Double(size) / (times.min() ?? .infinity)
    }

    /// A block of at least `bytes` bytes, aligned to cache lines; its contents are arbitrary.
    func take(_ bytes: Int) -> MemoryBlock {
        let size = Self.blockSize(bytes)
        return blocks.withLock { blocks in
            if let block = blocks.free[size]?.popLast() { return block }
            blocks.reserved += size
            return MemoryBlock(start: .allocate(byteCount: size, alignment: 64), size: size)
        }
    }

    /// Keeps a block for reuse.
    func give(back block: MemoryBlock) {
        blocks.withLock { $0.free[block.size, default: []].append(block) }
    }

    /// Sizes are rounded up to one of four per power of two, so that nearly equal requests share blocks.
    private static func blockSize(_ bytes: Int) -> Int {
        let least = max(bytes, 256)
        let step = max(64, (1 << (Int.bitWidth - 1 - (least - 1).leadingZeroBitCount)) / 4)
        return (least + step - 1) / step * step
    }
}

/// Memory taken from the system.
///
/// `@unchecked Sendable`: either one `Storage` holds it, or the device's list does, behind a mutex.
struct MemoryBlock: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let size: Int
}
