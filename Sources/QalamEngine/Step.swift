// SPDX-License-Identifier: Apache-2.0
internal import QalamModels
internal import QalamTensors

/// The rows of one pass through a model, packed; its memory is used again in the next step.
struct Step {
    /// The token of each row.
    private(set) var ids: [Int32] = []
    /// The rows of each sequence.
    private(set) var parts: [Part] = []
    private var positions: [Int32] = []
    private var spans: [PagedSpan] = []
    private var pagedSpans = PagedSpans()
    private var adapted: [AdaptedRows] = []
    private var lastAdapter = 0

    /// The rows of one sequence.
    struct Part {
        /// Its place among those that run.
        var sequence: Int
        var rows: Range<Int>
        /// How many of the last rows need logits: none in the middle of a prompt.
        var logits: Int
        /// How many of the last rows are wanted as hidden states.
        var hidden = 0
    }

    mutating func clear() {
        ids.removeAll(keepingCapacity: true)
        parts.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
        spans.removeAll(keepingCapacity: true)
        adapted.removeAll(keepingCapacity: true)
    }

    /// Adds rows for `tokens`, then `proposed`, which come after `start` tokens that have keys and values in `table`.
    mutating func append(
        _ tokens: ArraySlice<Int32>, _ proposed: ArraySlice<Int32> = [], after start: Int, _ table: BlockTable,
        part: (sequence: Int, logits: Int, hidden: Int), adapter: (number: Int, weights: Adapter)? = nil
    ) {
        let first = ids.count
        ids += tokens
        ids += proposed
        for offset in 0..<ids.count - first { positions.append(Int32(start + offset)) }
        spans.append(PagedSpan(rows: first..<ids.count, start: start, pages: table.pages))
        if let adapter { adapt(first..<ids.count, adapter.number, adapter.weights) }
        parts.append(
            Part(sequence: part.sequence, rows: first..<ids.count, logits: part.logits, hidden: part.hidden))
    }

    /// Has an adapter change these rows; neighbours of one adapter are one run.
    private mutating func adapt(_ rows: Range<Int>, _ number: Int, _ adapter: Adapter) {
        var rows = rows
        if lastAdapter == number, let last = adapted.last, last.rows.upperBound == rows.lowerBound {
            rows = last.rows.lowerBound..<rows.upperBound
            adapted.removeLast()
        }
        adapted.append(AdaptedRows(rows: rows, adapter: adapter))
        lastAdapter = number
    }

    /// Runs the rows through a model; returns the logits (rows that need them, V) and the hidden states (rows that are
    /// wanted, C).
    mutating func run(_ decoder: Decoder, _ memory: KVPages) -> (logits: Tensor?, hidden: Tensor?) {
        if !isKnownUniquelyReferenced(&pagedSpans) { pagedSpans = PagedSpans() }
        pagedSpans.fill(spans)
        spans.removeAll(keepingCapacity: true)  // or tables of pages would be copied as they grow
        var context = StepContext(positions: positions, spans: pagedSpans, memory: memory, adapted: adapted)
        let states = decoder.hidden(ids, &context)
        return (wanted(of: states, \.logits).map { decoder.logits($0) }, wanted(of: states, \.hidden))
    }

    /// The last rows of each part, as many as it wants, of all hidden states (N,C).
    private func wanted(of hidden: Tensor, _ wish: KeyPath<Part, Int>) -> Tensor? {
        let count = parts.reduce(0) { $0 + $1[keyPath: wish] }
        guard count > 0 else { return nil }
        guard count < ids.count else { return hidden }
        let C = hidden.shape[1]
        let rows = Tensor(uninitialized: [count, C], on: hidden.device)
        var next = 0
        for part in parts where part[keyPath: wish] > 0 {
            let wanted = part[keyPath: wish]
            let last = hidden.rows(part.rows.upperBound - wanted..<part.rows.upperBound)
            (rows.pointer + next * C).update(from: last.pointer, count: wanted * C)
            next += wanted
        }
        return rows
    }
}

/// What attention needs to know of a step: each sequence attends to its own pages.
struct StepContext: AttentionContext {
    let positions: [Int32]
    let spans: PagedSpans
    let memory: KVPages
    let adapted: [AdaptedRows]

    func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor {
        let shape = attention.shape
        attention.rotate(qkv, positions: positions)
        let out = Tensor(uninitialized: [positions.count, shape.heads * shape.headDim], on: qkv.device)
        memory.attend(
            layer: layer, qkv: qkv, spans: spans, options: attention.options, sinks: attention.sinks, out: out)
        return out
    }
}

/// The memory for a model's keys and values, and the list of who uses it.
func makePages(
    _ config: DecoderConfig, _ configuration: EngineConfiguration
) throws(EngineError) -> (KVPages, PageStore) {
    let precision = configuration.cachePrecision
    let pageBytes = KVPages.bytesPerPage(layers: config.layers, shape: config.attention, precision: precision)
    let count = configuration.pages(
        of: KVPages.pageTokens, pageBytes: pageBytes, contextLength: config.contextLength)
    guard count > 0 else {
        throw .badOption(name: "--kv-memory", why: "must be at least \(pageBytes) bytes for this model.")
    }
    let memory = KVPages(layers: config.layers, shape: config.attention, pages: count, precision: precision)
    return (memory, PageStore(pages: count, pageSize: KVPages.pageTokens, prefixCache: configuration.prefixCache))
}
