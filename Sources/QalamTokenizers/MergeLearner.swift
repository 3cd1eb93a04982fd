/// Learns merges from counted pieces.
///
/// All pieces lie one behind the other as symbols in a doubly linked list; each pair knows its total count and, in the
/// queue, the places where it came to be. A merge visits only its own places, so the work is that of the symbols
/// merged, however long a piece is. Places that another merge has changed since are recognized by their symbols and
/// skipped.
struct MergeLearner {
    /// A pair with its count when it was queued and its places in `places`.
    private struct Candidate {
        var count: Int
        let pair: Int
        let key: UInt64
        let start: Int
        let length: Int

        /// More frequent first, then smaller ids.
        func precedes(_ other: Candidate) -> Bool { count != other.count ? count > other.count : key < other.key }
    }

    private static let removed: TokenID = -1

    private let symbols: Block<TokenID>
    /// Places of the neighbours within the piece, -1 at its ends.
    private let next: Block<Int32>
    private let previous: Block<Int32>
    /// Which piece a place belongs to.
    private let piece: Block<Int32>
    private var pieceCounts: [Int] = []
    private var pairs = PairTable()
    private var places: [Int32] = []
    private var queue: [Candidate] = []
    /// Pairs and places that the merge in progress has made.
    private var made: [(pair: Int32, place: Int32)] = []

    /// A learner over the pieces of `counts` with at least two bytes.
    init(_ counts: PieceCounts, byteTokens: [TokenID]) {
        var total = 0
        counts.forEach { piece, _ in total += piece.count > 1 ? piece.count : 0 }
        precondition(total < Int(Int32.max), "\(total) symbols against \(Int32.max)")
        let symbols = Block<TokenID>(count: total, repeating: 0)
        let next = Block<Int32>(count: total, repeating: 0)
        let previous = Block<Int32>(count: total, repeating: 0)
        let piece = Block<Int32>(count: total, repeating: 0)
        var pieceCounts: [Int] = []
        var end = 0
        counts.forEach { bytes, count in
            guard bytes.count > 1 else { return }
            for index in 0..<bytes.count {
                symbols[end + index] = byteTokens[Int(bytes[index])]
                next[end + index] = index + 1 < bytes.count ? Int32(end + index + 1) : -1
                previous[end + index] = index > 0 ? Int32(end + index - 1) : -1
                piece[end + index] = Int32(pieceCounts.count)
            }
            end += bytes.count
            pieceCounts.append(count)
        }
        (self.symbols, self.next, self.previous, self.piece) = (symbols, next, previous, piece)
        self.pieceCounts = pieceCounts
        for place in 0..<total where next[place] >= 0 {
            add(symbols[place], symbols[place + 1], at: place, pieceCounts[Int(piece[place])])
        }
        queueMade()
    }

    /// Appends merges and their tokens to `definition` until its vocabulary has `vocabularySize` entries.
    mutating func learn(
        into definition: inout TokenizerDefinition, vocabularySize: Int, progress: ((Int, Int) -> Void)?
    ) {
        var known: [[UInt8]: TokenID] = [:]
        for id in 0..<TokenID(definition.vocabulary.size) {
            if let bytes = definition.vocabulary[id] { known[[UInt8](bytes)] = id }
        }
        let special = Set(definition.addedTokens.map(\.id))
        while definition.vocabulary.size < vocabularySize, var top = popQueue() {
            let count = pairs.counts[top.pair]
            guard top.count == count else {
                top.count = count
                pushQueue(top)
                continue
            }
            guard count > 0 else { break }
            let left = TokenID(truncatingIfNeeded: top.key >> 32)
            let right = TokenID(truncatingIfNeeded: top.key)
            let bytes = [UInt8](definition.vocabulary[left] ?? []) + (definition.vocabulary[right] ?? [])
            let existing = known[bytes]
            // Plain text must not become a control token.
            if let existing, special.contains(existing) { continue }
            let result = existing ?? TokenID(definition.vocabulary.size)
            if existing == nil {
                definition.addToken(bytes, at: result)
                known[bytes] = result
            }
            definition.merges.append(MergeTable.Merge(left: left, right: right, result: result))
            merge(left, right, result, top)
            if definition.merges.count % 256 == 0 { progress?(definition.vocabulary.size, vocabularySize) }
        }
        progress?(definition.vocabulary.size, vocabularySize)
    }

    // MARK: Merging

    private mutating func merge(_ left: TokenID, _ right: TokenID, _ result: TokenID, _ candidate: Candidate) {
        for index in candidate.start..<candidate.start + candidate.length {
            let at = Int(places[index])
            guard symbols[at] == left, next[at] >= 0 else { continue }
            let second = Int(next[at])
            guard symbols[second] == right else { continue }
            let weight = pieceCounts[Int(piece[at])]
            let before = Int(previous[at])
            let behind = Int(next[second])
            if before >= 0 {
                pairs.subtract(symbols[before], left, weight)
                add(symbols[before], result, at: before, weight)
            }
            if behind >= 0 {
                pairs.subtract(right, symbols[behind], weight)
                add(result, symbols[behind], at: at, weight)
                previous[behind] = Int32(at)
            }
            symbols[at] = result
            symbols[second] = Self.removed
            next[at] = Int32(behind)
        }
        queueMade()
    }

    @inline(__always)
    private mutating func add(_ left: TokenID, _ right: TokenID, at place: Int, _ weight: Int) {
        let pair = pairs.index(left, right)
        pairs.counts[pair] += weight
        made.append((Int32(pair), Int32(place)))
    }

    /// Queues the pairs in `made` with their places, grouped by pair and in the order they were found.
    private mutating func queueMade() {
        var touched: [Int32] = []
        for (pair, _) in made {
            if pairs.pending[Int(pair)] == 0 { touched.append(pair) }
            pairs.pending[Int(pair)] += 1
        }
        var end = places.count
        for pair in touched.map(Int.init) {
            let length = Int(pairs.pending[pair])
            if pairs.counts[pair] > 0 {
                pushQueue(
                    Candidate(
                        count: pairs.counts[pair], pair: pair, key: pairs.keys[pair], start: end, length: length))
            }
            pairs.pending[pair] = Int32(end)
            end += length
        }
        places.append(contentsOf: repeatElement(0, count: end - places.count))
        for (pair, place) in made {
            places[Int(pairs.pending[Int(pair)])] = place
            pairs.pending[Int(pair)] += 1
        }
        for pair in touched { pairs.pending[Int(pair)] = 0 }
        made.removeAll(keepingCapacity: true)
    }

    // MARK: Queue

    private mutating func pushQueue(_ candidate: Candidate) {
        queue.append(candidate)
        var child = queue.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard candidate.precedes(queue[parent]) else { break }
            queue[child] = queue[parent]
            child = parent
        }
        queue[child] = candidate
    }

    private mutating func popQueue() -> Candidate? {
        guard let last = queue.popLast() else { return nil }
        guard let top = queue.first else { return last }
        var hole = 0
        while true {
            var child = hole * 2 + 1
            guard child < queue.count else { break }
            if child + 1 < queue.count && queue[child + 1].precedes(queue[child]) { child += 1 }
            guard queue[child].precedes(last) else { break }
            queue[hole] = queue[child]
            hole = child
        }
        queue[hole] = last
        return top
    }
}

/// Pairs of symbols, numbered in the order they appear, with their counts.
private struct PairTable {
    /// Left id in the high, right id in the low half, by number.
    private(set) var keys: [UInt64] = []
    /// How often each pair occurs, by number.
    var counts: [Int] = []
    /// Room for whoever groups places by pair; all zero between uses.
    var pending: [Int32] = []
    private var slots = Block<Int32>(count: 1 << 12, repeating: -1)

    /// The number of a pair, which is new if it has none.
    @inline(__always)
    mutating func index(_ left: TokenID, _ right: TokenID) -> Int {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        var at = home(key)
        while slots[at] >= 0 {
            let index = Int(slots[at])
            if keys[index] == key { return index }
            at = (at &+ 1) & (slots.count &- 1)
        }
        slots[at] = Int32(keys.count)
        keys.append(key)
        counts.append(0)
        pending.append(0)
        if keys.count * 2 > slots.count { grow() }
        return keys.count - 1
    }

    /// Takes `weight` from the count of a pair.
    @inline(__always)
    mutating func subtract(_ left: TokenID, _ right: TokenID, _ weight: Int) {
        counts[index(left, right)] -= weight
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: foldedProduct(key, 0x9E37_79B9_7F4A_7C15)) & (slots.count &- 1)
    }

    private mutating func grow() {
        slots = Block(count: slots.count * 2, repeating: -1)
        for (index, key) in keys.enumerated() {
            var at = home(key)
            while slots[at] >= 0 { at = (at + 1) & (slots.count - 1) }
            slots[at] = Int32(index)
        }
    }
}
