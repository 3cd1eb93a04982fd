// SPDX-License-Identifier: Apache-2.0

/// The shapes of the page's conversations.
enum PageChatShapes {
    /// The most messages of one conversation, all branches together.
    static let messageLimit = 10_000

    private static let id = Shape.string(1...64)
    private static let title = Shape.string(1...200)
    private static let labelList = Shape.array(.string(1...64), 0...32)

    /// What a conversation is answered with; what isn't there is as the page has it by default.
    private static let settings = Shape.named(
        "PageChatSettings",
        .object(
            [
                .may("model", .text), .may("other_model", .text), .may("system", .text),
                .may("max_tokens", .integer(1 ... .max)),
            ] + SamplingFields.members))

    private static let message = Shape.named(
        "PageMessage",
        .object([
            .must("id", id), .may("parent", id), .must("role", .oneOf(["user", "assistant"])), .must("content", .text),
            .may("pair", id), .may("reasoning", .text), .may("model", .text), .may("created_at", .count),
            .may("files", .array(.object([.must("name", .string(1...256)), .must("text", .text)]), 0...32)),
            .may("draws", .bool),
            .may(
                "pictures",
                .array(
                    .object([
                        .must("data", .text), .must("type", .oneOf(["image/png", "image/webp", "image/jpeg"])),
                        .must("alt", .string(1...1000)), .may("seed", .integer(.min ... .max)),
                    ]), 0...10)),
            .may(
                "statistics",
                .object([
                    .must("tokens", .count), .must("seconds", .number(0...1e9)), .must("first", .number(0...1e9)),
                ])),
            .may("ended", .oneOf(["stop", "length", "stopped", "error"])),
            .may("error", .object([.may("code", .text), .may("message", .text)])),
            .may("translation", .object([.must("language", .oneOf(["ar", "en"])), .must("text", .text)])),
        ]))

    private static let messages = Shape.array(message, 0...messageLimit)

    static let creation = Shape.object([
        .must("title", title), .may("labels", labelList), .may("settings", settings), .may("head", id),
        .may("messages", messages),
    ])

    static let update = Shape.object([
        .may("title", title), .may("labels", labelList), .may("settings", settings), .may("head", id),
    ])

    static let addition = Shape.object([.must("messages", .array(message, 1...64)), .may("head", id)])

    private static let members: [Shape.Member] = [
        .must("id", id), .must("object", .oneOf(["page.chat"])), .must("title", title), .must("labels", labelList),
        .must("created_at", .count), .must("updated_at", .count), .maybe("head", id), .must("settings", settings),
    ]

    /// A conversation in a list.
    static let chat = Shape.named("PageChat", .object(members))
    /// A conversation with its messages.
    static let whole = Shape.object(members + [.must("messages", messages)])
    /// A list of conversations.
    static let list = Shape.object([
        .must("object", .oneOf(["list"])), .must("data", .list(chat)), .must("has_more", .bool),
    ])
    /// A list of labels.
    static let labels = Shape.object([
        .must("object", .oneOf(["list"])),
        .must("data", .list(.object([.must("label", .text), .must("count", .count)]))),
    ])
}
