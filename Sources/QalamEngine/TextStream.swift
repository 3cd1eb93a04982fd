// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

/// Turns a stream of tokens into a stream of text: whole characters only, ended by stop strings.
struct TextStream: Sendable {
    private var decoder: StreamDecoder
    private var stops: StopStrings
    private let promptTokens: Int

    init(_ tokenizer: Tokenizer, stop: [String], promptTokens: Int) {
        decoder = StreamDecoder(tokenizer)
        stops = StopStrings(stop)
        self.promptTokens = promptTokens
    }

    /// Forwards `events` as text until they end, a stop string appears or the consumer leaves.
    func run(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>,
        into continuation: AsyncThrowingStream<TextEvent, any Error>.Continuation
    ) async {
        var state = self
        var usage = Usage(promptTokens: promptTokens, completionTokens: 0)
        do {
            for try await event in events {
                switch event {
                case .started(let cachedTokens): usage.cachedTokens = cachedTokens
                case .token(let id, _):
                    usage.completionTokens += 1
                    let text = state.stops.pass(state.decoder.append(id))
                    if !text.isEmpty { continuation.yield(.text(text)) }
                    guard state.stops.hit else { continue }
                    continuation.yield(.finished(.stop, usage))
                    continuation.finish()
                    return
                case .finished(let reason, let total):
                    let text = state.stops.pass(state.decoder.finish()) + (state.stops.hit ? "" : state.stops.rest())
                    if !text.isEmpty { continuation.yield(.text(text)) }
                    continuation.yield(.finished(state.stops.hit ? .stop : reason, total))
                }
            }
            continuation.finish()
        } catch {
            continuation.finish(throwing: error)
        }
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

    /// Takes more text and returns what is certain to precede any stop string.
    package mutating func pass(_ text: String) -> String {
        guard !stops.isEmpty, !hit else { return hit ? "" : text }
        held += Array(text.utf8)
        if let start = stops.compactMap({ firstIndex(of: $0) }).min() {
            hit = true
            held.removeSubrange(start...)
            return rest()
        }
        // What is kept starts as a stop string does, with a whole character, so the cut is between characters.
        let sure = held.dropLast(stops.map { overlap(with: $0) }.max() ?? 0)
        held.removeFirst(sure.count)
        return String(decoding: sure, as: UTF8.self)
    }

    /// What was held back, at the end.
    package mutating func rest() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    private func firstIndex(of stop: [UInt8]) -> Int? {
        guard held.count >= stop.count else { return nil }
        return (0...held.count - stop.count).first { held[$0..<$0 + stop.count].elementsEqual(stop) }
    }

    /// The longest end of the held text that is a beginning of `stop`.
    private func overlap(with stop: [UInt8]) -> Int {
        let most = min(held.count, stop.count - 1)
        return (0...most).last { held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }
}
