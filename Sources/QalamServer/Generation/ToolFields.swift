// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// Tools and formats of answers, which several APIs write differently.
enum ToolFields {
    /// A function's name, as OpenAI allows it.
    static let name = Shape.string(1...64)

    /// Metadata: OpenAI's own limits.
    static let metadata = Shape.map(.string(0...512), atMost: 16)

    /// Checks a JSON Schema that a request brings, and gives it as text.
    /// - Throws: `APIError` if it is deeper than the server allows
    static func schema(_ schema: JSONValue?, at path: String, limit: Int) throws(APIError) -> String? {
        guard let schema, schema != .null else { return nil }
        guard schema.depth <= limit else {
            throw RequestField(path: path, value: schema).error("must nest at most \(limit) levels.")
        }
        return schema.encoded
    }

    /// Checks that tools have different names, and that one is there if it must be called.
    static func check(_ options: ChatOptions, path: String = "tools") throws(APIError) {
        var names: Set<String> = []
        for (index, tool) in options.tools.enumerated() where !names.insert(tool.name).inserted {
            throw RequestField(path: "\(path)[\(index)]", value: .null).error("is called \(tool.name), as another is.")
        }
        let choice = RequestField(path: "tool_choice", value: .null)
        switch options.toolChoice {
        case .named(let name) where !names.contains(name):
            throw choice.error("names \(name.prefix(64)), which is none of the tools.")
        case .required where names.isEmpty: throw choice.error("asks for a tool, and there is none.")
        default: break
        }
    }

    /// Reads `response_format`, or `text.format`, whose schema stands one level higher if `isFlat`.
    static func format(
        _ format: JSONValue?, at path: String, flat isFlat: Bool, limit: Int
    ) throws(APIError) -> OutputFormat {
        guard let format, let type = format["type"]?.text else { return .text }
        switch type {
        case "json_object": return .json
        case "json_schema":
            let holder = isFlat ? format : format["json_schema"] ?? .null
            let place = isFlat ? "\(path).schema" : "\(path).json_schema.schema"
            guard let text = try schema(holder["schema"], at: place, limit: limit) else { return .json }
            return .jsonSchema(text)
        case "regex": return .regex(format["regex"]?.text ?? "")
        case "grammar": return .grammar(format["grammar"]?.text ?? "")
        default: return .text
        }
    }

    /// How hard a model thinks: whether at all, and the word for templates that know words.
    static func effort(_ effort: String?, into options: inout ChatOptions) {
        guard let effort else { return }
        options.thinking = effort != "none"
        if effort != "none" { options.templateVariables["reasoning_effort"] = JSONValue.string(effort).encoded }
    }

    /// The words for how hard a model thinks.
    static let efforts = Shape.oneOf(["none", "minimal", "low", "medium", "high", "xhigh"])
}
