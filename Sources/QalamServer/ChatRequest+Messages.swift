// SPDX-License-Identifier: Apache-2.0

import QalamEngine

extension ChatRequest {
    /// `messages`: at least one.
    static func messages(_ field: RequestField) throws(APIError) -> [ChatMessage] {
        let fields = try field.elements()
        guard !fields.isEmpty else {
            throw field.error("must hold at least one message.", code: "empty_array")
        }
        var messages: [ChatMessage] = []
        for field in fields { messages.append(try message(field)) }
        return messages
    }

    /// One turn.
    private static func message(_ field: RequestField) throws(APIError) -> ChatMessage {
        var role: String?
        var content: String?
        for (name, field) in try field.members() {
            switch name {
            case "role": role = try self.role(field)
            case "content": content = try text(field)
            case "tool_calls", "annotations":
                // Empty in the messages that this server itself sent, which clients send back.
                guard try field.elements().isEmpty else { throw field.unsupported("only an empty array is supported.") }
            case "name": throw field.unsupported("names of participants are not supported: put them into the content.")
            case "audio", "function_call", "refusal", "tool_call_id":
                throw field.unsupported("is not supported: leave it out.")
            default: throw field.unrecognized
            }
        }
        guard let role else { throw missing(field, "role", "expected one of \(roles)") }
        guard let content else {
            throw missing(field, "content", "expected a string or an array of parts")
        }
        return ChatMessage(role: role, content: content)
    }

    private static let roles = "\"system\", \"developer\", \"user\" and \"assistant\""

    private static func missing(_ field: RequestField, _ name: String, _ expected: String) -> APIError {
        APIError(
            "\(field.path).\(name): \(expected), but there is none.", param: "\(field.path).\(name)",
            code: "missing_required_parameter")
    }

    /// The role; "developer" is OpenAI's newer name of "system".
    private static func role(_ field: RequestField) throws(APIError) -> String {
        switch try field.string() {
        case "system", "developer": return "system"
        case "user": return "user"
        case "assistant": return "assistant"
        case "tool", "function": throw field.unsupported("messages of tools are not supported.")
        case let other: throw field.error("must be one of \(roles), but is \"\(other)\".")
        }
    }

    /// The text of a message: a string, or parts whose texts are joined.
    private static func text(_ field: RequestField) throws(APIError) -> String {
        switch field.value {
        case .string(let text): return text
        case .array(let parts) where parts.isEmpty:
            throw field.error(
                "must hold at least one part.",
                code: "empty_array")
        case .array:
            var text = ""
            for part in try field.elements() { text += try self.part(part) }
            return text
        default: throw field.expected("a string or an array of parts")
        }
    }

    /// The text of one part.
    private static func part(_ field: RequestField) throws(APIError) -> String {
        guard case .object = field.value else { throw field.expected("an object") }
        guard let type = field.value["type"] else { throw missing(field, "type", "expected \"text\"") }
        let typeField = RequestField(path: "\(field.path).type", value: type)
        let name = try typeField.string()
        guard name == "text" else {
            throw typeField.unsupported("must be \"text\", but is \"\(name)\": this server takes nothing but text.")
        }
        var text: String?
        for (name, field) in try field.members() where name != "type" {
            guard name == "text" else { throw field.unrecognized }
            text = try field.string()
        }
        guard let text else { throw missing(field, "text", "expected a string") }
        return text
    }
}
