/// How often each piece occurs: what training needs to know of a text.
///
/// Two open-addressing tables, one for pieces whose bytes fit in a slot and one for longer ones, both at most half
/// full.
struct PieceCounts {
    private struct ShortSlot: BitwiseCopyable {
        var key: PieceCache.Key
        var count: Int
    }

    private struct LongSlot: BitwiseCopyable {
        var hash: UInt64
        var start: Int
        var length: Int
        var count: Int
    }

    private var short = Block<ShortSlot>(count: 1 << 12, repeating: Self.emptyShort)
    private var long = Block<LongSlot>(count: 1 << 8, repeating: Self.emptyLong)
    private var shortUsed = 0
    private var longUsed = 0
    private var bytes = Block<UInt8>(count: 1 << 12, repeating: 0)
    private var bytesUsed = 0
    /// Bytes that training on these pieces takes, all tables and lists together, as an upper estimate.
    private(set) var cost = 0

    private static let emptyShort = ShortSlot(key: PieceCache.Key(low: 0, high: 0), count: 0)
    private static let emptyLong = LongSlot(hash: 0, start: 0, length: 0, count: 0)

    /// Number of different pieces.
    var pieceCount: Int { shortUsed + longUsed }

    /// What one piece adds to `cost`: its slot in tables half full, and its symbols with their links and lists.
    private static func cost(_ length: Int) -> Int { 112 + 28 * length }

    /// Counts `text[start ..< start + length]` another `count` times.
    @inline(__always)
    mutating func add(_ text: ByteView, _ start: Int, _ length: Int, _ count: Int) {
        guard length <= PieceCache.longestKey else { return addLong(text.slice(start, start &+ length), count) }
        let key = PieceCache.key(text, start, length)
        let mask = short.count &- 1
        var at = Self.home(key) & mask
        while true {
            let slot = short[at]
            if slot.count == 0 { break }
            if slot.key.low == key.low && slot.key.high == key.high {
                short[at].count = slot.count &+ count
                return
            }
            at = (at &+ 1) & mask
        }
        insertShort(ShortSlot(key: key, count: count), length, at)
    }

    @inline(__always)
    private static func home(_ key: PieceCache.Key) -> Int {
        Int(truncatingIfNeeded: foldedProduct(key.low ^ 0x9E37_79B9_7F4A_7C15, key.high ^ 0xE703_7ED1_A0B4_28DB))
    }

    @inline(never)
    private mutating func insertShort(_ slot: ShortSlot, _ length: Int, _ at: Int) {
        short[at] = slot
        shortUsed += 1
        cost += Self.cost(length)
        guard shortUsed * 2 > short.count else { return }
        let larger = Block<ShortSlot>(count: short.count * 2, repeating: Self.emptyShort)
        for index in 0..<short.count where short[index].count > 0 {
            var at = Self.home(short[index].key) & (larger.count - 1)
            while larger[at].count > 0 { at = (at + 1) & (larger.count - 1) }
            larger[at] = short[index]
        }
        short = larger
    }

    private mutating func addLong(_ piece: ByteView, _ count: Int) {
        let hash = piece.hash()
        var at = Int(truncatingIfNeeded: hash) & (long.count - 1)
        while long[at].count > 0 {
            let slot = long[at]
            if slot.hash == hash && slot.length == piece.count
                && piece.equals(at: 0, bytes.view(slot.start, slot.start + slot.length))
            {
                long[at].count += count
                return
            }
            at = (at + 1) & (long.count - 1)
        }
        if bytesUsed + piece.count > bytes.count {
            let larger = Block<UInt8>(count: max(bytes.count * 2, bytesUsed + piece.count), repeating: 0)
            larger.copy(from: bytes, bytesUsed)
            bytes = larger
        }
        bytes.write(piece, at: bytesUsed)
        long[at] = LongSlot(hash: hash, start: bytesUsed, length: piece.count, count: count)
        bytesUsed += piece.count
        longUsed += 1
        cost += Self.cost(piece.count)
        if longUsed * 2 > long.count { growLong() }
    }

    private mutating func growLong() {
        let larger = Block<LongSlot>(count: long.count * 2, repeating: Self.emptyLong)
        for index in 0..<long.count where long[index].count > 0 {
            var at = Int(truncatingIfNeeded: long[index].hash) & (larger.count - 1)
            while larger[at].count > 0 { at = (at + 1) & (larger.count - 1) }
            larger[at] = long[index]
        }
        long = larger
    }

    /// Calls `body` with the bytes and the count of every piece, in no particular order.
    func forEach(_ body: (ByteView, Int) -> Void) {
        let scratch = Block<UInt8>(count: 16, repeating: 0)
        for index in 0..<short.count where short[index].count > 0 {
            let key = short[index].key
            for k in 0..<8 {
                scratch[k] = UInt8(truncatingIfNeeded: key.low &>> UInt64(8 * k))
                scratch[k + 8] = UInt8(truncatingIfNeeded: key.high &>> UInt64(8 * k))
            }
            body(scratch.view(0, Int(key.high &>> 56)), short[index].count)
        }
        for index in 0..<long.count where long[index].count > 0 {
            body(bytes.view(long[index].start, long[index].start + long[index].length), long[index].count)
        }
    }

    /// Adds all counts of `other`.
    mutating func merge(_ other: PieceCounts) {
        other.forEach { piece, count in add(piece, 0, piece.count, count) }
    }

    /// Drops the rarest pieces until `cost` is at most `limit`.
    ///
    /// All pieces that are equally rare go together, so that the outcome depends on the counts alone. Returns how many
    /// pieces and how many occurrences went.
    mutating func prune(to limit: Int) -> (pieces: Int, occurrences: Int) {
        var costByCount: [Int: Int] = [:]
        forEach { piece, count in costByCount[count, default: 0] += Self.cost(piece.count) }
        var left = cost
        var threshold = 0
        for (count, cost) in costByCount.sorted(by: { $0.key < $1.key }) where left > limit {
            left -= cost
            threshold = count
        }
        var kept = PieceCounts()
        var dropped = (pieces: 0, occurrences: 0)
        forEach { piece, count in
            if count > threshold {
                kept.add(piece, 0, piece.count, count)
            } else {
                dropped.pieces += 1
                dropped.occurrences += count
            }
        }
        self = kept
        return dropped
    }
}
