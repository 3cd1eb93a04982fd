/// What turns pieces of bytes into ids, shared by all encoders of a tokenizer and never changed.
struct MergeModel: Sendable, MergeRule {
    let merges: MergeTable
    /// The token of each single byte.
    let byteTokens: Block<TokenID>
    /// Whole pieces that are tokens, where those go before merges (tiktoken, and `ignore_merges` of Llama 3).
    let wholePieces: TokenIndex?
    let pattern: PreTokenizer
    /// Numbers are cut into single digits before the pattern sees the text.
    let separatesDigits: Bool
    let classes = UnicodeClasses.shared

    @inline(__always)
    func value(_ parts: Block<TokenID>, _ left: Int, _ right: Int, end: Int) -> UInt64 {
        merges.lookup(parts[left], parts[right])
    }
}

/// What turns a piece of text into ids by other means than merges of bytes.
protocol PieceModel: Sendable {
    /// Appends the ids of `piece`, which is not empty.
    func append(_ piece: ByteView, _ scratch: inout PieceScratch, into output: inout TokenBuffer)
}

/// Memory that encoding one piece needs, kept for the next one.
struct PieceScratch {
    var queue = MergeQueue()
    /// Where the characters of a piece start, and its end.
    var starts = Block<Int32>(count: 64, repeating: 0)

    /// Makes room for `count` starts, without keeping any.
    mutating func reserveStarts(_ count: Int) {
        if count > starts.count { starts = Block(unwritten: count * 2) }
    }

    /// Gives memory back where one long piece took a lot.
    mutating func shrink() {
        guard starts.count > 1 << 16 else { return }
        self = PieceScratch()
    }
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
    private var scratch = PieceScratch()

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

    /// Appends the ids of one piece, remembered where it is short.
    mutating func encodePiece(_ piece: ByteView, _ model: some PieceModel, into output: inout TokenBuffer) {
        guard piece.count <= PieceCache.longestPiece else {
            model.append(piece, &scratch, into: &output)
            return scratch.shrink()
        }
        let key = PieceCache.longKey(piece)
        if cache.appendLong(key, to: &output) { return }
        let first = output.count
        model.append(piece, &scratch, into: &output)
        remember(key, from: first, in: output)
    }

    private mutating func remember(_ key: SIMD4<UInt64>, from first: Int, in output: TokenBuffer) {
        let count = output.count - first
        guard (1...8).contains(count) else { return }
        var ids = SIMD8<TokenID>.zero
        for index in 0..<count { ids[index] = output[first + index] }
        cache.insertLong(key, ids, count)
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
        remember(key, from: first, in: output)
    }

    private mutating func encodeNew(_ piece: ByteView, _ model: MergeModel, into output: inout TokenBuffer) {
        if let id = model.wholePieces?[piece] { return output.append(id) }
        guard piece.count > Self.longestScan else { return mergeByScan(piece, model, into: &output) }
        for start in stride(from: 0, to: piece.count, by: MergeQueue.limit) {
            let end = min(start + MergeQueue.limit, piece.count)
            scratch.queue.reserve(end - start)
            for index in start..<end { scratch.queue.parts[index - start] = model.byteTokens[Int(piece[index])] }
            scratch.queue.merge(end - start, model)
            scratch.queue.forEachPart { id, _, _ in output.append(id) }
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
