// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

/// One request from its arrival to its end: its tokens, its pages and its sampler.
///
/// It runs whatever of its tokens has no keys and values yet: the whole prompt at first, then the token drawn last, and
/// everything again after its pages were taken away.
struct SequenceState {
    let id: Int
    let request: GenerationRequest
    /// The prompt and the answer so far.
    private(set) var tokens: [Int32]
    /// Tokens tried after them in this step.
    var proposed: [Int32] = []
    var table = BlockTable()
    /// Where its keys and values of the draft model are, and how many tokens they are of.
    var draft: (table: BlockTable, cached: Int) = (BlockTable(), 0)
    /// Whether the draft model had no room for it.
    private(set) var hasGivenUpDraft = false
    /// Tokens whose keys and values are in its pages.
    private(set) var cached = 0
    /// Tokens of the prompt that an earlier request had computed.
    private(set) var reused: Int?
    private(set) var generated = 0
    private(set) var sampler: Sampler
    private(set) var proposalLength: ProposalLength
    private var lookup = PromptLookup()
    /// What the rest of its answer must be like.
    private(set) var grammar: GrammarMatcher?
    /// Tokens of the prompt that were scored or pooled.
    private var covered = 0
    private var sum: [Double] = []
    /// The most tokens that prompt and answer may have.
    private let limit: Int

    init(id: Int, _ request: GenerationRequest, limit: Int) {
        self.id = id
        self.request = request
        self.limit = limit
        tokens = request.prompt
        sampler = Sampler(request.sampling, prompt: request.prompt)
        proposalLength = ProposalLength(most: request.speculation.length)
        grammar = request.grammar
    }

    /// Tokens still to be run.
    var pending: Int { tokens.count - cached }

    /// Whether only the token drawn last is to be run.
    var isDecoding: Bool { pending == 1 && generated > 0 }

    /// How many tokens may be proposed without going past what it may write.
    var room: Int { min(request.maxTokens - generated, limit - tokens.count) - 1 }

    /// Takes over what the prefix cache has of its tokens, unless it needs the states of all of them.
    mutating func adopt(from store: inout PageStore) {
        if needsAllStates { return }
        cached = table.adopt(tokens, adapter: request.adapter, from: &store)
    }

    /// Copies what a known page has of the tokens after those taken over; its own pages are there.
    mutating func adoptOpening(from store: PageStore, copy: (_ from: Int32, _ to: Int32) -> Void) {
        guard let opening = table.opening(of: tokens, in: store) else { return }
        copy(opening.from, opening.to)
        cached += opening.count
    }

    /// Notes that it begins to run; what was reused the first time counts.
    mutating func begin(_ emit: (Int, GenerationEvent) -> Void) {
        guard reused == nil else { return }
        tokens.reserveCapacity(min(limit, request.prompt.count + min(request.maxTokens, 512)))
        reused = min(cached, request.prompt.count)
        emit(id, .started(cachedTokens: cached))
    }

    /// Notes that `count` more tokens have keys and values.
    mutating func advance(_ count: Int, _ store: inout PageStore) {
        cached += count
        table.share(tokens, count: cached, with: &store)
    }

    /// Gives its pages back.
    mutating func release(into store: inout PageStore) {
        table.release(tokens, count: cached, into: &store)
        cached = 0
        proposed.removeAll(keepingCapacity: true)
    }

    /// Gives its pages of the draft model back and asks for no more.
    mutating func giveUpDraft(into store: inout PageStore) {
        releaseDraft(into: &store)
        hasGivenUpDraft = true
    }

    /// Cuts what is proposed to `count` tokens.
    mutating func limitProposal(to count: Int) {
        if proposed.count > count { proposed.removeLast(proposed.count - max(count, 0)) }
    }

    /// Gives its pages of the draft model back.
    mutating func releaseDraft(into store: inout PageStore) {
        draft.table.release(tokens, count: 0, into: &store)  // its last page may hold what was wrong
        draft.cached = 0
    }

    /// Proposes tokens from its own text.
    mutating func lookUp() {
        guard case .promptLookup = request.speculation else { return }
        let length = min(proposalLength.length, room)
        lookup.propose(max(length, 0), after: tokens, into: &proposed)
    }

    /// Cuts what is proposed to what its grammar allows.
    mutating func keepAllowed() {
        guard var matcher = grammar, !proposed.isEmpty else { return }
        limitProposal(to: proposed.prefix { matcher.accept($0) }.count)
    }

    /// Learns how many of the tokens proposed were right; forgets them.
    mutating func settle(accepted: Int) {
        proposalLength.note(accepted: accepted, of: proposed.count)
        proposed.removeAll(keepingCapacity: true)
    }

    /// Draws a token from logits (V), reports it, and returns it, or nil at the end.
    mutating func sample(
        _ logits: UnsafeMutableBufferPointer<Float>, _ scratch: inout Sampler.Scratch,
        _ emit: (Int, GenerationEvent) -> Void
    ) -> Int32? {
        let allowed = grammar?.mask()
        if let allowed, allowed.count == 0 {
            // Nested deeper than the grammar is followed: there is no way on.
            emit(id, .finished(.length, usage))
            return nil
        }
        let (token, logprobs) = sampler.next(
            logits, Sampler.Context(tokens: tokens, allowed: allowed, logprobs: request.logprobs), &scratch)
        generated += 1
        _ = grammar?.accept(token)
        if request.stopTokens.contains(token) || grammar?.isFinished == true {
            emit(id, .finished(.stop, usage))
            return nil
        }
        tokens.append(token)
        emit(id, .token(token, logprobs))
        guard generated >= request.maxTokens || tokens.count >= limit else { return token }
        emit(id, .finished(.length, usage))
        return nil
    }

    /// What it is that is still done with a prompt of which `count` more tokens have states: reports what it can from
    /// their logits (rows, V) or hidden states (rows, C), the last rows of them; returns whether that was all.
    mutating func settlePrompt(
        _ count: Int, logits: Tensor?, hidden: Tensor?, _ emit: (Int, GenerationEvent) -> Void
    ) -> Bool {
        let isLast = pending == count
        switch request.work {
        case .write: return false
        case .score(let top):
            guard let logits else { return false }
            for row in 0..<logits.shape[0] where cached + row + 1 < tokens.count && cached + row >= covered {
                covered = cached + row + 1
                let scored = Distribution.score(logits.rows(row..<row + 1), tokens[cached + row + 1], top: top)
                emit(id, .promptToken(scored))
            }
        case .compare(let candidates):
            guard isLast, let logits else { return false }
            emit(id, .numbers(candidates.map { logits.buffer[Int($0)] }))
        case .pool(.last):
            guard isLast, let hidden else { return false }
            emit(id, .numbers(hidden.values))
        case .pool(.mean):
            guard let hidden else { return false }
            if cached == 0 { sum = Array(repeating: 0, count: hidden.shape[1]) }
            for (index, value) in hidden.buffer.enumerated() { sum[index % sum.count] += Double(value) }
            guard isLast else { return false }
            emit(id, .numbers(sum.map { Float($0 / Double(tokens.count)) }))
        }
        if isLast { emit(id, .finished(.stop, usage)) }
        return isLast
    }

    /// Whether what is done with the prompt needs the states of all its tokens.
    var needsAllStates: Bool {
        switch request.work {
        case .score, .pool(.mean): true
        case .write, .compare, .pool(.last): false
        }
    }

    private var usage: Usage {
        Usage(promptTokens: request.prompt.count, completionTokens: generated, cachedTokens: reused ?? 0)
    }
}
