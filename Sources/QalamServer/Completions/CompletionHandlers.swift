// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// `/v1/completions`: texts that are continued as they stand.
enum CompletionHandlers {
    static let routes: [Route] = [
        .post(
            "/v1/completions", "Completions", "Continue texts", body: .json(CompletionRequest.shape),
            answer: .stream(CompletionRequest.answer), create)
    ]

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.body()
        let completion = try CompletionRequest(body)
        let model = try call.platform.models.chat(completion.model)
        let response = CompletionResponse(model: model)
        let echoes = try await echoes(completion, model)
        let generation = try await start(completion, model, call.platform, call.asker)
        guard completion.stream else {
            return try await call.watched {
                try await finish(completion, generation, echoes, model, call.platform, call.asker)
            }
        }
        return call.events { writer in
            var silence = Silence()
            var usages = Array(repeating: Usage.none, count: completion.prompts.count * completion.choices)
            var lengths = usages.map { _ in 0 }
            var templates: [Int: EventTemplate] = [:]
            var failed = false
            for index in usages.indices where completion.echo {
                let echo = echoes[index / completion.choices]
                lengths[index] = echo.text.count
                let chunk = response.chunk(
                    index, text: echo.text, tokens: completion.logprobs.map { _ in echo.tokens }, offset: 0)
                try await writer.write(ServerSentEvent.json(chunk).buffer)
            }
            let answers = generation?.begin()
            while let event = try await answers?.next() {
                if silence.isDue(event) { try await writer.write(ServerSentEvent.keepAlive.buffer) }
                switch event {
                case .event(let index, .text(let text, _)) where completion.logprobs == nil:
                    let template =
                        templates[index]
                        ?? EventTemplate { .json(response.chunk(index, text: $0, tokens: nil, offset: 0)) }
                    templates[index] = template
                    try await writer.write(template.buffer(text))
                case .event(let index, .text(let text, let tokens)):
                    let chunk = response.chunk(
                        index, text: text, tokens: completion.logprobs.map { _ in tokens }, offset: lengths[index])
                    lengths[index] += text.count
                    try await writer.write(ServerSentEvent.json(chunk).buffer)
                case .event(let index, .finished(let reason, let usage)):
                    usages[index] = usage
                    let chunk = response.chunk(index, text: "", tokens: nil, offset: 0, finish: reason)
                    try await writer.write(ServerSentEvent.json(chunk).buffer)
                case .failed(let error):
                    failed = true
                    try await writer.write(ServerSentEvent.json(APIError(error).json).buffer)
                case .event, .tick, .ended: break
                }
            }
            guard !failed else { return }
            if completion.includeUsage {
                let usage = generation?.usage(usages) ?? .none
                try await writer.write(ServerSentEvent.json(response.usageChunk(usage)).buffer)
            }
            try await writer.write(ServerSentEvent.done.buffer)
        }
    }

    /// Answers a request with one body; batches come in here.
    static func complete(_ body: JSONValue, _ platform: Platform, _ asker: Asker) async throws -> JSONValue {
        let completion = try CompletionRequest(body)
        let model = try platform.models.chat(completion.model)
        let echoes = try await echoes(completion, model)
        let generation = try await start(completion, model, platform, asker)
        return try await finish(completion, generation, echoes, model, platform, asker)
    }

    private static func finish(
        _ completion: CompletionRequest, _ generation: Generation?, _ echoes: [Echo], _ model: any ChatModel,
        _ platform: Platform, _ asker: Asker
    ) async throws -> JSONValue {
        let empty = Array(repeating: Answer(length: ()), count: completion.prompts.count * completion.candidates)
        let answers = try await generation?.collect() ?? empty
        var usage = generation?.usage(answers.map(\.usage)) ?? .none
        if generation == nil {
            usage.promptTokens = echoes.reduce(0) { $0 + $1.count }
            platform.meter.count(usage, model: model.id, asker: asker)
        }
        var choices: [JSONValue] = []
        for prompt in completion.prompts.indices {
            let start = prompt * completion.candidates
            var best = Array(answers[start..<start + completion.candidates])
            if completion.candidates > completion.choices { best.sort { $0.likelihood > $1.likelihood } }
            for answer in best.prefix(completion.choices) {
                let echo = completion.echo ? echoes[prompt] : Echo()
                choices.append(
                    CompletionResponse.choice(
                        choices.count, text: echo.text + answer.text,
                        tokens: completion.logprobs.map { _ in echo.tokens + answer.tokens }, offset: 0,
                        finish: answer.finish))
            }
        }
        return CompletionResponse(model: model).completion(choices, usage)
    }

    /// A prompt as it is sent back.
    private struct Echo {
        var text = ""
        var tokens: [ScoredToken] = []
        var count = 0
    }

    private static func echoes(_ completion: CompletionRequest, _ model: any ChatModel) async throws -> [Echo] {
        guard completion.echo else { return [] }
        var echoes: [Echo] = []
        for prompt in completion.prompts {
            var echo = Echo()
            if completion.logprobs != nil || completion.options.maxTokens == 0 {
                echo.tokens = try await model.score(prompt, completion.options)
                echo.count = echo.tokens.count
            }
            switch prompt {
            case .text(let text): echo.text = text
            case .tokens(let tokens): echo.text = try await model.detokenize(tokens)
            }
            echoes.append(echo)
        }
        return echoes
    }

    /// Starts the answers; nil: none are asked for.
    private static func start(
        _ completion: CompletionRequest, _ model: any ChatModel, _ platform: Platform, _ asker: Asker
    ) async throws -> Generation? {
        guard completion.options.maxTokens != 0 else { return nil }
        var options = completion.options
        options.client = asker.client
        let (count, candidates) = (completion.prompts.count * completion.candidates, completion.candidates)
        return try await Generation(model, count: count, perPrompt: candidates, platform, asker) { number in
            try await platform.complete(
                model, completion.prompts[number / candidates],
                SamplingFields.options(options, choice: number % candidates))
        }
    }
}

extension Answer {
    /// An answer of no tokens, because none were asked for.
    fileprivate init(length: Void) {
        self.init()
        finish = .length
    }

    /// How likely its tokens are on average.
    fileprivate var likelihood: Float {
        guard !tokens.isEmpty else { return -.infinity }
        return tokens.reduce(0) { $0 + ($1.logprob ?? 0) } / Float(tokens.count)
    }
}
