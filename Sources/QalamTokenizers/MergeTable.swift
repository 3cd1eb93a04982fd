/// Which two neighbouring tokens merge, at which rank, into which token: open addressing with linear probing.
struct MergeTable: Sendable {
    /// A merge: lower ranks go first.
    struct Merge {
        let left: TokenID
        let right: TokenID
        let result: TokenID
    }

    /// What `lookup` gives where two tokens do not merge.
    static let none = UInt64.max

    private struct Slot: BitwiseCopyable {
        var pair: UInt64
        var value: UInt64
    }

    private var slots: Block<Slot>
    private var shift: UInt64
    private var mask: Int
    private var used = 0

    /// A table with room for `capacity` merges; it grows where more come.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Block(count: size, repeating: Slot(pair: .max, value: .max))
        mask = size - 1
        shift = UInt64(64 - size.trailingZeroBitCount)
    }

    /// Rank in the high and resulting id in the low half, so that the smallest value merges first; `none` if no merge.
    @inline(__always)
    func lookup(_ left: TokenID, _ right: TokenID) -> UInt64 {
        let pair = Self.key(left, right)
        var at = home(pair)
        while true {
            let slot = slots[at]
            if slot.pair == pair { return slot.value }
            if slot.pair == .max { return Self.none }
            at = (at &+ 1) & mask
        }
    }

    /// Adds a merge; a pair that already has one gets the new one, as in Hugging Face's reader.
    mutating func insert(_ merge: Merge, rank: Int) {
        if (used + 1) * 2 > mask + 1 { grow() }
        let pair = Self.key(merge.left, merge.right)
        var at = home(pair)
        while slots[at].pair != .max && slots[at].pair != pair { at = (at &+ 1) & mask }
        if slots[at].pair == .max { used += 1 }
        slots[at] = Slot(pair: pair, value: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.result)))
    }

    @inline(__always)
    private static func key(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) &<< 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func home(_ pair: UInt64) -> Int {
        let mixed = (pair ^ pair &>> 29) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed &>> shift)
    }

    private mutating func grow() {
        var larger = MergeTable(capacity: mask + 1)
        for index in 0...mask where slots[index].pair != .max {
            var at = larger.home(slots[index].pair)
            while larger.slots[at].pair != .max { at = (at + 1) & larger.mask }
            larger.slots[at] = slots[index]
        }
        larger.used = used
        self = larger
    }
}
