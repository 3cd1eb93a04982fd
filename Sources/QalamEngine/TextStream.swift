// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers
internal import Synchronization

/// Turns a stream of tokens into a stream of text: whole characters only, told apart into reasoning, text and tool
/// calls, ended by stop strings.
///
/// It works when it is asked for the next piece, in the task of whoever asks.
final class TextStream: Sendable {
    private let state: Mutex<State>
    private let owner: (any Sendable)?

    /// The text of `events`; dropping it ends them and lets go of `owner`, which is kept till then.
    static func make(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>, _ reader: TextReader, keeping owner: (any Sendable)?
    ) -> AsyncThrowingStream<TextEvent, any Error> {
        let stream = TextStream(events, reader, owner)
        return AsyncThrowingStream { try await stream.next() }
    }

    private struct State: Sendable {
        var reader: TextReader
        /// Nil: the text is over.
        var events: AsyncThrowingStream<GenerationEvent, any Error>?
        /// Pieces that are ready, the next one last.
        var ready: [TextEvent] = []
    }

    private init(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>, _ reader: TextReader, _ owner: (any Sendable)?
    ) {
        self.owner = owner
        state = Mutex(State(reader: reader, events: events))
    }

    private func next() async throws -> TextEvent? {
        while true {
            let (piece, events) = state.withLock { ($0.ready.popLast(), $0.events) }
            if let piece { return piece }
            guard let events else { return nil }
            var iterator = events.makeAsyncIterator()
            let event = try await iterator.next()
            state.withLock { state in
                guard let event else {
                    state.events = nil
                    return
                }
                let (pieces, isOver) = state.reader.take(event)
                state.ready = pieces.reversed()
                if isOver { state.events = nil }
            }
        }
    }
}

/// What `TextStream` knows between two tokens.
struct TextReader: Sendable {
    /// What an answer is read by.
    struct Reading: Sendable {
        var stop: [String] = []
        var promptTokens = 0
        /// Whether the text goes on behind another.
        var continuesText = false
        /// Whether tokens are reported.
        var isScored = false
        /// Makes the id of tool call number `index`.
        var callID: @Sendable (_ index: Int) -> String = { "call_\($0)" }
    }

    private let reading: Reading
    private var decoder: StreamDecoder
    private var reader: AnswerReader
    private var stops: StopStrings
    /// Tokens whose text is not passed on yet, and where in the answer it is.
    private var waiting: [(token: ScoredToken, range: Range<Int>)] = []
    /// Bytes of text so far.
    private var decoded = 0
    /// Where the text that may be a stop string begins.
    private var heldStart = 0
    private var startedCalls = 0
    private var usage: Usage

    init(_ tokenizer: Tokenizer, _ reader: AnswerReader, _ reading: Reading) {
        self.reading = reading
        self.reader = reader
        decoder = StreamDecoder(tokenizer, skipSpecial: false, continuesText: reading.continuesText)
        stops = StopStrings(reading.stop)
        usage = Usage(promptTokens: reading.promptTokens, completionTokens: 0)
    }

    /// What an event leads to, and whether the answer is over.
    mutating func take(_ event: GenerationEvent) -> ([TextEvent], isOver: Bool) {
        var texts: [TextEvent] = []
        switch event {
        case .started(let cachedTokens): usage.cachedTokens = cachedTokens
        case .token(let id, let logprobs):
            usage.completionTokens += 1
            if reader.isReasoning { usage.reasoningTokens += 1 }
            let text = decoder.append(id)
            note(id, logprobs, length: text.utf8.count)
            for piece in reader.pass(text) { pass(piece, into: &texts) }
            guard stops.hit || reader.isOver else { return (texts, false) }
            texts.append(.finished(reader.callCount > 0 ? .toolCalls : .stop, usage))
            return (texts, true)
        case .finished(let reason, var total):
            for piece in reader.pass(decoder.finish()) + reader.finish() { pass(piece, into: &texts) }
            flush(into: &texts)
            total.reasoningTokens = usage.reasoningTokens
            let called = reader.callCount > 0 && reason == .stop
            texts.append(.finished(called ? .toolCalls : stops.hit ? .stop : reason, total))
            return (texts, true)
        case .promptToken, .numbers: break
        }
        return (texts, false)
    }

    private mutating func note(_ id: TokenID, _ logprobs: TokenLogprobs?, length: Int) {
        defer { decoded += length }
        guard reading.isScored, let logprobs else { return }
        waiting.append((ScoredToken(id, logprobs, decoder.tokenizer), decoded..<decoded + length))
    }

    private mutating func pass(_ piece: AnswerReader.Piece, into texts: inout [TextEvent]) {
        if stops.hit { return }
        switch piece {
        case .text(let text, let range):
            if stops.heldCount == 0 { heldStart = range.lowerBound }
            let sure = stops.pass(text)
            let end = heldStart + sure.utf8.count
            let tokens = tokens(in: heldStart..<end)
            heldStart = end
            if !sure.isEmpty || !tokens.isEmpty { texts.append(.text(sure, tokens: tokens)) }
        case .reasoning(let text, let range):
            texts.append(.reasoning(text, tokens: tokens(in: range)))
        case .callStarted(let name):
            flush(into: &texts)
            texts.append(.toolCallStarted(index: startedCalls, id: reading.callID(startedCalls), name: name))
            startedCalls += 1
        case .callArguments(let text):
            texts.append(.toolCallArguments(index: startedCalls - 1, text))
        }
    }

    /// Passes on what was held back as the possible beginning of a stop string.
    private mutating func flush(into texts: inout [TextEvent]) {
        let rest = stops.rest()
        let tokens = tokens(in: heldStart..<heldStart + rest.utf8.count)
        if !rest.isEmpty { texts.append(.text(rest, tokens: tokens)) }
    }

    /// Takes the waiting tokens whose text ends in `range`; those before it belong to marks and are dropped.
    private mutating func tokens(in range: Range<Int>) -> [ScoredToken] {
        guard !waiting.isEmpty else { return [] }
        let isHit = stops.hit
        let count = waiting.prefix { token in
            isHit ? token.range.lowerBound < range.upperBound : token.range.upperBound <= range.upperBound
        }.count
        let taken = waiting.prefix(count)
        waiting.removeFirst(count)
        return taken.filter { $0.range.isEmpty || $0.range.upperBound > range.lowerBound }.map(\.token)
    }
}

extension ScoredToken {
    /// A token and its alternatives with their texts.
    init(_ id: TokenID, _ logprobs: TokenLogprobs, _ tokenizer: Tokenizer) {
        self.init(id, logprobs.logprob, tokenizer)
        top = logprobs.top.map { ScoredToken($0.token, $0.logprob, tokenizer) }
    }

    /// A token with its text.
    init(_ id: TokenID, _ logprob: Float?, _ tokenizer: Tokenizer) {
        let bytes = tokenizer.bytes(of: id) ?? []
        self.init(token: id, text: String(decoding: bytes, as: UTF8.self), bytes: bytes, logprob: logprob)
    }
}

/// Watches text for stop strings, holding back what may be the start of one.
package struct StopStrings: Sendable {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    /// Whether a stop string has appeared.
    package private(set) var hit = false

    /// Watches for any of these.
    package init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

    /// Bytes that are held back.
    var heldCount: Int { held.count }

    /// Takes more text and returns what is certain to precede any stop string.
    package mutating func pass(_ text: String) -> String {
        guard !stops.isEmpty, !hit else { return hit ? "" : text }
        held += Array(text.utf8)
        if let start = stops.compactMap({ held.firstIndex(of: $0) }).min() {
            hit = true
            held.removeSubrange(start...)
            return rest()
        }
        // What is kept starts as a stop string does, with a whole character, so the cut is between characters.
        let sure = held.dropLast(stops.map { held.overlap(with: $0) }.max() ?? 0)
        held.removeFirst(sure.count)
        return String(decoding: sure, as: UTF8.self)
    }

    /// What was held back, at the end.
    package mutating func rest() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}
