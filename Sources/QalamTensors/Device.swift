// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels
internal import Synchronization

/// Where tensors live and operations run: today the processor, later a GPU.
///
/// A device keeps the blocks that tensors give back and hands them out again, so that a training step or a decoded
/// token, which asks for the same sizes as the one before, takes nothing from the system. Of each size it keeps the
/// last few storages themselves, so that a decoded token makes no objects either; they keep the device until it is
/// trimmed.
public final class Device: Sendable {
    /// The processor of this machine.
    public static let cpu = Device(name: "cpu")

    /// What the device is called in logs.
    public let name: String

    private struct Blocks {
        /// The blocks of each size class that are free: each begins with the address of the next.
        var free = [UnsafeMutableRawPointer?](repeating: nil, count: SizeClass.count)
        var reserved = 0
        /// Some storages of each size class, in use or not; the next to give up its place is counted in `turn`.
        var recent = [Storage?](repeating: nil, count: SizeClass.count * Device.recentStorages)
        var turn = 0

        /// One of the recent storages that no tensor uses.
        mutating func unused(_ size: SizeClass) -> Storage? {
            for place in size.index * Device.recentStorages..<(size.index + 1) * Device.recentStorages {
                if isKnownUniquelyReferenced(&recent[place]) { return recent[place] }
            }
            return nil
        }

        /// Keeps a storage; returns the one whose place it takes, to be dropped where the blocks are not locked.
        mutating func keep(_ storage: Storage, _ size: SizeClass) -> Storage? {
            turn = (turn + 1) % Device.recentStorages
            let place = size.index * Device.recentStorages + turn
            defer { recent[place] = storage }
            return recent[place]
        }

        /// Takes a free block out of its list.
        mutating func pop(_ size: SizeClass) -> MemoryBlock? {
            guard let start = free[size.index] else { return nil }
            free[size.index] = start.load(as: UnsafeMutableRawPointer?.self)
            return MemoryBlock(start: start, size: size)
        }

        /// A free block, or one from the system.
        mutating func take(_ size: SizeClass) -> MemoryBlock {
            if let block = pop(size) { return block }
            reserved += size.bytes
            return MemoryBlock(start: .allocate(byteCount: size.bytes, alignment: 64), size: size)
        }

        /// Puts a block into its list.
        mutating func push(_ block: MemoryBlock) {
            block.start.storeBytes(of: free[block.size.index], as: UnsafeMutableRawPointer?.self)
            free[block.size.index] = block.start
        }
    }

    /// How many storages of a size are kept: more than a step of decoding uses at once.
    private static let recentStorages = 8

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
        let sets = K_ISA_GENERIC.rawValue...K_ISA_LAST.rawValue
        guard let set = sets.map({ k_isa(rawValue: $0) }).first(where: { String(cString: k_isa_name($0)) == name })
        else { return false }
        return k_isa_select(set)
    }

    /// Returns every block that no tensor uses to the system.
    public func trim() {
        forgetRecent()
        blocks.withLock { blocks in
            for index in 0..<SizeClass.count {
                while let block = blocks.pop(SizeClass(index: index)) {
                    block.start.deallocate()
                    blocks.reserved -= block.size.bytes
                }
            }
        }
    }

    /// Drops the recent storages; those that no tensor uses give their blocks back, once the lock is free.
    private func forgetRecent() {
        let dropped = blocks.withLock { blocks in blocks.recent.indices.map { blocks.recent[$0].take() } }
        withExtendedLifetime(dropped) {}
    }

    /// Bytes a second that all threads together read from memory, the best of five passes over half a gigabyte.
    package func readBandwidth() -> Double {
        let size = 512 << 20
        let memory = Panels(byteCount: size)  // in huge pages, as weights are
        memory.start.initializeMemory(as: UInt8.self, repeating: 1, count: size)
        let times = (0..<5).map { _ in ContinuousClock().measure { k_read(memory.start, size) } / .seconds(1) }
        return Double(size) / (times.min() ?? .infinity)
    }

    /// Memory for `count` floats, aligned to cache lines; its contents are arbitrary.
    func storage(of count: Int) -> Storage {
        let size = SizeClass(holding: count * MemoryLayout<Float>.stride)
        let (storage, dropped) = blocks.withLock { blocks -> (Storage, Storage?) in
            if let storage = blocks.unused(size) { return (storage, nil) }
            let storage = Storage(blocks.take(size), of: self)
            return (storage, blocks.keep(storage, size))
        }
        return withExtendedLifetime(dropped) { storage }  // its last reference is dropped outside the lock
    }

    /// The same, not kept among the recent ones.
    func unsharedStorage(of count: Int) -> Storage {
        let size = SizeClass(holding: count * MemoryLayout<Float>.stride)
        return Storage(blocks.withLock { $0.take(size) }, of: self)
    }

    /// Keeps a block for reuse.
    func give(back block: MemoryBlock) { blocks.withLock { $0.push(block) } }
}

/// The size of a block: one of four for each power of two, so that nearly equal requests share blocks.
struct SizeClass {
    /// How many there are.
    static let count = 4 * Int.bitWidth
    /// Which one it is.
    let index: Int

    /// That of a list of blocks.
    init(index: Int) { self.index = index }

    /// The smallest one of at least `bytes` bytes.
    init(holding bytes: Int) {
        // 256 bytes are the first: a quarter of a power of two is then a cache line at least.
        let last = max(bytes, 256) - 1, exponent = Int.bitWidth - 1 - last.leadingZeroBitCount
        index = 4 * exponent + (last >> (exponent - 2)) & 3
    }

    /// Its bytes.
    var bytes: Int { (index & 3 + 5) << (index >> 2 - 2) }
}

/// Memory taken from the system.
///
/// `@unchecked Sendable`: either one `Storage` holds it, or the device's list does, behind a mutex.
struct MemoryBlock: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let size: SizeClass
}
