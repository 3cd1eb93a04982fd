// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels
internal import Foundation

/// How keys and values are kept.
public enum CachePrecision: String, Sendable, CaseIterable {
    /// As computed.
    case float32
    /// Half: two bytes a number, held at ±65504.
    case float16
    /// One byte a number, and one float32 scale for each token's key and value of a head.
    case int8

    var type: k_cache_type {
        switch self {
        case .float32: K_CACHE_F32
        case .float16: K_CACHE_F16
        case .int8: K_CACHE_Q8
        }
    }
}

/// Pages of keys and values of all layers: memory only; who owns which page is the engine's business.
///
/// A page holds 32 tokens of every layer side by side (PagedAttention, Kwon et al. 2023); its layout is that of
/// `k_paged_layer`. Pages that nobody wrote to cost no memory.
///
/// `@unchecked Sendable`: the block never moves, and the engine lets one computation at a time write to a page.
package final class KVPages: @unchecked Sendable {
    /// Tokens in a page.
    package static let pageTokens = Int(K_PAGE_TOKENS)

    /// How many layers share a page.
    package let layers: Int
    /// The sizes of every layer.
    package let shape: AttentionShape
    /// How many pages there are.
    package let pages: Int
    /// How numbers are kept.
    package let precision: CachePrecision
    /// Where they live.
    package let device: Device
    private let memory: UnsafeMutableRawPointer
    private let layerBytes: Int

    /// Room for `pages` pages of `layers` layers.
    package init(
        layers: Int, shape: AttentionShape, pages: Int, precision: CachePrecision, on device: Device = .cpu
    ) {
        precondition(layers > 0 && pages > 0, "pages: \(pages) of \(layers) layers")
        (self.layers, self.shape, self.pages, self.precision) = (layers, shape, pages, precision)
        self.device = device
        layerBytes = Self.bytesPerPage(layers: 1, shape: shape, precision: precision)
        memory = Self.map(pages * layers * layerBytes)
    }

    deinit { munmap(memory, pages * layers * layerBytes) }

    /// Bytes of one page with `layers` layers of that shape.
    package static func bytesPerPage(layers: Int, shape: AttentionShape, precision: CachePrecision) -> Int {
        layers * k_paged_bytes(precision.type, shape.kvHeads, shape.headDim)
    }

    /// Copies all layers of a page, before a sequence writes to one that others share.
    package func copyPage(_ from: Int32, to: Int32) {
        precondition((0..<Int32(pages)).contains(from) && (0..<Int32(pages)).contains(to), "page \(from) to \(to)")
        let bytes = layers * layerBytes
        (memory + Int(to) * bytes).copyMemory(from: memory + Int(from) * bytes, byteCount: bytes)
    }

    /// Stores the keys and values of fused rows, already rotated, and attends their queries to all that is stored.
    ///
    /// A row's result has the same bits whatever other rows are in the call.
    /// - Parameters:
    ///   - layer: which of the layers
    ///   - qkv: (N, (H + 2·Hkv)·D)
    ///   - spans: which rows belong to which sequence; rows of no span are left alone
    ///   - options: scale, softcap and window; nil for 1/√D and nothing else
    ///   - sinks: (H), logits that take part in the softmax without a value, as in gpt-oss
    ///   - out: (N, H·D), written
    package func attend(
        layer: Int, qkv: Tensor, spans: PagedSpans, options: AttentionOptions? = nil,
        sinks: Tensor? = nil, out: Tensor
    ) {
        let options = options ?? AttentionOptions()
        let rows = qkv.rowsAndColumns.rows, width = shape.heads * shape.headDim
        precondition((0..<layers).contains(layer), "layer \(layer) of \(layers)")
        precondition(qkv.rowsAndColumns.columns == shape.fusedWidth, "attention: \(qkv.shape) for \(shape)")
        precondition(out.rowsAndColumns == (rows, width), "attention: \(qkv.shape) into \(out.shape)")
        precondition(spans.rowEnd <= rows, "attention: \(spans.rowEnd) rows of \(qkv.shape)")
        precondition(spans.pageEnd <= pages, "attention: page \(spans.pageEnd - 1) of \(pages)")
        precondition(sinks.map { $0.count == shape.heads } ?? true, "attention: sinks \(sinks?.shape ?? [])")
        var arguments = k_paged_layer(
            type: precision.type, heads: shape.heads, kv_heads: shape.kvHeads, head_dim: shape.headDim,
            cache: (memory + layer * layerBytes).assumingMemoryBound(to: CChar.self),
            page_stride: layers * layerBytes, spans: spans.start, span_count: spans.count,
            scale: options.scale ?? shape.scale, softcap: options.softcap, window: options.window ?? 0,
            sinks: sinks?.pointer)
        let keys = qkv.pointer + width
        k_paged_store(&arguments, keys, keys + shape.kvHeads * shape.headDim, shape.fusedWidth)
        k_paged_attention(&arguments, out.pointer, width, qkv.pointer, shape.fusedWidth)
    }

    /// Memory that the system hands out as it is first touched, in huge pages where it can.
    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
            preconditionFailure("pages: no address space for \(bytes) bytes")
        }
        #if os(Linux)
            madvise(memory, bytes, MADV_HUGEPAGE)
        #endif
        return memory
    }
}
