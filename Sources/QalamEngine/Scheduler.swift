// SPDX-License-Identifier: Apache-2.0
package import QalamModels
internal import QalamTensors

/// Decides what runs in each step and runs it: a plain struct without concurrency, driven by the engine.
///
/// Every step is one pass through the model (Yu et al. 2022, "Orca"): first the token that each sequence drew last, and
/// what is proposed after it; then, up to `stepTokens`, pieces of prompts (Agrawal et al. 2024, "Sarathi"). Keys and
/// values lie in pages (Kwon et al. 2023). A sequence gets all pages of its prompt before it starts and one more
/// whenever it has filled its last; if there is none, the youngest sequence of the lowest priority gives its pages
/// back, waits, and is computed again later, with the same result: a row of any kernel depends on that row's own past
/// only, not on what else is in the step.
package struct Scheduler {
    let configuration: EngineConfiguration
    /// The most tokens of one sequence: the model's context, or all pages.
    package let limit: Int
    let decoder: Decoder
    /// Adapter i answers requests for adapter i + 1.
    let adapters: [Adapter]
    let memory: KVPages
    var store: PageStore
    var draft: DraftModel?
    var running: [SequenceState] = []
    var waiting = FairQueue<SequenceState>()
    var step = Step()
    /// The places of those that are being written, in the order of their rows.
    var decoding: [Int] = []
    var scratch = Sampler.Scratch()
    private var lastID = 0
    private var counters = Counters()

    /// What is counted over the life of a scheduler.
    struct Counters {
        var preemptions = 0
        var proposed = 0
        var accepted = 0
    }

    /// Nothing to do yet, for a model and perhaps a smaller one, of the same vocabulary, that proposes tokens.
    ///
    /// - Throws: `EngineError.badOption` if a page does not fit the memory, or the vocabularies differ
    package init(
        _ decoder: Decoder, draft: Decoder? = nil, adapters: [Adapter] = [], _ configuration: EngineConfiguration
    ) throws(EngineError) {
        if let draft, draft.config.vocabularySize != decoder.config.vocabularySize {
            throw .badOption(name: "The draft model", why: "must have the vocabulary of the model it drafts for.")
        }
        self.decoder = decoder
        self.adapters = adapters
        var configuration = configuration
        configuration.maxSequences = max(configuration.maxSequences, 1)
        configuration.stepTokens = max(configuration.stepTokens, configuration.maxSequences)
        self.configuration = configuration
        (memory, store) = try makePages(decoder.config, configuration)
        limit = min(decoder.config.contextLength, store.pool.count * store.pageSize)
        self.draft = if let draft { try DraftModel(draft, configuration) } else { nil }
    }

    /// Whether nothing runs or waits.
    package var isEmpty: Bool { running.isEmpty && waiting.count == 0 }

    /// What it is doing.
    package var statistics: EngineStatistics {
        EngineStatistics(
            running: running.count, waiting: waiting.count, pages: store.pool.count, usedPages: store.pool.usedCount,
            draftPages: draft?.store.pool.usedCount ?? 0, preemptions: counters.preemptions,
            proposedTokens: counters.proposed, acceptedTokens: counters.accepted)
    }

    /// Adds a request, which `check` has let pass; returns the number that its events carry.
    package mutating func add(_ request: GenerationRequest) -> Int {
        lastID += 1
        add(request, id: lastID)
        return lastID
    }

    /// Adds a request under a number larger than all before it.
    mutating func add(_ request: GenerationRequest, id: Int) {
        precondition(
            !request.prompt.isEmpty && request.prompt.count < limit, "prompt: \(request.prompt.count) of \(limit)")
        lastID = id
        let sequence = SequenceState(id: id, request, limit: limit)
        waiting.append(sequence, priority: request.priority, client: request.client)
    }

    /// Drops a request and frees its pages.
    package mutating func remove(_ id: Int) {
        if let index = running.firstIndex(where: { $0.id == id }) {
            retire(index)
        } else {
            _ = waiting.remove { $0.id == id }
        }
    }

    /// Runs one step and reports what comes of it; finished sequences are dropped.
    package mutating func step(_ emit: (Int, GenerationEvent) -> Void) {
        propose()
        reserve()
        admit(emit)
        fill()
        guard !step.ids.isEmpty else { return }
        let (logits, hidden) = step.run(decoder, memory)
        settle(logits, hidden, emit)
    }

    /// Frees the pages of a running sequence and drops it.
    mutating func retire(_ index: Int) {
        var sequence = running.remove(at: index)
        sequence.release(into: &store)
        draft?.release(&sequence)
    }

    /// Frees the pages of a running sequence; it waits to be computed again.
    mutating func preempt(_ index: Int) {
        var sequence = running.remove(at: index)
        sequence.release(into: &store)
        draft?.release(&sequence)
        counters.preemptions += 1
        waiting.restore(sequence, priority: sequence.request.priority, client: sequence.request.client)
    }

    /// Notes how many proposals were right.
    mutating func count(proposed: Int, accepted: Int) {
        counters.proposed += proposed
        counters.accepted += accepted
    }
}

/// What a scheduler is doing, and what it has done so far.
package struct EngineStatistics: Sendable, Equatable {
    /// Sequences that run.
    package var running = 0
    /// Requests that wait.
    package var waiting = 0
    /// Pages of keys and values there are.
    package var pages = 0
    /// Pages in use, those of the prefix cache alone not counted.
    package var usedPages = 0
    /// Pages of the draft model in use.
    package var draftPages = 0
    /// Times that a sequence had to give its pages back.
    package var preemptions = 0
    /// Tokens proposed by speculation.
    package var proposedTokens = 0
    /// Those of them that were right.
    package var acceptedTokens = 0
}

extension Scheduler {
    /// Checks a request against the model and the memory.
    ///
    /// - Throws: `EngineError` that says what is wrong with it
    package func check(_ request: GenerationRequest) throws(EngineError) {
        try RequestLimits(self).check(request)
    }
}

/// What a request must keep to; a copy of it checks requests while the scheduler is at work.
struct RequestLimits: Sendable {
    private let contextLength: Int
    private let limit: Int
    private let vocabularySize: Int
    private let hasDraft: Bool
    private let adapterCount: Int

    init(_ scheduler: borrowing Scheduler) {
        contextLength = scheduler.decoder.config.contextLength
        limit = scheduler.limit
        vocabularySize = scheduler.decoder.config.vocabularySize
        hasDraft = scheduler.draft != nil
        adapterCount = scheduler.adapters.count
    }

    func check(_ request: GenerationRequest) throws(EngineError) {
        guard !request.prompt.isEmpty else { throw .badOption(name: "prompt", why: "must not be empty.") }
        guard request.prompt.count < contextLength else {
            throw .contextOverflow(prompt: request.prompt.count, limit: contextLength)
        }
        guard request.prompt.count < limit else {
            throw .memoryOverflow(prompt: request.prompt.count, limit: limit)
        }
        if let token = request.prompt.first(where: { $0 < 0 || $0 >= vocabularySize }) {
            throw .badOption(name: "prompt", why: "has token \(token), and the vocabulary ends at \(vocabularySize).")
        }
        guard request.maxTokens >= 1 else { throw .badOption(name: "max_tokens", why: "must be at least 1.") }
        if request.work != .write, request.grammar != nil || request.speculation != .off {
            throw .badOption(name: "prompt", why: "is only read, so nothing can be said of an answer.")
        }
        if let logprobs = request.logprobs, logprobs < 0 {
            throw .badOption(name: "top_logprobs", why: "must be 0 or more.")
        }
        if case .draft = request.speculation, !hasDraft {
            throw .badOption(name: "speculation", why: "asks for a draft model, and none was opened.")
        }
        guard (0...adapterCount).contains(request.adapter) else {
            throw .badOption(name: "adapter", why: "must be from 0 to \(adapterCount).")
        }
        try request.sampling.validate()
    }
}
