// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
public import QalamTokenizers

/// Packs conversations: rows of fixed length that hold whole conversations, the loss on the assistant's turns only.
///
/// Each JSON line is `{"messages": [{"role": …, "content": …}, …]}`. Conversations that don't fit a row are left out
/// and counted.
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
    let encoder = ConversationEncoder(tokenizer: tokenizer, template: template)
    var packer = try DataPacker(folder, tokenizer: tokenizer, options)
    var row = ConversationRow(length: options.rowLength, padding: end)
    var tooLong = 0
    var reader = try JSONLinesReader(paths)
    while let record = try reader.next() {
        let conversation = try encoder.encode(record)
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
    return (try packer.finish(sources: TextCorpus(paths).files), tooLong)
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
        append(
            ConversationEncoder.Encoded(
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

    let tokenizer: Tokenizer
    let template: ChatTemplate

    private struct Message {
        var role: String
        var content: String
    }

    /// The conversation in a line of JSON.
    ///
    /// - Throws: `FormatError` that names file, line and key.
    func encode(_ record: JSONReader) throws -> Encoded {
        let messages = try record.objects("messages").map {
            Message(role: try $0.string("role"), content: try $0.string("content"))
        }
        guard messages.contains(where: { $0.role == "assistant" }) else {
            throw record.error("messages", "none is the assistant's; there is nothing to learn from it")
        }
        do {
            return try encode(messages)
        } catch {
            throw record.error("messages", "the chat template fails on them: \(error)")
        }
    }

    private func encode(_ messages: [Message]) throws -> Encoded {
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
            throw TrainingError.data("it rewrites earlier turns when a later one is added")
        }
        let ids = tokenizer.encode(String(decoding: text.utf8.dropFirst(written.utf8.count), as: UTF8.self))
        encoded.ids += ids
        encoded.counts += Array(repeating: counts, count: ids.count)
        written = text
    }

    private func render(_ messages: ArraySlice<Message>, opensTurn: Bool) throws -> String {
        let list = messages.map { message in
            TemplateValue.object([
                (key: "role", value: .string(message.role)), (key: "content", value: .string(message.content)),
            ])
        }
        return try template.render(["messages": .array(list), "add_generation_prompt": .bool(opensTurn)])
    }
}
