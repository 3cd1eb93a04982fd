// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Synchronization

/// Memory of one matrix's reordered blocks.
///
/// The matrices of a model lie behind one another in large regions, so that the system can use huge pages even where
/// each of them is smaller than one: fewer page faults when a model is opened, and faster reading ever after.
///
/// `@unchecked Sendable`: written once, before it is shared.
final class Panels: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    private let region: Region

    private static let current = Mutex(WeakRegion())

    init(byteCount: Int) {
        (region, start) = Self.current.withLock { current in
            if let region = current.region, let start = region.take(byteCount) { return (region, start) }
            let region = Region(byteCount: byteCount)
            current.region = region
            return (region, region.start)
        }
    }
}

/// Panels of a matrix in a mapped file, made when it is multiplied a second time.
///
/// The first product makes each panel as it needs it and keeps none: a model's first token comes before there is a copy
/// of its weights, whose pages the system has to clear first. Results are the same.
final class LatePanels: Sendable {
    private struct State {
        var isUsed = false
        var panels: Panels?
    }

    private let state = Mutex(State())

    /// What a product is to use: nothing the first time, from the second on what `make` returned.
    func forProduct(_ make: () -> Panels) -> Panels? {
        state.withLock { state in
            if state.panels == nil, state.isUsed { state.panels = make() }
            state.isUsed = true
            return state.panels
        }
    }
}

/// Where the next matrix goes, as long as another one is there.
private struct WeakRegion {
    weak var region: Region?
}

/// Address space that is handed out piece by piece, and given back when the last piece is.
///
/// `@unchecked Sendable`: `used` changes under the lock of `Panels.current` only.
private final class Region: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    private let size: Int
    private var used: Int

    private static let least = 256 << 20
    private static let hugePage = 2 << 20

    /// A region whose first piece is `byteCount` bytes long.
    init(byteCount: Int) {
        size = (max(byteCount, Self.least) + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        used = Self.padded(byteCount)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let room = size + Self.hugePage
        guard let memory = mmap(nil, room, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
            preconditionFailure("weights: no address space for \(room) bytes")
        }
        let aligned = (Int(bitPattern: memory) + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        let before = aligned - Int(bitPattern: memory)
        start = memory + before
        if before > 0 { munmap(memory, before) }
        if before < Self.hugePage { munmap(start + size, Self.hugePage - before) }
        #if os(Linux)
            madvise(start, size, MADV_HUGEPAGE)
        #endif
    }

    deinit { munmap(start, size) }

    /// The next `byteCount` bytes, if there are so many.
    func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let end = used + Self.padded(byteCount)
        guard end <= size else { return nil }
        defer { used = end }
        return start + used
    }

    private static func padded(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
}
