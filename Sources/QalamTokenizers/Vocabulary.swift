/// The bytes of every token, by id and back.
struct Vocabulary: Sendable {
    /// All tokens' bytes one behind the other.
    private(set) var arena: [UInt8] = []
    /// Where each id's bytes are in `arena`; `length` is -1 where there is no such id.
    private var places: [(start: Int, length: Int)] = []
    /// Number of ids in use.
    private(set) var tokenCount = 0

    /// Largest id + 1.
    var size: Int { places.count }

    /// Gives `id` its bytes; false if it already has others.
    mutating func insert(_ bytes: some Collection<UInt8>, at id: TokenID) -> Bool {
        let index = Int(id)
        if index >= places.count {
            places.append(contentsOf: repeatElement((start: 0, length: -1), count: index + 1 - places.count))
        }
        guard places[index].length < 0 else { return self[id].map { $0.elementsEqual(bytes) } ?? false }
        places[index] = (arena.count, bytes.count)
        arena.append(contentsOf: bytes)
        tokenCount += 1
        return true
    }

    /// The vocabulary with other bytes for the tokens of `replacements`.
    func replacing(_ replacements: [(id: TokenID, bytes: [UInt8])]) -> Vocabulary {
        var changed = self
        for (id, bytes) in replacements where self[id].map({ !$0.elementsEqual(bytes) }) ?? false {
            changed.places[Int(id)] = (changed.arena.count, bytes.count)
            changed.arena += bytes
        }
        return changed
    }

    /// Makes room for `count` tokens of `bytes` bytes in all.
    mutating func reserve(count: Int, bytes: Int) {
        places.reserveCapacity(count)
        arena.reserveCapacity(bytes)
    }

    /// Where the bytes of `id`, less than `size`, are in `arena`; the length is -1 where there is no such id.
    @inline(__always)
    func place(_ id: Int) -> (start: Int, length: Int) { places[id] }

    /// The bytes of `id`, nil where there is no such id.
    subscript(id: TokenID) -> ArraySlice<UInt8>? {
        guard id >= 0, Int(id) < places.count, places[Int(id)].length >= 0 else { return nil }
        let place = places[Int(id)]
        return arena[place.start..<place.start + place.length]
    }
}

/// The bytes of every token in a form that decoding copies from quickly; ids that do not exist have none.
struct TokenTexts: Sendable {
    private let bytes: Block<UInt8>
    /// Start in the high 40 bits, length in the low 24.
    private let places: Block<UInt64>

    /// The tokens of `vocabulary`.
    init(_ vocabulary: Vocabulary) {
        bytes = Block(count: vocabulary.arena.count + 16, repeating: 0)
        places = Block(count: vocabulary.size, repeating: 0)
        ByteView.with(vocabulary.arena) { bytes.write($0, at: 0) }
        for id in 0..<vocabulary.size {
            let place = vocabulary.place(id)
            if place.length > 0 { places[id] = UInt64(place.start) << 24 | UInt64(place.length) }
        }
    }

    /// The tokens of `vocabulary` with their bytes as `transform` gives them.
    init(_ vocabulary: Vocabulary, _ transform: (ArraySlice<UInt8>) -> [UInt8]) {
        var all: [UInt8] = []
        all.reserveCapacity(vocabulary.arena.count)
        places = Block(count: vocabulary.size, repeating: 0)
        for id in 0..<vocabulary.size {
            guard let token = vocabulary[TokenID(id)] else { continue }
            let start = all.count
            all += transform(token)
            places[id] = UInt64(start) << 24 | UInt64(all.count - start)
        }
        bytes = Block(count: all.count + 16, repeating: 0)
        ByteView.with(all) { bytes.write($0, at: 0) }
    }

    /// Appends the bytes of `id`, none where there is no such id.
    func append(_ id: TokenID, to output: inout [UInt8]) {
        let place = place(id)
        let start = Int(place &>> 24)
        output += bytes.view(start, start + Int(place & 0xFF_FFFF)).array(0, Int(place & 0xFF_FFFF))
    }

    /// The joined bytes of `ids`, as text with U+FFFD for what is not UTF-8.
    func decode(_ ids: [TokenID]) -> String {
        var total = 0
        for id in ids { total &+= Int(place(id) & 0xFF_FFFF) }
        let output = Block<UInt8>(unwritten: total + 16)
        var end = 0
        for id in ids {
            let place = place(id)
            let length = Int(place & 0xFF_FFFF)
            output.copy(bytes, Int(place &>> 24), length, to: end)
            end &+= length
        }
        return output.view(0, total).string(0, total)
    }

    @inline(__always)
    private func place(_ id: TokenID) -> UInt64 {
        id >= 0 && Int(id) < places.count ? places[Int(id)] : 0
    }
}

/// Finds a token's id by its bytes: open addressing with linear probing, at most half full.
struct TokenIndex: Sendable {
    /// Where a token's bytes are in `arena`; no token where the id is negative.
    private struct Slot: BitwiseCopyable {
        var hash: UInt32
        var start: UInt32
        var length: UInt32
        var id: TokenID
    }

    private let slots: Block<Slot>
    private let mask: Int
    private let arena: Block<UInt8>
    /// Bytes of the longest token.
    let longest: Int

    /// An index over the tokens `ids` of `vocabulary`.
    ///
    /// Of two tokens with the same bytes the first is found.
    init(_ vocabulary: Vocabulary, ids: some Collection<TokenID>) {
        var capacity = 16
        while capacity < ids.count * 2 { capacity *= 2 }
        slots = Block(count: capacity, repeating: Slot(hash: 0, start: 0, length: 0, id: -1))
        mask = capacity - 1
        arena = Block(count: vocabulary.arena.count, repeating: 0)
        longest = ids.reduce(0) { max($0, vocabulary.place(Int($1)).length) }
        ByteView.with(vocabulary.arena) { arena.write($0, at: 0) }
        for id in ids {
            let place = vocabulary.place(Int(id))
            guard place.length > 0 else { continue }
            let view = arena.view(place.start, place.start + place.length)
            let hash = view.hash()
            guard let at = freeSlot(view, hash) else { continue }
            slots[at] = Slot(
                hash: UInt32(truncatingIfNeeded: hash &>> 32), start: UInt32(place.start),
                length: UInt32(place.length), id: id)
        }
    }

    /// The slot where `bytes` belongs, nil where it is there already.
    private func freeSlot(_ bytes: ByteView, _ hash: UInt64) -> Int? {
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].id >= 0 {
            if matches(slots[at], bytes, hash) { return nil }
            at = (at &+ 1) & mask
        }
        return at
    }

    @inline(__always)
    private func matches(_ slot: Slot, _ bytes: ByteView, _ hash: UInt64) -> Bool {
        slot.hash == UInt32(truncatingIfNeeded: hash &>> 32) && Int(slot.length) == bytes.count
            && bytes.equals(at: 0, arena.view(Int(slot.start), Int(slot.start) &+ Int(slot.length)))
    }

    /// The id of the token that is exactly `bytes`.
    subscript(bytes: ByteView) -> TokenID? {
        guard bytes.count <= longest else { return nil }
        let hash = bytes.hash()
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].id >= 0 {
            if matches(slots[at], bytes, hash) { return slots[at].id }
            at = (at &+ 1) & mask
        }
        return nil
    }
}
