// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// Items as they are kept, and the conversation that they make.
enum Items {
    /// A checked item as it is kept: with an id, a status, and parts where it came with a plain text.
    static func kept(_ item: JSONValue) -> JSONValue {
        let type = item["type"]?.text ?? "message"
        let status = item["status"]?.text ?? "completed"
        switch type {
        case "message":
            let role = item["role"]?.text ?? "user"
            let kind = role == "assistant" ? "output_text" : "input_text"
            let parts = item["content"]?.elements ?? [["type": .string(kind), "text": item["content"] ?? ""]]
            var message: JSONValue = [
                "type": "message", "id": .string(id(of: item, "msg_")), "status": .string(status),
                "role": .string(role), "content": .array(parts.map(filled)),
            ]
            if let phase = item["phase"], phase != .null { message = message.setting("phase", phase) }
            return message
        case "function_call":
            return item.setting("id", .string(id(of: item, "fc_"))).setting("status", .string(status))
        case "function_call_output":
            return item.setting("id", .string(id(of: item, "fco_"))).setting("status", .string(status))
        case Compaction.type: return item.setting("id", .string(id(of: item, "cmp_")))
        case "reasoning": return item.setting("id", .string(id(of: item, "rs_")))
        default: return item
        }
    }

    private static func id(of item: JSONValue, _ prefix: String) -> String {
        item["id"]?.text ?? prefix + randomText(length: 32)
    }

    /// A part with all that OpenAI's answers have.
    private static func filled(_ part: JSONValue) -> JSONValue {
        guard part["type"] == "output_text" else { return part }
        return part.setting("annotations", part["annotations"] ?? []).setting("logprobs", part["logprobs"] ?? [])
    }

    /// The conversation that kept items make.
    ///
    /// Calls and reasoning belong to the assistant's turn that they stand beside.
    static func conversation(_ items: [JSONValue]) -> [ChatMessage] {
        var messages: [ChatMessage] = []
        var reasoning: String?
        for item in items {
            switch item["type"]?.text ?? "message" {
            case "message":
                var message = ChatMessage(role: item["role"]?.text ?? "user", content: text(item["content"]))
                if message.role == "assistant" {
                    message.reasoning = reasoning
                    reasoning = nil
                }
                messages.append(message)
            case "function_call":
                let call = ToolCall(
                    id: item["call_id"]?.text ?? "", name: item["name"]?.text ?? "",
                    arguments: item["arguments"]?.text ?? "{}")
                if let last = messages.indices.last, messages[last].role == "assistant", reasoning == nil {
                    messages[last].toolCalls.append(call)
                } else {
                    messages.append(
                        ChatMessage(role: "assistant", content: "", toolCalls: [call], reasoning: reasoning))
                    reasoning = nil
                }
            case "function_call_output":
                messages.append(
                    ChatMessage(role: "tool", content: text(item["output"]), toolCallID: item["call_id"]?.text))
            case "reasoning":
                let parts = item["content"]?.elements.flatMap { $0.isEmpty ? nil : $0 } ?? item["summary"]?.elements
                let thought = (parts ?? []).compactMap { $0["text"]?.text }.joined(separator: "\n")
                reasoning = thought.isEmpty ? nil : thought
            case Compaction.type:
                guard let summary = Compaction.summary(item), !summary.isEmpty else { break }
                let text = "(The conversation so far: \(summary))"
                messages.append(ChatMessage(role: "assistant", content: text, reasoning: reasoning))
                reasoning = nil
            case PictureTool.call:
                // A model that writes sees no pictures, but may know what was drawn.
                let words = item["revised_prompt"]?.text ?? ""
                messages.append(ChatMessage(role: "assistant", content: "(A picture: \(words))", reasoning: reasoning))
                reasoning = nil
            default: break
            }
        }
        return messages
    }

    private static func text(_ content: JSONValue?) -> String {
        if let text = content?.text { return text }
        return (content?.elements ?? []).compactMap { ($0["text"] ?? $0["refusal"])?.text }.joined()
    }
}
