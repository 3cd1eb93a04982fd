/// The bytes of every token, by id and back.
struct Vocabulary: Sendable {
    /// All tokens' bytes one behind the other.
    private var arena: [UInt8] = []
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
        var total = 0
        for id in 0..<TokenID(vocabulary.size) { total += vocabulary[id]?.count ?? 0 }
        bytes = Block(count: total + 16, repeating: 0)
        places = Block(count: vocabulary.size, repeating: 0)
        var end = 0
        for id in 0..<TokenID(vocabulary.size) {
            guard let token = vocabulary[id] else { continue }
            places[Int(id)] = UInt64(end) << 24 | UInt64(token.count)
            for byte in token {
                bytes[end] = byte
                end += 1
            }
        }
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
        var hash: UInt64
        var start: UInt32
        var length: UInt32
        var id: TokenID
    }

    private let slots: Block<Slot>
    private let mask: Int
    private let arena: Block<UInt8>

    /// An index over the tokens `ids` of `vocabulary`.
    ///
    /// Of two tokens with the same bytes the first is found.
    init(_ vocabulary: Vocabulary, ids: some Collection<TokenID>) {
        var capacity = 16
        while capacity < ids.count * 2 { capacity *= 2 }
        slots = Block(count: capacity, repeating: Slot(hash: 0, start: 0, length: 0, id: -1))
        mask = capacity - 1
        arena = Block(count: ids.reduce(0) { $0 + (vocabulary[$1]?.count ?? 0) }, repeating: 0)
        var end = 0
        for id in ids {
            guard let bytes = vocabulary[id], !bytes.isEmpty else { continue }
            let start = end
            for byte in bytes {
                arena[end] = byte
                end += 1
            }
            let view = arena.view(start, end)
            guard self[view] == nil else { continue }
            let hash = view.hash()
            var at = Int(truncatingIfNeeded: hash) & mask
            while slots[at].id >= 0 { at = (at + 1) & mask }
            slots[at] = Slot(hash: hash, start: UInt32(start), length: UInt32(end - start), id: id)
        }
    }

    /// The id of the token that is exactly `bytes`.
    subscript(bytes: ByteView) -> TokenID? {
        let hash = bytes.hash()
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].id >= 0 {
            let slot = slots[at]
            if slot.hash == hash && Int(slot.length) == bytes.count
                && bytes.equals(at: 0, arena.view(Int(slot.start), Int(slot.start) + Int(slot.length)))
            {
                return slot.id
            }
            at = (at + 1) & mask
        }
        return nil
    }
}
