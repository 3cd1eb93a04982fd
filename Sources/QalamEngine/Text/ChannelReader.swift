// SPDX-License-Identifier: Apache-2.0

/// Reads an answer in channels, as gpt-oss writes it: OpenAI's harmony format.
///
///     <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
///     <|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>
///
/// Each message has a header that names its channel, and for a call the function. What does not begin with a header is
/// text.
struct ChannelReader {
    /// The marks that a header and a body end with.
    private enum Mark: String, CaseIterable {
        case start = "<|start|>"
        case channel = "<|channel|>"
        case message = "<|message|>"
        case end = "<|end|>"
        case call = "<|call|>"
        case `return` = "<|return|>"

        var bytes: [UInt8] { Array(rawValue.utf8) }
    }

    private enum Place { case start, header, reasoning, text, arguments }

    private let names: Set<String>
    private var place = Place.start
    private var held: [UInt8] = []
    private var consumed = 0
    /// How many calls were read.
    private(set) var callCount = 0
    /// Whether the answer is over.
    private(set) var isOver = false

    /// A reader of an answer that may call the tools `names`, whose first header may begin with what the prompt ends
    /// with.
    init(names: Set<String>, opening: String) {
        self.names = names
        guard !opening.isEmpty else { return }
        _ = pass(opening)
        consumed = -held.count
    }

    /// Whether what comes next is reasoning.
    var isReasoning: Bool { place == .reasoning }

    /// Takes more text.
    mutating func pass(_ text: String) -> [AnswerReader.Piece] {
        held += Array(text.utf8)
        var pieces: [AnswerReader.Piece] = []
        while !isOver, step(into: &pieces) {}
        return pieces
    }

    /// What was held back, at the end.
    mutating func finish() -> [AnswerReader.Piece] {
        var pieces: [AnswerReader.Piece] = []
        if !isOver, place != .header { emit(held.count, into: &pieces) }
        return pieces
    }

    /// Goes on from where it is; false if more text is needed.
    private mutating func step(into pieces: inout [AnswerReader.Piece]) -> Bool {
        switch place {
        case .start:
            let headers = [Mark.channel.bytes, Mark.start.bytes, Array(" to=".utf8)]
            if headers.contains(where: { held.starts(with: $0) }) {
                place = .header
                return true
            }
            guard !held.isEmpty, !headers.contains(where: { $0.starts(with: held) }) else { return false }
            place = .text
            return true
        case .header:
            guard let end = held.firstIndex(of: Mark.message.bytes) else { return false }
            let header = String(decoding: take(end), as: UTF8.self)
            _ = take(Mark.message.bytes.count)
            begin(header, into: &pieces)
            return true
        case .reasoning, .text, .arguments: return readBody(into: &pieces)
        }
    }

    /// A message begins: reasoning, a call of a known function, or text.
    private mutating func begin(_ header: String, into pieces: inout [AnswerReader.Piece]) {
        if let name = Self.word(after: "to=functions.", in: header), names.contains(name) {
            callCount += 1
            pieces.append(.callStarted(name))
            place = .arguments
        } else {
            place = Self.word(after: Mark.channel.rawValue, in: header) == "analysis" ? .reasoning : .text
        }
    }

    private mutating func readBody(into pieces: inout [AnswerReader.Piece]) -> Bool {
        let found = Mark.allCases.compactMap { mark in held.firstIndex(of: mark.bytes).map { (at: $0, mark: mark) } }
        guard let next = found.min(by: { $0.at < $1.at }) else {
            let overlap = Mark.allCases.map { held.overlap(with: $0.bytes) }.max() ?? 0
            emit(held.count - overlap, into: &pieces)
            return false
        }
        emit(next.at, into: &pieces)
        // After a call the model waits for what it returns.
        isOver = next.mark == .return || next.mark == .call && callCount > 0
        if next.mark != .channel, next.mark != .start { _ = take(next.mark.bytes.count) }
        place = .header
        return true
    }

    private mutating func emit(_ count: Int, into pieces: inout [AnswerReader.Piece]) {
        guard count > 0 else { return }
        let range = consumed..<consumed + count, text = String(decoding: take(count), as: UTF8.self)
        switch place {
        case .reasoning: pieces.append(.reasoning(text, range))
        case .arguments: pieces.append(.callArguments(text))
        case .start, .text, .header: pieces.append(.text(text, range))
        }
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(held.prefix(count))
        held.removeFirst(count)
        consumed += count
        return taken
    }

    /// What stands behind `mark`, up to white space or another mark.
    private static func word(after mark: String, in header: String) -> String? {
        guard let start = header.firstRange(of: mark)?.upperBound else { return nil }
        return String(header[start...].prefix { !$0.isWhitespace && $0 != "<" })
    }
}
