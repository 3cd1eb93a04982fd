// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import QalamEngine

/// The tool `image_generation` of a response: a model that draws, called by one that writes, or by the request itself.
///
/// A model that writes sees it as a function with one argument, the words to draw. If the request demands it
/// (`tool_choice`), the words are the last message's own, as they came: a small model would only spoil them.
struct PictureTool: Sendable {
    /// What it is called.
    static let name = "image_generation"
    /// The type of the items that it makes.
    static let call = "image_generation_call"
    /// What is said of a picture beside the picture.
    static let described = ["background", "output_format", "quality", "size"]
    /// What the model that writes sees.
    static let function = Tool(
        name: name, description: "Draws a picture.",
        parameters: JSONValue.object([
            .init("type", "object"), .init("properties", ["prompt": ["type": "string"]]),
            .init("required", ["prompt"]), .init("additionalProperties", false),
        ]).encoded,
        strict: true)

    private let tool: JSONValue
    private let model: any ImageModel
    /// Whether the request itself demands a picture.
    let isDemanded: Bool

    /// The tool, if a request has it.
    /// - Throws: `APIError` if there is more than one, or no model that draws
    init?(_ body: JSONValue, _ models: ModelList) throws(APIError) {
        let tools = body["tools"]?.elements ?? []
        guard let index = tools.firstIndex(where: { $0["type"]?.text == Self.name }) else { return nil }
        tool = tools[index]
        let field = RequestField(path: "tools[\(index)]", value: .null)
        guard body["background"] != true else {
            throw RequestField(path: "background", value: .null).unsupported("can't be had with image_generation.")
        }
        guard models.models.contains(where: { $0 is any ImageModel }) else {
            throw field.unsupported("needs a model that draws, and none is served.")
        }
        model = try models.drawing(tool["model"]?.text)
        isDemanded = body["tool_choice"]?["type"]?.text == Self.name
    }

    /// The words in the arguments of a call.
    static func prompt(_ arguments: String) -> String {
        (try? JSONValue(parsing: Array(arguments.utf8)))?["prompt"]?.text ?? ""
    }

    /// Begins to draw what `writer` waits for.
    func pictures(of writer: ResponseWriter, _ call: Call) -> Pictures { Pictures(self, writer.pictures, call) }

    /// The pictures of one response while they are drawn.
    struct Pictures {
        private let tool: PictureTool
        private let call: Call
        private var waiting: [String]
        private var current: (id: String, prompt: String, drawing: Drawing)?

        fileprivate init(_ tool: PictureTool, _ prompts: [String], _ call: Call) {
            (self.tool, waiting, self.call) = (tool, prompts, call)
        }

        /// What happens next, as `writer` tells it; nil: all is drawn.
        /// - Throws: what the model that draws throws
        mutating func next(_ writer: inout ResponseWriter) async throws -> [ResponseWriter.Event]? {
            guard let (id, prompt, drawing) = current else {
                guard !waiting.isEmpty else { return nil }
                let (id, prompt) = ("ig_" + randomText(length: 32), waiting.removeFirst())
                let request = ImageRequest(tool.tool.setting("prompt", .string(prompt)))
                current = (id, prompt, try await Drawing(request, tool.model, call))
                return writer.startPicture(id)
            }
            guard let next = try await drawing.next() else {
                current = nil
                return []
            }
            if case .failed(let error) = next { throw error }
            return try await offLoop { try drawing.made(of: next, PictureTool.name) }.flatMap { picture in
                picture["partial_image_index"] == nil
                    ? writer.finishPicture(id, prompt, picture) : [writer.partialPicture(id, picture)]
            }
        }
    }
}
