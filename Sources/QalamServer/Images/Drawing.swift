// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import QalamEngine
import QalamImages
import Synchronization

/// Pictures while they are drawn, for one request.
final class Drawing: Sendable {
    private struct State {
        var finished: [Int: Finished] = [:]
        /// Tokens of the words and of the pictures.
        var tokens = (input: 0, output: 0)
        var isOver = false
    }

    /// A picture, and how to draw it again.
    private struct Finished {
        var picture: Picture
        var seed: UInt64
    }

    private let request: ImageRequest
    private let model: any ImageModel
    private let call: Call
    private let pass: AnswerGate.Pass
    private let reader: EventReader<DrawEvent>
    private let created = Platform.now
    private let state = Mutex(State())

    /// Begins to draw.
    /// - Throws: `APIError.busy`, or what the model throws
    init(_ request: ImageRequest, _ model: any ImageModel, _ call: Call) async throws {
        self.request = request
        self.model = model
        self.call = call
        pass = try call.platform.gate.enter(request.drawing.count)
        reader = EventReader([try await model.draw(request.drawing)], call.platform.pulse, call.asker.interruption)
    }

    // What a client that went away has had drawn is counted too.
    deinit {
        let tokens = state.withLock { $0.tokens }
        call.platform.meter.count(
            Usage(promptTokens: tokens.input, completionTokens: tokens.output), model: model.id, asker: call.asker)
    }

    /// What happens next; nil: all pictures are finished, or one has failed.
    /// - Throws: `CancellationError` if nobody waits for them any more
    func next() async throws -> Happening<DrawEvent>? {
        guard !state.withLock({ $0.isOver }) else { return nil }
        let next = try await reader.next()
        state.withLock { state in
            switch next {
            case .event(_, .finished(let number, let picture, let seed)):
                state.finished[number] = Finished(picture: request.finish(picture), seed: seed)
            case .event(_, .usage(let input, let output)): state.tokens = (input, output)
            case .event(_, .partial), .tick: break
            case .ended, .failed: state.isOver = true
            }
        }
        if case .failed(let error) = next, !(error is APIError), !(error is EngineError) {
            let asker = call.asker
            asker.logger.error("drawing failed", metadata: asker.metadata.merging(["error": "\(error)"]) { $1 })
        }
        return next
    }

    /// The finished pictures, in their order.
    /// - Throws: `UnfinishedAnswer` if there are not as many as were asked for
    private func pictures() throws -> [Finished] {
        let finished = state.withLock { $0.finished }
        let pictures = (0..<request.drawing.count).compactMap { finished[$0] }
        guard pictures.count == request.drawing.count else { throw UnfinishedAnswer() }
        return pictures
    }

    /// What it has cost, as answers say it.
    private var usage: JSONValue {
        let (input, output) = state.withLock { $0.tokens }
        return [
            "input_tokens": .integer(input), "output_tokens": .integer(output),
            "total_tokens": .integer(input + output),
            "input_tokens_details": ["text_tokens": .integer(input), "image_tokens": 0],
            "output_tokens_details": ["text_tokens": 0, "image_tokens": .integer(output)],
        ]
    }
}

// MARK: One body

extension Drawing {
    /// Waits for all pictures.
    func answer() async throws -> JSONValue {
        try await call.asker.interruption.whileServing(grace: call.platform.configuration.grace) {
            while let next = try await self.next() {
                if case .failed(let error) = next { throw error }
            }
        }
        let pictures = try pictures()
        var data: [JSONValue] = []
        for finished in pictures {
            let file = try request.file(of: finished.picture, model: model.id, seed: finished.seed)
            let seed = JSONValue.Member("seed", Self.seed(finished.seed))
            switch request.delivery {
            case .base64: data.append(.object([.init("b64_json", .string(Data(file).base64EncodedString())), seed]))
            case .url:
                let url = try await ImageFiles.keep(file, type: request.contentType, call)
                data.append(.object([.init("url", .string(url)), seed]))
            }
        }
        var members: [JSONValue.Member] = [.init("created", .integer(created)), .init("data", .array(data))]
        if let first = pictures.first { members += request.description(of: first.picture) }
        if let quality = request.quality { members.append(.init("quality", .string(quality))) }
        return .object(members + [.init("usage", usage)])
    }

    /// A seed as it can be sent back: signed.
    private static func seed(_ seed: UInt64) -> JSONValue { .integer(Int(Int64(bitPattern: seed))) }
}

// MARK: Events

extension Drawing {
    /// What to send when `next` happens; the events' names begin with `name`.
    func events(for next: Happening<DrawEvent>, named name: String) -> [ServerSentEvent] {
        do {
            if case .failed(let error) = next { return [.json(APIError(error).json)] }
            return try made(of: next, name).map { .named($0["type"]?.text ?? "", $0) }
        } catch {
            return [.json(APIError(error).json)]
        }
    }

    /// What `next` brings to be seen: partial pictures, or all finished ones, described.
    func made(of next: Happening<DrawEvent>, _ name: String) throws -> [JSONValue] {
        switch next {
        case .tick, .failed: return []
        case .event(_, .partial(let number, let index, let picture)):
            let members: [JSONValue.Member] = [
                .init("partial_image_index", .integer(index)), .init("image_index", .integer(number)),
            ]
            return [try event("\(name).partial_image", request.finish(picture), seed: request.drawing.seed, members)]
        case .event: return []  // What it cost is told with the finished picture, so that waits for it.
        case .ended:
            return try pictures().enumerated().map { number, finished in
                let members: [JSONValue.Member] = [
                    .init("image_index", .integer(number)), .init("seed", Self.seed(finished.seed)),
                    .init("usage", usage),
                ]
                return try event("\(name).completed", finished.picture, seed: finished.seed, members)
            }
        }
    }

    private func event(
        _ type: String, _ picture: Picture, seed: UInt64, _ members: [JSONValue.Member]
    ) throws -> JSONValue {
        let file = try request.file(of: picture, model: model.id, seed: seed)
        let common: [JSONValue.Member] = [
            .init("type", .string(type)), .init("b64_json", .string(Data(file).base64EncodedString())),
            .init("created_at", .integer(Platform.now)), .init("quality", .string(request.quality ?? "auto")),
        ]
        return .object(common + request.description(of: picture) + members)
    }
}
