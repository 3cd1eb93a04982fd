// SPDX-License-Identifier: Apache-2.0
internal import QalamModels
internal import QalamTensors

/// A small model that proposes tokens for a large one, with pages of its own.
///
/// Speculative decoding (Leviathan et al. 2023) with coupled draws: it draws with the sequence's own random numbers,
/// so that it agrees wherever the two models' distributions do. If it is
/// wrong, only time is lost: the large model draws every token that counts.
struct DraftModel {
    private let decoder: Decoder
    private let memory: KVPages
    private(set) var store: PageStore
    private var step = Step()
    private let stepTokens: Int

    /// One sequence while tokens are proposed for it.
    private struct Attempt {
        let sequence: Int
        let length: Int
        var sampler: Sampler
        var grammar: GrammarMatcher?
    }

    init(_ decoder: Decoder, _ configuration: EngineConfiguration) throws(EngineError) {
        self.decoder = decoder
        (memory, store) = try makePages(decoder.config, configuration)
        stepTokens = configuration.stepTokens
    }

    /// Gives a sequence's pages back.
    mutating func release(_ sequence: inout SequenceState) { sequence.releaseDraft(into: &store) }

    /// Proposes tokens for every sequence that asks for it and is being written, all of them together.
    mutating func propose(for running: inout [SequenceState], _ scratch: inout Sampler.Scratch) {
        var attempts: [Attempt] = []
        for i in running.indices {
            let length = running[i].prepareDraft(decoder.config.contextLength, &store)
            if length > 0 {
                attempts.append(
                    Attempt(
                        sequence: i, length: length, sampler: running[i].sampler, grammar: running[i].grammar))
            }
        }
        while !attempts.isEmpty {
            fill(&attempts, &running)
            guard !step.ids.isEmpty else { break }
            let logits = step.run(decoder, memory).logits
            var row = 0
            var dead: Set<Int> = []
            for part in step.parts {
                let count = part.rows.count
                running[part.sequence].draft.cached += count
                guard part.logits > 0, let logits, let a = attempts.firstIndex(where: { $0.sequence == part.sequence })
                else { continue }
                let allowed = attempts[a].grammar?.mask()
                let context = Sampler.Context(tokens: running[part.sequence].tried, allowed: allowed)
                if allowed?.count == 0 {
                    dead.insert(part.sequence)
                } else {
                    let token = attempts[a].sampler.next(logits.rows(row..<row + 1).buffer, context, &scratch).token
                    running[part.sequence].proposed.append(token)
                    // Nothing comes after the end.
                    if attempts[a].grammar?.accept(token) == false || attempts[a].grammar?.isFinished == true {
                        dead.insert(part.sequence)
                    }
                }
                row += 1
            }
            attempts.removeAll { dead.contains($0.sequence) || running[$0.sequence].proposed.count >= $0.length }
        }
    }

    /// The next rows of every attempt; those that can't go on are over.
    private mutating func fill(_ attempts: inout [Attempt], _ running: inout [SequenceState]) {
        step.clear()
        attempts.removeAll { attempt in
            let i = attempt.sequence
            let all = running[i].tried
            let pending = all.count - running[i].draft.cached
            let count = min(pending, stepTokens - step.ids.count)
            guard count > 0 else { return true }
            let start = running[i].draft.cached
            guard running[i].draft.table.grow(to: start + count, from: &store) else {
                running[i].giveUpDraft(into: &store)
                return true
            }
            let isLast = count == pending
            step.append(
                all[start..<start + count], after: start, running[i].draft.table, part: (i, isLast ? 1 : 0, 0))
            return !isLast  // the rest of its text another time
        }
    }
}

extension SequenceState {
    /// The tokens so far and those proposed.
    var tried: [Int32] { proposed.isEmpty ? tokens : tokens + proposed }

    /// Forgets what the draft model computed of tokens that were wrong; returns how many to propose now.
    mutating func prepareDraft(_ contextLength: Int, _ store: inout PageStore) -> Int {
        guard case .draft = request.speculation, isDecoding, !hasGivenUpDraft else { return 0 }
        if draft.table.pages.isEmpty {
            draft.cached = draft.table.adopt(tokens, adapter: 0, from: &store)
        }
        draft.cached = min(draft.cached, tokens.count - 1)
        draft.table.share(tokens, count: draft.cached, with: &store)
        return min(proposalLength.length, room, contextLength - tokens.count)
    }
}
