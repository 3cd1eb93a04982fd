// SPDX-License-Identifier: Apache-2.0
internal import QalamModels
internal import QalamTensors

/// What a caller asks of the engine: token ids in, token ids out.
package struct GenerationRequest: Sendable {
    /// The prompt; not empty, shorter than the context.
    package var prompt: [Int32]
    /// How tokens are drawn.
    package var sampling: SamplingOptions
    /// The most tokens to generate.
    package var maxTokens: Int
    /// Tokens that end the generation.
    package var stopTokens: Set<Int32>

    /// A request.
    package init(prompt: [Int32], sampling: SamplingOptions, maxTokens: Int, stopTokens: Set<Int32>) {
        self.prompt = prompt
        self.sampling = sampling
        self.maxTokens = maxTokens
        self.stopTokens = stopTokens
    }
}

/// What the engine reports of one request.
package enum GenerationEvent: Sendable, Equatable {
    /// The next token; a stop token is not reported.
    case token(Int32)
    /// The end, with the number of tokens generated, a stop token included.
    case finished(FinishReason, generated: Int)
}

/// One request while it runs: its tokens, its cache and its sampler.
struct SequenceState {
    let id: Int
    let request: GenerationRequest
    private(set) var caches: [LayerCache]
    private var sampler: Sampler
    /// Tokens whose keys and values are in the cache.
    private(set) var cached = 0
    private(set) var generated = 0
    private var last: Int32?

    init(id: Int, _ request: GenerationRequest, _ config: DecoderConfig) {
        self.id = id
        self.request = request
        let capacity = min(config.contextLength, request.prompt.count + min(request.maxTokens, 128))
        caches = (0..<config.layers).map { _ in LayerCache(config.attention, capacity: capacity) }
        sampler = Sampler(request.sampling, prompt: request.prompt)
    }

    /// The ids to run next: what remains of the prompt, at most `limit`, or the token generated last.
    func nextTokens(limit: Int) -> ArraySlice<Int32> {
        if cached < request.prompt.count { return request.prompt[cached...].prefix(limit) }
        return last.map { [$0] } ?? []
    }

    /// Whether running `count` more tokens completes the prompt, so that logits are wanted.
    func wantsLogits(after count: Int) -> Bool { cached + count >= request.prompt.count }

    /// Notes that `count` tokens have been run.
    mutating func advance(_ count: Int) { cached += count }

    /// Attends one layer's new rows to this sequence's past.
    mutating func attend(
        layer: Int, _ qkv: Tensor, _ attention: AttentionLayer, positions: [Int32], out: Tensor
    ) {
        caches[layer].attend(qkv, attention, positions: positions, out: out)
    }

    /// Draws a token; returns what to report, `finished` last.
    mutating func sample(_ logits: UnsafeBufferPointer<Float>, contextLength: Int) -> [GenerationEvent] {
        let token = sampler.next(logits)
        generated += 1
        if request.stopTokens.contains(token) { return [.finished(.stop, generated: generated)] }
        last = token
        let isFull = generated >= request.maxTokens || request.prompt.count + generated >= contextLength
        return isFull ? [.token(token), .finished(.length, generated: generated)] : [.token(token)]
    }
}
