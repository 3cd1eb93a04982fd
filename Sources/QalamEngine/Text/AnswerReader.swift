// SPDX-License-Identifier: Apache-2.0

/// Tells reasoning, text and tool calls apart in what a model writes, while it writes.
///
/// Nothing is passed on that may turn out to be the beginning of a mark. White space between the parts belongs to none
/// of them.
package struct AnswerReader {
    /// The next of what was read, and which bytes of the answer it is.
    package enum Piece: Equatable {
        case text(String, Range<Int>)
        case reasoning(String, Range<Int>)
        case callStarted(String)
        case callArguments(String)
    }

    private enum Place {
        /// Before anything but white space.
        case start
        case reasoning
        /// Behind reasoning, before anything but white space.
        case answer
        case text
        case call
        /// Behind a call, before anything but white space.
        case afterCall
    }

    /// What reads answers in channels instead.
    private var channels: ChannelReader?
    private let reasoning: AnswerFormat.Marks?
    private let calls: AnswerFormat.Calls?
    private let names: Set<String>
    private let parallel: Bool
    private var place: Place
    private var held: [UInt8] = []
    private var consumed = 0
    /// The call that is being read, and its bytes so far.
    private var reader: CallReader
    private var raw: [UInt8] = []
    private var isInList = false
    /// Whether nothing of the reasoning was passed on yet.
    private var isFresh = true
    private var markedCalls = 0
    private var isSatisfied = false
    /// How many calls were read.
    package var callCount: Int { channels?.callCount ?? markedCalls }
    /// Whether the answer is over because a further call is not wanted.
    package var isOver: Bool { channels?.isOver ?? isSatisfied }

    /// A reader of an answer that may call the tools `names`.
    ///
    /// `opening`: what the prompt ends with (``AnswerFormat/opening(of:)``).
    package init(
        _ format: AnswerFormat, tools names: Set<String> = [], parallel: Bool = true, isThinking: Bool = false,
        opening: String = ""
    ) {
        if format.calls == .channels { channels = ChannelReader(names: names, opening: opening) }
        reasoning = format.reasoning
        calls = names.isEmpty ? nil : format.calls
        self.names = names
        self.parallel = parallel
        place = isThinking ? .reasoning : .start
        reader = CallReader(names: names)
    }

    /// A reader that takes everything for text.
    init() {
        (reasoning, calls, names, parallel, place) = (nil, nil, [], true, .text)
        reader = CallReader(names: [])
    }

    /// Whether what comes next is reasoning.
    var isReasoning: Bool { channels?.isReasoning ?? (place == .reasoning) }

    /// Takes more text.
    package mutating func pass(_ text: String) -> [Piece] {
        if let pieces = channels?.pass(text) { return pieces }
        held += Array(text.utf8)
        var pieces: [Piece] = []
        while !isOver, step(into: &pieces) {}
        return pieces
    }

    /// What was held back, at the end.
    package mutating func finish() -> [Piece] {
        if let pieces = channels?.finish() { return pieces }
        var pieces: [Piece] = []
        if isOver { return [] }
        switch place {
        case .reasoning: emit(held.count, reasoning: true, isLast: true, into: &pieces)
        case .call where !reader.hasStarted:
            _ = giveUp(&pieces)
            emit(held.count, reasoning: false, into: &pieces)
        case .call, .afterCall, .answer: break
        case .start, .text: emit(held.count, reasoning: false, into: &pieces)
        }
        return pieces
    }

    /// Goes on from where it is; false if more text is needed.
    private mutating func step(into pieces: inout [Piece]) -> Bool {
        switch place {
        case .start:
            guard let found = reasoning.map({ starts(with: $0.open) }) ?? .no else { return false }
            guard found == .yes else { return beginText(isFirst: true) }
            skipSpace()
            _ = take(reasoning?.open.utf8.count ?? 0)
            place = .reasoning
            return true
        case .reasoning: return readReasoning(into: &pieces)
        case .answer:
            skipSpace()
            return held.isEmpty ? false : beginText(isFirst: false)
        case .text: return readText(into: &pieces)
        case .call: return readCall(into: &pieces)
        case .afterCall: return afterCall()
        }
    }

    // MARK: Parts

    /// Text begins, or a call that has no mark.
    private mutating func beginText(isFirst: Bool) -> Bool {
        guard let calls, calls == .bare else {
            place = .text
            return true
        }
        guard let first = held.first(where: { !Self.isSpace($0) }) else { return false }
        guard first == UInt8(ascii: "{") else {
            place = .text
            return true
        }
        beginCall(mark: [])
        return true
    }

    private mutating func readReasoning(into pieces: inout [Piece]) -> Bool {
        guard let close = reasoning.map({ Array($0.close.utf8) }) else {
            place = .answer
            return true
        }
        if isFresh { skipSpace() }
        if let start = held.firstIndex(of: close) {
            emit(start, reasoning: true, isLast: true, into: &pieces)
            _ = take(close.count)
            place = .answer
            return true
        }
        let sure = held.dropLast(held.overlap(with: close))
        let end = Self.trimmed(Array(sure)).count
        if end > 0 {
            isFresh = false
            emit(end, reasoning: true, into: &pieces)
        }
        return false
    }

    private mutating func readText(into pieces: inout [Piece]) -> Bool {
        guard let calls else {
            if !held.isEmpty { emit(held.count, reasoning: false, into: &pieces) }
            return false
        }
        let mark = Array(calls.opening.utf8)
        if let start = held.firstIndex(of: mark) {
            emit(start, reasoning: false, isLast: true, into: &pieces)
            beginCall(mark: take(mark.count))
            return true
        }
        // White space in front of a call is not text, so it waits for what follows.
        let sure = held.dropLast(held.overlap(with: mark))
        let end = Self.trimmed(Array(sure)).count
        if end > 0 { emit(end, reasoning: false, into: &pieces) }
        return false
    }

    private mutating func beginCall(mark: [UInt8]) {
        place = .call
        raw = mark
        isInList = false
        reader = CallReader(names: names)
    }

    private mutating func readCall(into pieces: inout [Piece]) -> Bool {
        if calls == .named, !reader.hasStarted, !nameIsRead(into: &pieces) { return false }
        var events: [CallReader.Event] = []
        defer { for event in events { note(event, into: &pieces) } }
        while let byte = held.first {
            if calls == .listed, !isInList {
                raw += take(1)
                if byte == UInt8(ascii: "[") { isInList = true } else if !Self.isSpace(byte) { return giveUp(&pieces) }
                continue
            }
            raw += take(1)
            reader.take(byte, into: &events)
            switch reader.outcome {
            case .open: continue
            case .failed where reader.hasStarted: fallthrough
            case .ended:
                place = .afterCall
                return true
            case .failed: return giveUp(&pieces)
            }
        }
        return false
    }

    /// Reads `name[ARGS]`, perhaps with a `[CALL_ID]` between, as if it were JSON.
    private mutating func nameIsRead(into pieces: inout [Piece]) -> Bool {
        guard raw.count < 512 else { return true }
        guard let end = held.firstIndex(of: Array("[ARGS]".utf8)) else { return false }
        let before = take(end)
        raw += before + take(6)
        let name = String(decoding: before, as: UTF8.self).split(separator: "[").first.map(String.init) ?? ""
        var events: [CallReader.Event] = []
        let head = Array("{\"name\":\(JSONText.quoted(name.trimmed)),\"arguments\":".utf8)
        for byte in head { reader.take(byte, into: &events) }
        reader.endsWithArguments = true
        for event in events { note(event, into: &pieces) }
        return true
    }

    private mutating func note(_ event: CallReader.Event, into pieces: inout [Piece]) {
        switch event {
        case .started(let name):
            markedCalls += 1
            pieces.append(.callStarted(name))
        case .arguments(let bytes):
            // Characters stay whole: text comes in whole characters, and a piece of it is passed at once.
            let text = String(decoding: bytes, as: UTF8.self)
            if case .callArguments(let before)? = pieces.last {
                pieces[pieces.count - 1] = .callArguments(before + text)
            } else {
                pieces.append(.callArguments(text))
            }
        }
    }

    /// It was no call: what was read is text.
    private mutating func giveUp(_ pieces: inout [Piece]) -> Bool {
        pieces.append(.text(String(decoding: raw, as: UTF8.self), consumed - raw.count..<consumed))
        raw = []
        place = .text
        return true
    }

    private mutating func afterCall() -> Bool {
        guard let calls else { return false }
        skipSpace()
        guard let first = held.first else { return false }
        if calls == .listed, first == UInt8(ascii: ",") || first == UInt8(ascii: "]") {
            _ = take(1)
            guard first == UInt8(ascii: ",") else { return true }
            return nextCall(mark: [], isInList: true)
        }
        if calls == .tagged {
            switch starts(with: "</tool_call>") {
            case nil: return false
            case .yes:
                _ = take(12)
                if !parallel { isSatisfied = true }
                return true
            case .no: break
            }
        }
        switch starts(with: calls.opening) {
        case nil: return false
        case .yes: return nextCall(mark: take(calls.opening.utf8.count), isInList: false)
        case .no:
            place = .text
            return true
        }
    }

    private mutating func nextCall(mark: [UInt8], isInList: Bool) -> Bool {
        guard parallel else {
            isSatisfied = true
            return false
        }
        beginCall(mark: mark)
        self.isInList = isInList
        return true
    }

    // MARK: Bytes

    private enum Found { case yes, no }

    /// Whether what is held starts with `mark`, after white space; nil if that can't be said yet.
    private func starts(with mark: String) -> Found? {
        let rest = held.drop { Self.isSpace($0) }
        let mark = Array(mark.utf8)
        if rest.starts(with: mark) { return .yes }
        return mark.starts(with: rest) ? nil : .no
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(held.prefix(count))
        held.removeFirst(count)
        consumed += count
        return taken
    }

    private mutating func skipSpace() { _ = take(held.prefix { Self.isSpace($0) }.count) }

    /// Takes bytes and passes them on; `isLast`: without white space at their end.
    private mutating func emit(
        _ count: Int, reasoning: Bool, isLast: Bool = false, into pieces: inout [Piece]
    ) {
        let start = consumed
        let bytes = take(count)
        let kept = isLast ? Self.trimmed(bytes) : bytes[...]
        guard !kept.isEmpty else { return }
        let text = String(decoding: kept, as: UTF8.self)
        let range = start..<start + kept.count
        pieces.append(reasoning ? .reasoning(text, range) : .text(text, range))
    }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var end = bytes.count
        while end > 0, isSpace(bytes[end - 1]) { end -= 1 }
        return bytes[..<end]
    }

    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension [UInt8] {
    /// Where `pattern`, which is not empty, begins first.
    func firstIndex(of pattern: [UInt8]) -> Int? {
        guard count >= pattern.count else { return nil }
        return (0...count - pattern.count).first { self[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }

    /// The longest end of these bytes that is a beginning of `pattern`, but not all of it.
    func overlap(with pattern: [UInt8]) -> Int {
        let most = Swift.min(count, pattern.count - 1)
        return (0...Swift.max(most, 0)).last { suffix($0).elementsEqual(pattern.prefix($0)) } ?? 0
    }
}
