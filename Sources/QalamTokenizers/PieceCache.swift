/// Remembers the ids of pieces, within a fixed amount of memory.
///
/// Short pieces (up to 15 bytes and 4 ids) sit in buckets of two 32-byte slots, one cache line, the more recent first;
/// a third piece pushes the older one out. Longer pieces (up to 31 bytes and 8 ids: words in scripts of two bytes a
/// letter) have 64-byte slots of their own. Both tables grow with what comes, up to 4 and 1 MiB. What is remembered
/// never changes a result, only how fast it comes.
struct PieceCache {
    /// A short piece as two words: its bytes, and its length in the low four bits of the top byte.
    struct Key: BitwiseCopyable {
        var low: UInt64
        var high: UInt64
    }

    /// The ids of one short piece; the count is in the top four bits of `key.high`.
    struct Slot: BitwiseCopyable {
        var key: Key
        var ids: SIMD4<TokenID>
    }

    /// The ids of one longer piece: its bytes, its length and the number of ids less one in the low five and high three
    /// bits of the top byte.
    private struct LongSlot: BitwiseCopyable {
        var key = SIMD4<UInt64>.zero
        var ids = SIMD8<TokenID>.zero
    }

    /// Longest piece with a `Key`.
    static let longestKey = 15
    /// Bytes of the longest piece that is remembered at all.
    static let longestPiece = 31
    private static let mostBucketBits: UInt64 = 16
    private static let mostLongBits: UInt64 = 14
    private static let emptySlot = Slot(key: Key(low: 0, high: 0), ids: .zero)
    private static let countMask: UInt64 = 0xF000_0000_0000_0000
    private static let longCountMask: UInt64 = 0xE000_0000_0000_0000

    private var bucketBits: UInt64 = 8
    private var slots = Block<Slot>(count: 2 << 8, repeating: Self.emptySlot)
    /// Pieces that came since the buckets last grew.
    private var arrivals = 0
    private var longBits: UInt64 = 8
    private var longSlots = Block<LongSlot>(count: 1 << 8, repeating: LongSlot())
    private var longArrivals = 0

    /// The key of `text[start ..< start + length]`, without meaning where `length` is above `longestKey`.
    @inline(__always)
    static func key(_ text: ByteView, _ start: Int, _ length: Int) -> Key {
        let tag = UInt64(truncatingIfNeeded: length) &<< 56
        guard text.canLoad(16, at: start) else {
            let high = length > 8 ? text.partialWord(at: start &+ 8, length &- 8) : 0
            return Key(low: text.partialWord(at: start, length), high: high | tag)
        }
        // Shifts that keep the first `length` bytes, without a branch; beyond 63 bits nothing is kept.
        let bits = 8 &* min(length, longestKey)
        let low = text.word(at: start) & (.max &>> UInt64(max(64 &- bits, 0)))
        let high = text.word(at: start &+ 8) & (.max >> UInt64(128 &- bits))
        return Key(low: low, high: high | tag)
    }

    /// The slot of `key`: the ids are its first `count`, which is 0 where the piece is not here.
    @inline(__always)
    func find(_ key: Key) -> (ids: SIMD4<TokenID>, count: Int) {
        let at = bucket(key)
        let first = slots[at]
        if first.key.low == key.low && first.key.high & ~Self.countMask == key.high {
            return (first.ids, Int(first.key.high &>> 60))
        }
        let second = slots[at &+ 1]
        if second.key.low == key.low && second.key.high & ~Self.countMask == key.high {
            slots[at] = second
            slots[at &+ 1] = first
            return (second.ids, Int(second.key.high &>> 60))
        }
        return (.zero, 0)
    }

    /// Remembers the `count` ids of `key`, `count` in `1 ... 4`.
    mutating func insert(_ key: Key, _ ids: SIMD4<TokenID>, _ count: Int) {
        arrivals += 1
        if arrivals > slots.count && bucketBits < Self.mostBucketBits { grow() }
        let at = bucket(key)
        slots[at &+ 1] = slots[at]
        slots[at] = Slot(key: Key(low: key.low, high: key.high | UInt64(count) &<< 60), ids: ids)
    }

    private mutating func grow() {
        let old = slots
        bucketBits += 2
        arrivals = 0
        slots = Block(count: 2 << Int(bucketBits), repeating: Self.emptySlot)
        for index in stride(from: old.count - 1, through: 0, by: -1) where old[index].key.high != 0 {
            let at = bucket(Key(low: old[index].key.low, high: old[index].key.high & ~Self.countMask))
            slots[at + 1] = slots[at]
            slots[at] = old[index]
        }
    }

    @inline(__always)
    private func bucket(_ key: Key) -> Int {
        let mixed = foldedProduct(key.low ^ 0x9E37_79B9_7F4A_7C15, key.high ^ 0xE703_7ED1_A0B4_28DB)
        return Int(truncatingIfNeeded: mixed &>> (64 &- bucketBits)) &<< 1
    }

    // MARK: Long pieces

    /// The key of `piece`, which has at most `longestPiece` bytes.
    @inline(__always)
    static func longKey(_ piece: ByteView) -> SIMD4<UInt64> {
        var key = SIMD4<UInt64>.zero
        for index in 0..<4 {
            let left = piece.count &- 8 &* index
            if left <= 0 { break }
            let whole = left >= 8 || piece.canLoad(8, at: 8 &* index)
            let word = whole ? piece.word(at: 8 &* index) : piece.partialWord(at: 8 &* index, left)
            key[index] = word & (.max &>> UInt64(max(64 &- 8 &* left, 0)))
        }
        key[3] |= UInt64(truncatingIfNeeded: piece.count) &<< 56
        return key
    }

    /// Appends the ids of the piece with `key`; false if it is not here.
    @inline(__always)
    func appendLong(_ key: SIMD4<UInt64>, to output: inout TokenBuffer) -> Bool {
        let slot = longSlots[longHome(key)]
        let top = slot.key[3]
        guard slot.key[0] == key[0], slot.key[1] == key[1], slot.key[2] == key[2], top & ~Self.longCountMask == key[3]
        else { return false }
        output.reserve(8)
        output.appendReserved(slot.ids, Int(top &>> 61) &+ 1)
        return true
    }

    /// Remembers the `count` ids of a longer piece, `count` in `1 ... 8`.
    mutating func insertLong(_ key: SIMD4<UInt64>, _ ids: SIMD8<TokenID>, _ count: Int) {
        longArrivals += 1
        if longArrivals > longSlots.count && longBits < Self.mostLongBits {
            let old = longSlots
            longBits += 2
            longArrivals = 0
            longSlots = Block(count: 1 << Int(longBits), repeating: LongSlot())
            for index in 0..<old.count where old[index].key[3] != 0 {
                var key = old[index].key
                key[3] &= ~Self.longCountMask
                longSlots[longHome(key)] = old[index]
            }
        }
        var slot = LongSlot(key: key, ids: ids)
        slot.key[3] |= UInt64(count - 1) << 61
        longSlots[longHome(key)] = slot
    }

    @inline(__always)
    private func longHome(_ key: SIMD4<UInt64>) -> Int {
        let front = foldedProduct(key[0] ^ 0x9E37_79B9_7F4A_7C15, key[1] ^ 0xE703_7ED1_A0B4_28DB)
        let back = foldedProduct(key[2] ^ 0x8EBC_6AF0_9C88_C6E3, key[3] ^ 0x5895_65E3_2F4B_AE41)
        return Int(truncatingIfNeeded: (front ^ back &* 0x9E37_79B9_7F4A_7C15) &>> (64 &- longBits))
    }
}

/// The ids written so far: grows by doubling and is kept for the next text.
struct TokenBuffer {
    private var block = Block<TokenID>(count: 1024, repeating: 0)
    /// Ids written.
    private(set) var count = 0

    /// Makes room for `more` ids.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if count &+ more > block.count { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let larger = Block<TokenID>(unwritten: max(block.count * 2, count + more))
        larger.copy(from: block, count)
        block = larger
    }

    /// Appends an id for which there is room.
    @inline(__always)
    mutating func appendReserved(_ id: TokenID) {
        block[count] = id
        count &+= 1
    }

    /// Appends the first `kept` of four ids; there must be room for all four.
    @inline(__always)
    mutating func appendReserved(_ ids: SIMD4<TokenID>, _ kept: Int) {
        block[count] = ids[0]
        block[count &+ 1] = ids[1]
        block[count &+ 2] = ids[2]
        block[count &+ 3] = ids[3]
        count &+= kept
    }

    /// Appends the first `kept` of eight ids; there must be room for all eight.
    @inline(__always)
    mutating func appendReserved(_ ids: SIMD8<TokenID>, _ kept: Int) {
        for index in 0..<8 { block[count &+ index] = ids[index] }
        count &+= kept
    }

    /// Appends an id.
    @inline(__always)
    mutating func append(_ id: TokenID) {
        reserve(1)
        appendReserved(id)
    }

    @inline(__always)
    subscript(index: Int) -> TokenID { block[index] }

    /// The ids as an array; the buffer is then empty, and small again if it had grown large.
    mutating func take() -> [TokenID] {
        let ids = block.array(count)
        count = 0
        if block.count > 1 << 20 { block = Block(count: 1024, repeating: 0) }
        return ids
    }
}
