// SPDX-License-Identifier: Apache-2.0
package import QalamModels
internal import QalamTensors

/// The sequences that run, and one step of all of them: a plain struct without concurrency, driven by the engine.
///
/// Each step packs the next tokens of every sequence (a chunk of its prompt, or the token generated last) into one pass
/// through the model, so that the weights are read once for all (Yu et al. 2022, "Orca").
package struct Batch {
    private let decoder: Decoder
    private var sequences: [SequenceState] = []
    private var nextID = 0
    /// Prompt tokens run in one step by one sequence: long prompts don't hold up the others for longer than this.
    private static let prefillChunk = 256

    /// No sequences yet.
    package init(_ decoder: Decoder) { self.decoder = decoder }

    /// Whether nothing runs.
    package var isEmpty: Bool { sequences.isEmpty }

    /// Adds a request; returns the number that its events carry.
    ///
    /// The prompt must be neither empty nor as long as the context.
    package mutating func add(_ request: GenerationRequest) -> Int {
        let length = decoder.config.contextLength
        precondition(
            !request.prompt.isEmpty && request.prompt.count < length, "prompt: \(request.prompt.count) of \(length)")
        nextID += 1
        sequences.append(SequenceState(id: nextID, request, decoder.config))
        return nextID
    }

    /// Drops a sequence and frees its cache.
    package mutating func remove(_ id: Int) { sequences.removeAll { $0.id == id } }

    /// Runs one step of every sequence and returns their events; finished sequences are dropped.
    package mutating func step() -> [(id: Int, events: [GenerationEvent])] {
        guard !sequences.isEmpty else { return [] }
        var context = BatchContext(sequences, chunk: Self.prefillChunk)
        sequences = []  // so that the context is their only owner
        let hidden = decoder.hidden(context.ids, &context)
        sequences = context.sequences
        let wanting = sequences.indices.filter { sequences[$0].wantsLogits(after: context.spans[$0].count) }
        let logits = wanting.isEmpty ? nil : decoder.logits(lastRows(of: hidden, wanting.map { context.spans[$0] }))
        for i in sequences.indices { sequences[i].advance(context.spans[i].count) }
        guard let logits else { return [] }
        var reports: [(id: Int, events: [GenerationEvent])] = []
        for (row, i) in wanting.enumerated() {
            let events = sequences[i].sample(
                UnsafeBufferPointer(logits.rows(row..<row + 1).buffer), contextLength: decoder.config.contextLength)
            reports.append((sequences[i].id, events))
        }
        let finished = reports.filter { if case .finished = $0.events.last { true } else { false } }
        for report in finished { remove(report.id) }
        return reports
    }

    /// The last row of each span, gathered: (spans,C).
    private func lastRows(of hidden: Tensor, _ spans: [Range<Int>]) -> Tensor {
        let C = hidden.shape[1]
        let rows = Tensor(uninitialized: [spans.count, C], on: hidden.device)
        for (i, span) in spans.enumerated() {
            let last = hidden.rows(span.upperBound - 1..<span.upperBound)
            (rows.pointer + i * C).update(from: last.pointer, count: C)
        }
        return rows
    }
}

/// The context of one step: packed rows, each sequence attending to its own cache.
private struct BatchContext: AttentionContext {
    private(set) var sequences: [SequenceState]
    let positions: [Int32]
    let ids: [Int32]
    /// The rows of each sequence.
    let spans: [Range<Int>]

    init(_ sequences: [SequenceState], chunk: Int) {
        var (ids, positions, spans): ([Int32], [Int32], [Range<Int>]) = ([], [], [])
        for sequence in sequences {
            let tokens = sequence.nextTokens(limit: chunk)
            spans.append(ids.count..<ids.count + tokens.count)
            positions += tokens.indices.map { Int32(sequence.cached + $0 - tokens.startIndex) }
            ids += tokens
        }
        self.sequences = sequences
        self.ids = ids
        self.positions = positions
        self.spans = spans
    }

    mutating func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor {
        let shape = attention.shape
        let out = Tensor(uninitialized: [ids.count, shape.heads * shape.headDim], on: qkv.device)
        for (i, span) in spans.enumerated() {
            sequences[i].attend(
                layer: layer, qkv.rows(span), attention, positions: Array(positions[span]), out: out.rows(span))
        }
        return out
    }
}

/// Generates from one prompt in the caller's own task: for samples during training, tests and benchmarks.
package func generate(_ decoder: Decoder, _ request: GenerationRequest) -> [Int32] {
    var batch = Batch(decoder)
    _ = batch.add(request)
    var tokens: [Int32] = []
    while !batch.isEmpty {
        for case .token(let token) in batch.step().flatMap(\.events) { tokens.append(token) }
    }
    return tokens
}
