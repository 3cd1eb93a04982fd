/// What turns pieces into ids, shared by all encoders of a tokenizer and never changed.
struct MergeModel: Sendable {
    let merges: MergeTable
    /// The token of each single byte.
    let byteTokens: Block<TokenID>
    /// Whole pieces that are tokens, where those go before merges (tiktoken, and `ignore_merges` of Llama 3).
    let wholePieces: TokenIndex?
    let pattern: PreTokenizer
    /// Numbers are cut into single digits before the pattern sees the text.
    let separatesDigits: Bool
    let classes = UnicodeClasses.shared
}

/// Encodes text without special tokens: cuts pieces, looks them up, merges those it has not seen.
///
/// One encoder serves one text at a time and keeps its cache for the next.
struct PieceEncoder {
    /// A piece of the text at hand; the key counts only where the piece is short enough to have one.
    private struct Piece: BitwiseCopyable {
        var key: PieceCache.Key
        var start: Int
        var end: Int
    }

    /// Longest piece merged by scanning all its pairs for each merge; longer ones use a heap.
    private static let longestScan = 96

    private var cache = PieceCache()
    /// Pieces cut at one go: cutting waits on branches and looking up on memory, and apart the lookups overlap.
    private static let batch = 64
    private let pieces = Block<Piece>(unwritten: batch)
    private let parts = Block<TokenID>(count: longestScan + 1, repeating: 0)
    private let values = Block<UInt64>(count: longestScan + 1, repeating: 0)

    /// Appends the ids of `text`, of which the pattern sees neither what is before nor what is behind.
    mutating func encode(_ text: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        guard model.separatesDigits else { return encodePieces(text, model, into: &output) }
        let scanner = PieceScanner(text, model.pattern, model.classes)
        var start = 0
        var index = 0
        while index < text.count {
            let next = scanner.character(index)
            if next.kind == CharacterClass.number {
                encodePieces(text.slice(start, index), model, into: &output)
                start = index + next.length
                encodePieces(text.slice(index, start), model, into: &output)
            }
            index += next.length
        }
        encodePieces(text.slice(start, index), model, into: &output)
    }

    private mutating func encodePieces(_ text: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        let scanner = PieceScanner(text, model.pattern, model.classes)
        var start = 0
        while start < text.count {
            var count = 0
            while count < Self.batch && start < text.count {
                let end = scanner.pieceEnd(start)
                pieces[count] = Piece(key: PieceCache.key(text, start, end &- start), start: start, end: end)
                count &+= 1
                start = end
            }
            output.reserve(4 &* count)
            for index in 0..<count { encode(pieces[index], text, model, into: &output) }
        }
    }

    /// Appends the ids of one piece; there is room for four.
    @inline(__always)
    private mutating func encode(
        _ piece: Piece, _ text: ByteView, _ model: MergeModel, into output: inout TokenBuffer
    ) {
        let length = piece.end &- piece.start
        if length == 1 {
            output.appendReserved(model.byteTokens[Int(text[piece.start])])
        } else if length <= PieceCache.longestKey {
            let found = cache.find(piece.key)
            if found.count > 0 {
                output.appendReserved(found.ids, found.count)
            } else {
                encodeShort(text.slice(piece.start, piece.end), piece.key, model, into: &output)
                output.reserve(4 &* Self.batch)
            }
        } else {
            encodeLong(text.slice(piece.start, piece.end), model, into: &output)
            output.reserve(4 &* Self.batch)
        }
    }

    @inline(never)
    private mutating func encodeShort(
        _ piece: ByteView, _ key: PieceCache.Key, _ model: MergeModel, into output: inout TokenBuffer
    ) {
        let first = output.count
        encodeNew(piece, model, into: &output)
        let count = output.count - first
        guard count <= 4 else { return }
        var ids = SIMD4<TokenID>.zero
        for index in 0..<count { ids[index] = output[first + index] }
        cache.insert(key, ids, count)
    }

    @inline(never)
    private mutating func encodeLong(_ piece: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        guard piece.count <= PieceCache.longestPiece else { return encodeNew(piece, model, into: &output) }
        let key = PieceCache.longKey(piece)
        if cache.appendLong(key, to: &output) { return }
        let first = output.count
        encodeNew(piece, model, into: &output)
        let count = output.count - first
        guard count <= 8 else { return }
        var ids = SIMD8<TokenID>.zero
        for index in 0..<count { ids[index] = output[first + index] }
        cache.insertLong(key, ids, count)
    }

    private func encodeNew(_ piece: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        if let id = model.wholePieces?[piece] { return output.append(id) }
        guard piece.count > Self.longestScan else { return mergeByScan(piece, model, into: &output) }
        for start in stride(from: 0, to: piece.count, by: LongMerge.limit) {
            let end = min(start + LongMerge.limit, piece.count)
            LongMerge.run(piece.slice(start, end), model, into: &output)
        }
    }

    /// Merges the lowest rank, leftmost first, until no neighbours merge: O(n²), quickest for short pieces.
    private func mergeByScan(_ piece: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        var count = piece.count
        parts[0] = model.byteTokens[Int(piece[0])]
        for index in 1..<max(count, 1) {
            parts[index] = model.byteTokens[Int(piece[index])]
            values[index &- 1] = model.merges.lookup(parts[index &- 1], parts[index])
        }
        while true {
            var best = MergeTable.none
            var at = 0
            for index in 0..<count &- 1 where values[index] < best {
                best = values[index]
                at = index
            }
            guard best != MergeTable.none else { break }
            count &-= 1
            parts[at] = TokenID(truncatingIfNeeded: best)
            for index in at &+ 1..<count {
                parts[index] = parts[index &+ 1]
                values[index] = values[index &+ 1]
            }
            values[at] = at &+ 1 < count ? model.merges.lookup(parts[at], parts[at &+ 1]) : MergeTable.none
            if at > 0 { values[at &- 1] = model.merges.lookup(parts[at &- 1], parts[at]) }
        }
        output.reserve(count)
        for index in 0..<count { output.appendReserved(parts[index]) }
    }
}

/// Merges a long piece in O(n log n): a heap of (rank, position) over a linked list of parts.
///
/// Entries of the heap are not removed when their pair changes; one that no longer matches `values` is skipped.
enum LongMerge {
    /// Most bytes of one run, because places take 31 bits; a piece of over a gigabyte is cut there.
    static let limit = 1 << 30

    /// Appends the ids of `piece`, which has up to `limit` bytes.
    static func run(_ piece: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        let count = piece.count
        precondition(count <= limit, "piece of \(count) bytes against \(limit)")
        let parts = Block<TokenID>(count: count, repeating: 0)
        let next = Block<Int32>(count: count, repeating: 0)
        let previous = Block<Int32>(count: count, repeating: 0)
        let values = Block<UInt64>(count: count, repeating: MergeTable.none)
        for index in 0..<count {
            parts[index] = model.byteTokens[Int(piece[index])]
            next[index] = Int32(index + 1)
            previous[index] = Int32(index - 1)
        }
        var heap = MinimumHeap()
        let offer = { (left: Int) in
            let right = Int(next[left])
            values[left] = right < count ? model.merges.lookup(parts[left], parts[right]) : MergeTable.none
        }
        for index in 0..<count {
            offer(index)
            if values[index] != MergeTable.none { heap.push(values[index] & 0xFFFF_FFFF_0000_0000 | UInt64(index)) }
        }
        while let top = heap.pop() {
            let at = Int(top & 0xFFFF_FFFF)
            guard values[at] != MergeTable.none, values[at] &>> 32 == top &>> 32 else { continue }
            let right = Int(next[at])
            parts[at] = TokenID(truncatingIfNeeded: values[at])
            values[right] = MergeTable.none
            next[at] = next[right]
            if Int(next[at]) < count { previous[Int(next[at])] = Int32(at) }
            offer(at)
            if values[at] != MergeTable.none { heap.push(values[at] & 0xFFFF_FFFF_0000_0000 | UInt64(at)) }
            let before = Int(previous[at])
            guard before >= 0 else { continue }
            offer(before)
            if values[before] != MergeTable.none { heap.push(values[before] & 0xFFFF_FFFF_0000_0000 | UInt64(before)) }
        }
        var index = 0
        while index < count {
            output.append(parts[index])
            index = Int(next[index])
        }
    }
}

/// A binary heap that gives the smallest word first.
struct MinimumHeap {
    private var words: [UInt64] = []

    /// Adds a word.
    mutating func push(_ word: UInt64) {
        words.append(word)
        var child = words.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard word < words[parent] else { break }
            words[child] = words[parent]
            child = parent
        }
        words[child] = word
    }

    /// Takes the smallest word, nil when none is left.
    mutating func pop() -> UInt64? {
        guard let last = words.popLast() else { return nil }
        guard let top = words.first else { return last }
        var hole = 0
        while true {
            var child = hole * 2 + 1
            guard child < words.count else { break }
            if child + 1 < words.count && words[child + 1] < words[child] { child += 1 }
            guard words[child] < last else { break }
            words[hole] = words[child]
            hole = child
        }
        words[hole] = last
        return top
    }
}
