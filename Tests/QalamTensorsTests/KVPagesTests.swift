// SPDX-License-Identifier: Apache-2.0
import QalamTensors
import Testing

/// Attention over pages against attention over plain rows, and its independence of what else is computed.
@Suite struct KVPagesTests {
    private let shape = AttentionShape(heads: 4, kvHeads: 2, headDim: 24)

    private func rows(_ count: Int, seed: UInt64) -> Tensor {
        var random = CounterRandom(seed: seed)
        let n = count * shape.fusedWidth
        return Tensor((0..<n).map { _ in Float(random.uniform() * 2 - 1) }, [count, shape.fusedWidth])
    }

    private func attend(_ pages: KVPages, _ qkv: Tensor, _ spans: [PagedSpan]) -> Tensor {
        let out = Tensor(repeating: 0, [qkv.shape[0], shape.heads * shape.headDim])
        pages.attend(layer: 1, qkv: qkv, spans: PagedSpans(spans), out: out)
        return out
    }

    @Test(arguments: zip(CachePrecision.allCases, [1e-5, 2e-3, 3e-2] as [Float]))
    func agreesWithPlainAttention(_ precision: CachePrecision, _ tolerance: Float) {
        let qkv = rows(75, seed: 1)
        let plain = causalAttention(qkv, AttentionLayer(shape, rope: nil), batch: 1, positions: [Int32](0..<75))
        let pages = KVPages(layers: 2, shape: shape, pages: 8, precision: precision)
        let out = attend(pages, qkv, [PagedSpan(rows: 0..<75, start: 0, pages: [6, 0, 3])])
        let error = zip(plain.values, out.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(error < tolerance)
    }

    @Test(arguments: CachePrecision.allCases)
    func chunksAndNeighboursChangeNoBit(_ precision: CachePrecision) {
        let qkv = rows(75, seed: 2), other = rows(40, seed: 3)
        let alone = attend(
            KVPages(layers: 2, shape: shape, pages: 3, precision: precision), qkv,
            [PagedSpan(rows: 0..<75, start: 0, pages: [0, 1, 2])])
        let pages = KVPages(layers: 2, shape: shape, pages: 9, precision: precision)
        var found: [Float] = []
        for (from, to) in [(0, 40), (40, 41), (41, 75)] {
            let both = Tensor(qkv.rows(from..<to).values + other.values, [to - from + 40, shape.fusedWidth])
            let out = attend(
                pages, both,
                [
                    PagedSpan(rows: 0..<to - from, start: from, pages: [5, 1, 7]),
                    PagedSpan(rows: to - from..<to - from + 40, start: 0, pages: [2, 8]),
                ])
            found += out.rows(0..<to - from).values
        }
        #expect(found == alone.values)
    }

    @Test func copiedPagesHoldTheSame() {
        let pages = KVPages(layers: 2, shape: shape, pages: 4, precision: .float16), qkv = rows(33, seed: 4)
        let first = attend(pages, qkv, [PagedSpan(rows: 0..<33, start: 0, pages: [0, 1])])
        pages.copyPage(0, to: 3)
        let last = attend(pages, qkv.rows(32..<33), [PagedSpan(rows: 0..<1, start: 32, pages: [3, 2])])
        #expect(last.values == first.rows(32..<33).values)
    }

    @Test func untouchedPagesCostNoMemory() {
        let bytes = KVPages.bytesPerPage(layers: 2, shape: shape, precision: .float32)
        #expect(bytes == 2 * 2 * 32 * (24 + 32) * 4)
        let pages = KVPages(layers: 2, shape: shape, pages: (1 << 36) / bytes, precision: .float32)
        let out = attend(pages, rows(1, seed: 5), [PagedSpan(rows: 0..<1, start: 0, pages: [Int32(pages.pages - 1)])])
        #expect(out.values.contains { $0 != 0 })
    }
}
