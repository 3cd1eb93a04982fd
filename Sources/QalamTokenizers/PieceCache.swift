/// Remembers the ids of pieces, within a fixed amount of memory.
///
/// Short pieces (up to 15 bytes and 4 ids) sit in buckets of two 32-byte slots, one cache line, the more recent first;
/// a third piece pushes the older one out. The buckets grow with what they are asked to hold, up to 4 MiB. Longer pieces
/// sit in an arena that is emptied when full. What is remembered never changes a result, only how fast it comes.
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

    private struct LongSlot: BitwiseCopyable {
        var hash: UInt64 = 0
        var bytes: UInt32 = 0
        var length: UInt32 = 0
        var ids: UInt32 = 0
        var count: UInt32 = 0
    }

    /// Longest piece with a `Key`.
    static let longestKey = 15
    /// Bytes of the longest piece that is remembered at all.
    static let longestPiece = 1024
    private static let mostBucketBits: UInt64 = 16
    private static let longBits: UInt64 = 13
    private static let emptySlot = Slot(key: Key(low: 0, high: 0), ids: .zero)
    private static let countMask: UInt64 = 0xF000_0000_0000_0000

    private var bucketBits: UInt64 = 8
    private var slots = Block<Slot>(count: 2 << 8, repeating: Self.emptySlot)
    /// Pieces that came since the buckets last grew.
    private var arrivals = 0
    private let longSlots = Block<LongSlot>(count: 1 << Int(longBits), repeating: LongSlot())
    private let longBytes = Block<UInt8>(unwritten: 1 << 19)
    private let longIDs = Block<TokenID>(unwritten: 1 << 18)
    private var bytesUsed = 0
    private var idsUsed = 0

    /// The key of `text[start ..< start + length]`, `length` in `1 ... longestKey`.
    @inline(__always)
    static func key(_ text: ByteView, _ start: Int, _ length: Int) -> Key {
        let tag = UInt64(truncatingIfNeeded: length) &<< 56
        guard text.canLoad(16, at: start) else {
            let high = length > 8 ? text.partialWord(at: start &+ 8, length &- 8) : 0
            return Key(low: text.partialWord(at: start, length), high: high | tag)
        }
        let low = text.word(at: start)
        guard length > 8 else { return Key(low: low & (.max &>> UInt64(64 &- 8 &* length)), high: tag) }
        let high = text.word(at: start &+ 8) & (.max &>> UInt64(128 &- 8 &* length))
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

    /// Calls `body` with each id of a piece that has no short slot; false if it is not here.
    @inline(__always)
    func findLong(_ piece: ByteView, _ hash: UInt64, into output: inout TokenBuffer) -> Bool {
        let slot = longSlots[Int(truncatingIfNeeded: hash &>> (64 &- Self.longBits))]
        guard slot.hash == hash, Int(slot.length) == piece.count else { return false }
        let start = Int(slot.bytes)
        guard piece.equals(at: 0, longBytes.view(start, start + piece.count)) else { return false }
        output.reserve(Int(slot.count))
        for index in 0..<Int(slot.count) { output.appendReserved(longIDs[Int(slot.ids) &+ index]) }
        return true
    }

    /// Remembers the ids that `output` holds from `first` on as those of `piece`.
    mutating func insertLong(_ piece: ByteView, _ hash: UInt64, _ output: TokenBuffer, from first: Int) {
        let count = output.count - first
        if bytesUsed + piece.count > longBytes.count || idsUsed + count > longIDs.count {
            bytesUsed = 0
            idsUsed = 0
            for index in 0..<longSlots.count { longSlots[index] = LongSlot() }
        }
        longBytes.write(piece, at: bytesUsed)
        for index in 0..<count { longIDs[idsUsed + index] = output[first + index] }
        longSlots[Int(truncatingIfNeeded: hash &>> (64 &- Self.longBits))] = LongSlot(
            hash: hash, bytes: UInt32(bytesUsed), length: UInt32(piece.count), ids: UInt32(idsUsed),
            count: UInt32(count))
        bytesUsed += piece.count
        idsUsed += count
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
