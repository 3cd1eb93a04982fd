// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

// What a step consists of, in four phases; pages change hands in the second and third only.
extension Scheduler {
    /// Tokens of one prompt that are scored in one pass: their logits take 4·V bytes each.
    private static let scoredRows = 32

    /// Phase 1: tokens to try after those drawn last.
    mutating func propose() {
        var budget = configuration.stepTokens - running.count
        for i in running.indices where running[i].isDecoding {
            running[i].lookUp()
            running[i].keepAllowed()
        }
        draft?.propose(for: &running, &scratch)
        for i in running.indices {
            running[i].limitProposal(to: budget)
            budget -= running[i].proposed.count
        }
    }

    /// Phase 2: a place for every token to be run of the sequences that are being written, at others' cost if need be.
    mutating func reserve() {
        var i = 0
        while i < running.count {
            if !running[i].isDecoding || grow(i) {
                i += 1
            } else if let victim = victim(), victim != i {
                preempt(victim)
                if victim < i { i -= 1 }
            } else {
                preempt(i)
            }
        }
    }

    /// Phase 3: as many of those that wait as there are places and pages for.
    mutating func admit(_ emit: (Int, GenerationEvent) -> Void) {
        var later: [SequenceState] = []  // in the order in which they were taken from the queue
        while var next = waiting.first, hasPlace(for: next.request.priority) {
            next.adopt(from: &store)
            if awaitsPrefix(next) {
                // Another sequence is about to compute what this one starts with.
                next.release(into: &store)
                _ = waiting.pop()
                later.append(next)
                continue
            }
            guard makeRoom(for: &next) else {
                next.release(into: &store)
                break
            }
            _ = waiting.pop()
            if running.count == configuration.maxSequences, let victim = victim() { preempt(victim) }
            next.adoptOpening(from: store) { memory.copyPage($0, to: $1) }
            next.begin(emit)
            running.append(next)
        }
        for sequence in later.reversed() {
            waiting.restore(sequence, priority: sequence.request.priority, client: sequence.request.client)
        }
    }

    /// Phase 4: the rows: first one for each sequence that is being written, then pieces of prompts.
    mutating func fill() {
        step.clear()
        orderDecoding()
        for i in decoding { append(running[i], at: i, count: 1) }
        for i in running.indices where !running[i].isDecoding {
            let room = configuration.stepTokens - step.ids.count
            guard room > 0 else { break }
            var count = min(running[i].pending, room)
            if case .score = running[i].request.work { count = min(count, Self.scoredRows) }
            append(running[i], at: i, count: count)
        }
    }

    /// Those that are being written, the sequences of one adapter side by side, so that its rows are one run.
    private mutating func orderDecoding() {
        decoding.removeAll(keepingCapacity: true)
        for i in running.indices where running[i].isDecoding { decoding.append(i) }
        guard !adapters.isEmpty else { return }
        decoding.sort { (running[$0].request.adapter, $0) < (running[$1].request.adapter, $1) }
    }

    private mutating func append(_ sequence: SequenceState, at index: Int, count: Int) {
        let (start, number) = (sequence.cached, sequence.request.adapter)
        let isLast = count == sequence.pending
        let (logits, hidden) =
            switch sequence.request.work {
            case .write: (isLast ? 1 + sequence.proposed.count : 0, 0)
            case .score: (count, 0)
            case .compare: (isLast ? 1 : 0, 0)
            case .pool(.last): (0, isLast ? 1 : 0)
            case .pool(.mean): (0, count)
            }
        step.append(
            sequence.tokens[start..<start + count], sequence.proposed[...], after: start, sequence.table,
            part: (index, logits, hidden),
            adapter: adapters.indices.contains(number - 1) ? (number, adapters[number - 1]) : nil)
    }

    /// Pages for the token to be run and what is proposed; without the proposal if there are too few.
    private mutating func grow(_ i: Int) -> Bool {
        let needed = running[i].tokens.count
        if running[i].table.grow(to: needed + running[i].proposed.count, from: &store) { return true }
        running[i].proposed.removeAll(keepingCapacity: true)
        return running[i].table.grow(to: needed, from: &store)
    }

    /// The sequence that loses its pages first: of the lowest priority, the one that came last.
    private func victim() -> Int? {
        running.indices.max { a, b in
            (-running[a].request.priority, running[a].id) < (-running[b].request.priority, running[b].id)
        }
    }

    /// Whether one more may run, if need be in place of one of a lower priority.
    private func hasPlace(for priority: Int) -> Bool {
        running.count < configuration.maxSequences || victim().map { running[$0].request.priority < priority } ?? false
    }

    /// Takes the pages for all tokens of a sequence, if need be from sequences of lower priorities.
    ///
    /// A page for each of the others stays free, lest the newcomer be sent back by the next page that is filled.
    private mutating func makeRoom(for next: inout SequenceState) -> Bool {
        while true {
            let needed = store.pages(for: next.tokens.count + 1) - next.table.pages.count
            if needed + running.count <= store.pool.freeCount || running.isEmpty {
                return next.table.grow(to: next.tokens.count, from: &store)
            }
            guard let victim = victim(), running[victim].request.priority < next.request.priority else { return false }
            preempt(victim)
        }
    }

    /// Whether a running prompt will soon fill the page that `next` needs first.
    private func awaitsPrefix(_ next: SequenceState) -> Bool {
        let end = next.cached + store.pageSize
        guard store.prefixes != nil, next.tokens.count > end, !next.needsAllStates else { return false }
        return running.contains { other in
            other.request.adapter == next.request.adapter && other.cached < end && other.pending > 1
                && other.tokens.count >= end
                && other.tokens[next.cached..<end].elementsEqual(next.tokens[next.cached..<end])
                && other.tokens[..<next.cached].elementsEqual(next.tokens[..<next.cached])
        }
    }
}
