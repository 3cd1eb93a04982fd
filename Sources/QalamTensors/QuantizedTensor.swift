// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels
internal import Foundation

/// A matrix whose rows are blocks of a `BlockType`, as it lies in a file, or several such matrices of the same shape.
///
/// 16-bit floats count as blocks of one number: they too are multiplied as they are, without a float32 copy.
public struct QuantizedTensor: @unchecked Sendable {
    // `@unchecked Sendable`: the bytes are never written, and `owner` keeps them where they are.

    /// The type of the blocks.
    public let type: BlockType
    /// What activations become in its products.
    package var activations = ActivationPrecision.accurate
    /// (rows, columns), or (experts, rows, columns).
    public private(set) var shape: [Int]
    package private(set) var bytes: UnsafeRawBufferPointer
    private var owner: any AnyObject & Sendable
    private let isFile: Bool
    private var panels: Panels?
    private var latePanels: LatePanels?
    private var panelOffset = 0

    /// A view of `bytes`, row-major blocks that live as long as `owner`.
    ///
    /// - Parameters:
    ///   - type: of the blocks
    ///   - shape: two or three extents; the last is a multiple of the type's block
    ///   - bytes: exactly what the shape needs
    ///   - owner: keeps the bytes
    ///   - isFile: whether the bytes are a mapped file, whose pages may be dropped once they have been repacked
    public init(
        type: BlockType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable, isFile: Bool
    ) {
        precondition(shape.count == 2 || shape.count == 3, "blocks: shape \(shape)")
        precondition(
            (shape.last ?? 0) % type.blockCount == 0, "blocks: rows of \(shape) in blocks of \(type.blockCount)")
        precondition(
            type.byteCount(numbers: shape.reduce(1, *)) == bytes.count, "\(shape) of \(type.name): \(bytes.count) bytes"
        )
        self.type = type
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
        self.isFile = isFile
    }

    /// Outputs of a product: all but the last extent.
    public var rows: Int { shape.dropLast().reduce(1, *) }

    /// Inputs of a product.
    public var columns: Int { shape[shape.count - 1] }

    /// The matrix of one expert, (rows, columns), sharing the memory.
    public func expert(_ index: Int) -> QuantizedTensor {
        precondition(shape.count == 3 && index < shape[0], "expert \(index) of \(shape)")
        var part = self
        part.shape = [shape[1], shape[2]]
        let size = bytes.count / shape[0]
        if !bytes.isEmpty { part.bytes = UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size]) }
        part.panelOffset = index * k_weight_panel_bytes(type.kernelType, shape[1], shape[2])
        return part
    }

    /// The same matrix with its blocks reordered for products, if its type has such an order.
    ///
    /// Every type but F32 has one, in which products are several times faster. The reordered copy takes the same memory
    /// (Q3_K, Q4_K, IQ4_XS and MXFP4 1 to 6% more). Of a matrix in a file it is made at the second product
    /// (`LatePanels`), and the file's pages are given back to the system. Experts whose rows are not a multiple of 16
    /// stay as they are.
    package func packed() -> QuantizedTensor {
        guard panels == nil, latePanels == nil, shape.count == 2 || shape[1] % 16 == 0 else { return self }
        guard k_weight_panel_bytes(type.kernelType, rows, columns) > 0 else { return self }
        var packed = self
        packed.panelOffset = 0
        if isFile, shape.count == 2 {
            packed.latePanels = LatePanels()
            return packed
        }
        let panels = makePanels()
        packed.panels = panels
        if !isFile {
            packed.owner = panels
            packed.bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return packed
    }

    private func makePanels() -> Panels {
        let panels = Panels(byteCount: k_weight_panel_bytes(type.kernelType, rows, columns))
        var weight = kernelWeight(panels: nil, bias: nil)
        withExtendedLifetime(self) { k_weight_pack(panels.start, &weight) }
        if isFile { dropPages() }
        return panels
    }

    /// Reads rows `ids` of the matrix as floats: (ids, columns); only of matrices in files or not reordered.
    package func decodeRows(_ ids: [Int32], into out: UnsafeMutablePointer<Float>) {
        precondition(!bytes.isEmpty || rows == 0, "rows of a reordered matrix")
        let rowBytes = bytes.count / max(rows, 1)
        guard let base = bytes.baseAddress else { return }
        for (i, id) in ids.enumerated() {
            precondition(id >= 0 && id < rows, "row \(id) of \(rows)")
            k_block_decode(out + i * columns, type.kernelType, base + Int(id) * rowBytes, columns)
        }
    }

    /// As the kernels take it for a product; valid while this value is.
    func kernelWeight(bias: UnsafePointer<Float>?) -> k_weight {
        kernelWeight(panels: panels ?? latePanels?.forProduct(makePanels), bias: bias)
    }

    private func kernelWeight(panels: Panels?, bias: UnsafePointer<Float>?) -> k_weight {
        k_weight(
            type: activations.kernelType(type), rows: rows, columns: columns, blocks: bytes.baseAddress,
            panels: panels.map { UnsafeRawPointer($0.start + panelOffset) },
            bias: bias)
    }

    /// Gives the whole pages under these bytes back: they are read from the file again if anybody asks.
    private func dropPages() {
        let page = Int(getpagesize())
        guard let base = bytes.baseAddress else { return }
        let start = (Int(bitPattern: base) + page - 1) / page * page
        let end = (Int(bitPattern: base) + bytes.count) / page * page
        guard end > start, let first = UnsafeMutableRawPointer(bitPattern: start) else { return }
        madvise(first, end - start, MADV_DONTNEED)
    }
}
