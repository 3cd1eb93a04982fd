internal import Dispatch
internal import Foundation

/// Trains a byte-level BPE vocabulary: counts pieces, then merges the most frequent pair again and again.
///
/// Gives the merges of Hugging Face's `BpeTrainer` (with the byte alphabet) on the same documents: of pairs that are
/// equally frequent the one with the smaller ids goes first. Special tokens get the first ids, bytes follow, then
/// merges. The text of a special token separates documents and is not learned from. The result depends neither on the
/// number of threads nor on the order of documents, as long as the memory limit does not force pieces out.
///
///     var trainer = BPETrainer(vocabularySize: 8192, pattern: .gpt2, specialTokens: ["<|endoftext|>"])
///     for document in corpus { try trainer.add(document) }
///     let tokenizer = try trainer.finish()
public struct BPETrainer {
    /// What has been seen so far, and what the memory limit cost.
    public struct Statistics: Sendable, Equatable {
        /// Documents added.
        public var documents = 0
        /// Their bytes.
        public var bytes = 0
        /// Different pieces that training knows of.
        public var distinctPieces = 0
        /// Pieces forgotten because the memory limit was reached: rare ones, whose counts are then too low.
        public var prunedPieces = 0
        /// How often the forgotten pieces had occurred.
        public var prunedOccurrences = 0
    }

    /// Most memory that tables take, whatever the limit: beyond it places would not fit in 32 bits.
    private static let mostMemory = 1 << 34
    /// Text counted between two looks at the memory limit.
    private static let batchSize = 1 << 24
    /// What has been seen so far.
    public private(set) var statistics = Statistics()
    private let vocabularySize: Int
    private let pattern: PreTokenizer
    private let specialTokens: [String]
    private let memoryLimit: Int
    private let threads: Int
    private let chunkSize: Int
    private let matcher: AddedTokenMatcher
    private var counts = PieceCounts()
    /// Short documents that wait to be counted together, and where each ends.
    private var waiting: [UInt8] = []
    private var waitingEnds: [Int] = []

    /// A trainer of a vocabulary with `vocabularySize` entries in all, which must hold the 256 bytes and
    /// `specialTokens`.
    ///
    /// `memoryLimit` bounds, in bytes and up to 16 GiB, the tables of pieces and merges; where they would grow over it,
    /// the rarest pieces go (see `statistics`). Text waiting to be counted, up to 16 MB and the longest document, comes
    /// on top.
    public init(
        vocabularySize: Int, pattern: PreTokenizer, specialTokens: [String], memoryLimit: Int = 1 << 30
    ) {
        self.init(
            vocabularySize: vocabularySize, pattern: pattern, specialTokens: specialTokens, memoryLimit: memoryLimit,
            threads: min(ProcessInfo.processInfo.activeProcessorCount, 16))
    }

    /// A trainer that counts on `threads` threads, each of which takes about `chunkSize` bytes of text at a time.
    package init(
        vocabularySize: Int, pattern: PreTokenizer, specialTokens: [String], memoryLimit: Int, threads: Int,
        chunkSize: Int = 1 << 18
    ) {
        precondition(threads > 0 && chunkSize > 0, "\(threads) threads, chunks of \(chunkSize) bytes")
        self.chunkSize = chunkSize
        self.vocabularySize = vocabularySize
        self.pattern = pattern
        self.specialTokens = specialTokens
        self.memoryLimit = min(memoryLimit, Self.mostMemory)
        self.threads = threads
        matcher = AddedTokenMatcher(specialTokens.map { AddedToken(content: $0, id: 0) })
    }

    /// Counts the pieces of one document; no piece reaches from one document into the next.
    public mutating func add(_ document: [UInt8]) throws {
        try checkSettings()
        statistics.documents += 1
        statistics.bytes += document.count
        guard document.count < Self.batchSize / 4 else {
            countWaiting()
            return count(document, [document.count])
        }
        waiting += document
        waitingEnds.append(waiting.count)
        if waiting.count >= Self.batchSize { countWaiting() }
    }

    /// Learns the merges and makes the tokenizer.
    ///
    /// `progress` hears of entries made and wanted from time to time. The vocabulary stays smaller than asked for where
    /// the text has no more pairs to merge.
    public mutating func finish(progress: ((Int, Int) -> Void)? = nil) throws -> Tokenizer {
        try checkSettings()
        countWaiting()
        var definition = TokenizerDefinition()
        definition.pattern = pattern
        try definition.addSpecialTokens(
            specialTokens.enumerated().map { ($1, TokenID($0)) }, file: "training settings")
        let firstByte = TokenID(specialTokens.count)
        var byteTokens = [TokenID](repeating: 0, count: 256)
        for (index, byte) in ByteAlphabet.order.enumerated() {
            byteTokens[Int(byte)] = firstByte + TokenID(index)
            definition.addToken([byte], at: firstByte + TokenID(index))
        }
        var learner = MergeLearner(counts, byteTokens: byteTokens)
        learner.learn(into: &definition, vocabularySize: vocabularySize, progress: progress)
        return Tokenizer(definition)
    }

    private func checkSettings() throws(TokenizerError) {
        let least = 256 + specialTokens.count
        guard vocabularySize >= least, vocabularySize <= Int(TokenizerDefinition.idLimit) else {
            throw .badSetting(
                name: "vocabularySize",
                reason: "\(vocabularySize) is not from \(least) (256 bytes and the special tokens) to "
                    + "\(TokenizerDefinition.idLimit)")
        }
        guard Set(specialTokens).count == specialTokens.count, !specialTokens.contains("") else {
            throw .badSetting(name: "specialTokens", reason: "each must have text of its own")
        }
        guard memoryLimit >= 1 << 20 else {
            throw .badSetting(name: "memoryLimit", reason: "\(memoryLimit) bytes is less than 1 MiB")
        }
    }

    // MARK: Counting

    private mutating func countWaiting() {
        count(waiting, waitingEnds)
        waiting.removeAll(keepingCapacity: true)
        waitingEnds.removeAll(keepingCapacity: true)
    }

    /// Counts the pieces of the documents that end at `ends`, in batches after each of which the limit is checked.
    private mutating func count(_ text: [UInt8], _ ends: [Int]) {
        ByteView.with(text) { view in
            var batch: [Chunk] = []
            var size = 0
            var start = 0
            for end in ends {
                for chunk in chunks(view, start, end) {
                    batch.append(chunk)
                    size += chunk.end - chunk.start
                    guard size >= Self.batchSize else { continue }
                    count(batch, view)
                    batch.removeAll(keepingCapacity: true)
                    size = 0
                }
                start = end
            }
            count(batch, view)
        }
    }

    /// Pieces that start in `start ..< end` and are scanned in sight of the text up to `limit`.
    private struct Chunk {
        var start: Int
        var end: Int
        var limit: Int
    }

    /// Cuts a document at special tokens, and long stretches where a letter or digit meets a space or line break: no
    /// pattern has a piece that goes over such a place, so chunks can be scanned on their own.
    private func chunks(_ text: ByteView, _ from: Int, _ end: Int) -> [Chunk] {
        let document = text.slice(0, end)
        let scanner = PieceScanner(document, pattern, .shared)
        var chunks: [Chunk] = []
        var start = from
        func cut(_ limit: Int) {
            var begin = start
            while limit - begin > chunkSize {
                var at = begin + chunkSize
                while at < limit && !scanner.isCertainCut(at) { at += 1 }
                chunks.append(Chunk(start: begin, end: at, limit: limit))
                begin = at
            }
            if begin < limit { chunks.append(Chunk(start: begin, end: limit, limit: limit)) }
        }
        while matcher.finds(allowSpecial: true),
            let match = matcher.next(in: document, from: start, allowSpecial: true, classes: .shared)
        {
            cut(match.start)
            start = match.end
        }
        cut(end)
        return chunks
    }

    private mutating func count(_ chunks: [Chunk], _ text: ByteView) {
        let lanes = (0..<min(threads, max(chunks.count, 1))).map { _ in CountingLane() }
        let pattern = pattern
        DispatchQueue.concurrentPerform(iterations: lanes.count) { lane in
            for index in stride(from: lane, to: chunks.count, by: lanes.count) {
                let chunk = chunks[index]
                lanes[lane].count(text.slice(chunk.start, chunk.limit), upTo: chunk.end - chunk.start, pattern)
            }
        }
        for lane in lanes { counts.merge(lane.counts) }
        if counts.cost > memoryLimit {
            let dropped = counts.prune(to: memoryLimit / 2)
            statistics.prunedPieces += dropped.pieces
            statistics.prunedOccurrences += dropped.occurrences
        }
        statistics.distinctPieces = counts.pieceCount
    }
}

/// The counts of one thread.
///
/// `@unchecked Sendable`: only that thread touches them until all threads are done.
private final class CountingLane: @unchecked Sendable {
    var counts = PieceCounts()

    /// Counts the pieces of `text` that start before `end`; a piece ends exactly there.
    func count(_ text: ByteView, upTo end: Int, _ pattern: PreTokenizer) {
        let scanner = PieceScanner(text, pattern, .shared)
        var counts = counts
        self.counts = PieceCounts()
        var start = 0
        while start < end {
            let next = scanner.pieceEnd(start)
            counts.add(text, start, next &- start, 1)
            start = next
        }
        self.counts = counts
    }
}
