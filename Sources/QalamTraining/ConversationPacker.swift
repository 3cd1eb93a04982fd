// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
public import QalamTokenizers

/// Packs conversations: rows of fixed length that hold whole conversations, the loss on the assistant's turns only.
///
/// Each JSON line is `{"messages": [{"role": …, "content": …}, …]}`. Conversations that don't fit a row are left out and
/// counted.
/// - Returns: the manifest, and how many conversations were too long.
/// - Throws: `FormatError` that names the line for anything that is no conversation.
public func packConversations(
    _ paths: [URL], tokenizer: Tokenizer, template: ChatTemplate, to folder: URL, _ options: PackOptions,
    progress: (PackProgress) -> Void = { _ in }
) throws -> (manifest: PackedManifest, tooLong: Int) {
    guard let end = tokenizer.specialTokens[options.endOfText] else {
        throw TrainingError.data("The tokenizer has no token \(options.endOfText); name its own with --end-of-text.")
    }
    precondition(options.rowLength > 1, "rowLength: \(options.rowLength)")
    var corpusOptions = TextCorpus.Options()
    corpusOptions.field = nil
    let corpus = try TextCorpus(paths, options: corpusOptions)
    let encoder = ConversationEncoder(tokenizer: tokenizer, template: template)
    var packer = try DataPacker(folder, tokenizer: tokenizer, options)
    var row = ConversationRow(length: options.rowLength, padding: end)
    var (line, tooLong) = (0, 0)
    var reader = corpus.makeReader()
    while let piece = try reader.next() {
        line += 1
        let conversation: ConversationEncoder.Encoded
        do {
            conversation = try encoder.encode(piece.bytes)
        } catch {
            throw FormatError.badLine(path: piece.path, line: line, why: String(describing: error))
        }
        guard conversation.ids.count <= options.rowLength else {
            tooLong += 1
            continue
        }
        if !row.fits(conversation.ids.count) {
            try packer.append(row.take())
            progress(packer.progress)
        }
        row.append(conversation)
    }
    if !row.isEmpty { try packer.append(row.take()) }
    return (try packer.finish(sources: corpus.files), tooLong)
}

/// A row being filled with whole conversations.
private struct ConversationRow {
    let length: Int
    let padding: Int32
    private var content = ConversationEncoder.Encoded()

    init(length: Int, padding: Int32) {
        self.length = length
        self.padding = padding
    }

    var isEmpty: Bool { content.ids.isEmpty }

    func fits(_ count: Int) -> Bool { content.ids.count + count <= length }

    mutating func append(_ conversation: ConversationEncoder.Encoded) {
        content.ids += conversation.ids
        content.counts += conversation.counts
    }

    /// The row, padded; the next one starts empty.
    mutating func take() -> ConversationEncoder.Encoded {
        let missing = length - content.ids.count
        append(ConversationEncoder.Encoded(
            ids: Array(repeating: padding, count: missing), counts: Array(repeating: false, count: missing)))
        defer { content = ConversationEncoder.Encoded() }
        return content
    }
}

extension DataPacker {
    /// Appends one row, which counts as a document: it is trained on or held out as a whole.
    fileprivate mutating func append(_ row: ConversationEncoder.Encoded) throws {
        try append(row.ids, counts: row.counts)
        endDocument()
    }
}

/// Turns one conversation into ids and says which of them the assistant must learn to write.
struct ConversationEncoder {
    /// Ids, and for each whether the loss counts.
    struct Encoded: Equatable {
        var ids: [Int32] = []
        var counts: [Bool] = []
    }

    /// What makes a line no conversation.
    enum Fault: Error, CustomStringConvertible {
        case shape(String)
        case template(String)

        var description: String {
            switch self {
            case .shape(let why): why
            case .template(let why): "the chat template fails on it: \(why)"
            }
        }
    }

    let tokenizer: Tokenizer
    let template: ChatTemplate

    private struct Line: Decodable {
        struct Message: Decodable {
            var role: String
            var content: String
        }
        var messages: [Message]
    }

    /// The conversation in a line of JSON.
    func encode(_ line: [UInt8]) throws -> Encoded {
        let messages: [Line.Message]
        do {
            messages = try JSONDecoder().decode(Line.self, from: Data(line)).messages
        } catch {
            throw Fault.shape("expected {\"messages\": [{\"role\": …, \"content\": …}]}")
        }
        guard messages.contains(where: { $0.role == "assistant" }) else { throw Fault.shape("no message is the assistant's") }
        var encoded = Encoded()
        var written = ""
        for (index, message) in messages.enumerated() {
            // What the template puts before the assistant's words is given; what it puts after them must be learned.
            if message.role == "assistant" {
                try append(render(messages[..<index], opensTurn: true), counts: false, &written, &encoded)
            }
            try append(
                render(messages[...index], opensTurn: false), counts: message.role == "assistant", &written, &encoded)
        }
        return encoded
    }

    /// Appends what `text` has beyond `written`.
    private func append(_ text: String, counts: Bool, _ written: inout String, _ encoded: inout Encoded) throws {
        guard text.utf8.starts(with: written.utf8) else {
            throw Fault.template("it rewrites earlier turns when a later one is added")
        }
        let ids = tokenizer.encode(String(decoding: text.utf8.dropFirst(written.utf8.count), as: UTF8.self))
        encoded.ids += ids
        encoded.counts += Array(repeating: counts, count: ids.count)
        written = text
    }

    private func render(_ messages: ArraySlice<Line.Message>, opensTurn: Bool) throws -> String {
        let list = messages.map { message in
            TemplateValue.object([
                (key: "role", value: .string(message.role)), (key: "content", value: .string(message.content)),
            ])
        }
        do {
            return try template.render(["messages": .array(list), "add_generation_prompt": .bool(opensTurn)])
        } catch {
            throw Fault.template(String(describing: error))
        }
    }
}
