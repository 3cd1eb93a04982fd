// SPDX-License-Identifier: Apache-2.0
import CQalamKernels
import Foundation

/// Some sequences in a cache of pages: what was stored before the call, and the call itself.
private struct PagedCase {
    let m: CaseMemory
    let heads: Int, kvHeads: Int, D: Int, row: Int
    var spans: [k_paged_span] = []
    /// The rows before each span's start.
    var history: [k_paged_span] = []
    var pages = 0

    init(_ m: CaseMemory) {
        self.m = m
        kvHeads = m.pick(1...3)
        heads = kvHeads * m.pick(1...(m.once(in: 5) ? 14 : 4))
        D = m.once(in: 3) ? 64 : 2 * m.pick(1...70)
        row = (heads + 2 * kvHeads) * D + m.pick(0...9)
        let table = m.integers(400, 0...0)
        var rows = 0, before = 0
        for _ in 0..<m.pick(1...3) {
            let n = m.once(in: 2) ? m.pick(1...5) : m.pick(1...150)
            let start = m.once(in: 5) ? m.pick(500...1100) : m.once(in: 3) ? 0 : m.pick(1...100)
            let here = UnsafePointer(table + pages)
            spans.append(k_paged_span(pages: here, first_row: rows, rows: n, start: start))
            history.append(k_paged_span(pages: here, first_row: before, rows: start, start: 0))
            (rows, before) = (rows + n, before + start)
            pages += (start + n + 31) / 32
        }
        for i in 0..<pages { table[i] = Int32((i * 7919 + 3) % pages) }  // 7919 is a prime above any count
    }

    func rows(_ spans: [k_paged_span]) -> Int { spans.reduce(0) { $0 + $1.rows } }

    /// Stores the history and the rows, then attends.
    func run(_ t: k_table) {
        let type = [K_CACHE_F32, K_CACHE_F16, K_CACHE_Q8][m.pick(0...2)]
        let stride = k_paged_bytes(type, kvHeads, D) + 64 * m.pick(0...2)
        let cache = UnsafeMutableRawPointer.allocate(byteCount: stride * pages, alignment: 64)
        defer { cache.deallocate() }
        memset(cache, 0xff, stride * pages)  // NaN: what nobody wrote must not be seen
        let fused = m.floats(rows(spans) * row), before = m.floats(rows(history) * row)
        let count = rows(spans) * heads * D, out = m.floats(count)
        let softcap: Float = m.once(in: 3) ? 5 : 0, window = m.once(in: 3) ? m.pick(1...300) : 0
        let sinks = m.once(in: 3) ? m.floats(heads, scale: 4) : nil
        func layer(_ spans: UnsafePointer<k_paged_span>) -> k_paged_layer {
            k_paged_layer(
                type: type, heads: heads, kv_heads: kvHeads, head_dim: D,
                cache: cache.assumingMemoryBound(to: CChar.self), page_stride: stride, spans: spans,
                span_count: self.spans.count, scale: 2 / Float(D).squareRoot(), softcap: softcap, window: window,
                sinks: sinks)
        }
        let keys = heads * D, values = keys + kvHeads * D
        history.withUnsafeBufferPointer { spans in
            guard let start = spans.baseAddress else { return }
            var layer = layer(start)
            t.k_paged_store(&layer, before + keys, before + values, row)
        }
        spans.withUnsafeBufferPointer { spans in
            guard let start = spans.baseAddress else { return }
            var layer = layer(start)
            t.k_paged_store(&layer, fused + keys, fused + values, row)
            t.k_paged_attention(&layer, out, heads * D, fused, row)
        }
        m.leave((out, count))
    }
}

/// Keys and values in pages, some of them from calls before, and attention of several sequences at once.
@Sendable func pagedAttention(_ m: CaseMemory, _ t: k_table) {
    PagedCase(m).run(t)
}
