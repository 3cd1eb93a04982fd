// SPDX-License-Identifier: Apache-2.0

package import Foundation
package import QalamTensors

/// A GGUF model about to be written with the types of a mix.
///
/// Tensors stream from the mapped file through a few megabytes of floats, so that a model of any size takes little
/// memory; those that have the right type already are copied.
package struct GGUFQuantizer {
    /// One tensor and the type that it gets.
    package struct Entry {
        /// The tensor as it is.
        package let tensor: GGUF.Tensor
        /// Its type in the new file.
        package let type: BlockType
    }

    /// Every tensor, in the order of the file.
    package let entries: [Entry]
    private let model: GGUF
    private let mix: QuantizationMix

    /// Numbers that are converted at a time.
    private static let pieceSize = 1 << 22
    /// `general.quantization_version`: the layout of blocks since 2023.
    private static let layoutVersion: UInt32 = 2

    /// Chooses the types of `mix` for `model`; with `pure` its base type for every matrix.
    ///
    /// - Throws: `FormatError` for missing sizes of the model, and if tensors are quantized already and would be once
    ///   more, unless `requantizing`.
    package init(
        _ model: GGUF, _ mix: QuantizationMix, pure: Bool = false, requantizing: Bool = false
    ) throws(FormatError) {
        self.model = model
        self.mix = mix
        let tensors = model.tensors.map { MixedTensor($0.name, shape: $0.shape, type: $0.type) }
        let types = mix.types(for: tensors, of: try MixedModel(model.metadata), pure: pure)
        entries = zip(model.tensors, types).map { Entry(tensor: $0, type: $1) }
        let again = entries.first { $0.tensor.type.isQuantized && $0.type != $0.tensor.type }
        if let again, !requantizing {
            let (old, new) = (again.tensor.type.name, again.type.name)
            throw .unsupported(
                path: model.path,
                why: """
                    \(again.tensor.name) is quantized already, as \(old), and would lose once more as \(new); \
                    start from a file of F16, BF16 or F32, or allow requantizing.
                    """)
        }
    }

    /// Bytes of all tensors in the new file, and in the old.
    package var byteCount: (new: Int, old: Int) {
        entries.reduce((0, 0)) { sum, entry in
            (sum.0 + (GGUF.byteCount(entry.tensor.shape, entry.type) ?? 0), sum.1 + entry.tensor.bytes.count)
        }
    }

    /// Writes the file; `progress` is told how many bytes of the old file's tensors are done, of how many.
    ///
    /// - Throws: `FormatError` also for a tensor with NaN or infinity in it, which no block can hold.
    package func write(to url: URL, progress: @escaping (Int, Int) -> Void = { _, _ in }) throws {
        var done = 0
        let total = byteCount.old
        let tensors = entries.map { entry in
            GGUF.TensorToWrite(entry.tensor.name, shape: entry.tensor.shape, type: entry.type) { writer in
                try write(entry, to: &writer) { bytes in
                    done += bytes
                    progress(done, total)
                }
            }
        }
        try GGUF.write(tensors, metadata: fields, to: url)
    }

    /// The old metadata with what is said of types replaced, and nothing of parts.
    private var fields: [GGUFField] {
        let replaced = [
            GGUFField("general.quantization_version", .uint32(Self.layoutVersion)),
            GGUFField("general.file_type", .uint32(mix.fileType)),
        ]
        let dropped = Set(replaced.map(\.key) + ["split.no", "split.count", "split.tensors.count"])
        return model.metadata.keys.filter { !dropped.contains($0) }.compactMap(model.metadata.field) + replaced
    }

    private func write(_ entry: Entry, to writer: inout FileWriter, progress: (Int) -> Void) throws {
        let (tensor, type) = (entry.tensor, entry.type)
        try model.withBytes(of: tensor) { bytes in
            if type == tensor.type {
                try writer.write(bytes)
                progress(bytes.count)
                return
            }
            // Pieces are whole blocks of both types, as 256 is a multiple of every block's numbers.
            let size = min(Self.pieceSize, tensor.count)
            var floats = [Float](repeating: 0, count: size)
            var blocks = [UInt8](repeating: 0, count: type.byteCount(numbers: size) ?? 0)
            for begin in stride(from: 0, to: tensor.count, by: size) {
                let count = min(size, tensor.count - begin)
                let from = tensor.type.byteCount(numbers: begin) ?? 0
                let length = tensor.type.byteCount(numbers: count) ?? 0
                let source = UnsafeRawBufferPointer(rebasing: bytes[from..<from + length])
                let finite = floats.withUnsafeMutableBufferPointer { piece in
                    decodeBlocks(tensor.type, source, into: UnsafeMutableBufferPointer(rebasing: piece[..<count]))
                    return allFinite(UnsafeBufferPointer(rebasing: piece[..<count]))
                }
                guard finite else {
                    throw FormatError.malformed(
                        path: model.path, at: tensor.bytes.lowerBound + from,
                        why: "\(tensor.name) holds NaN or infinity from here on, which can't be quantized")
                }
                let written = type.byteCount(numbers: count) ?? 0
                try blocks.withUnsafeMutableBytes { target in
                    let target = UnsafeMutableRawBufferPointer(rebasing: target[..<written])
                    floats.withUnsafeBufferPointer {
                        encodeBlocks(type, UnsafeBufferPointer(rebasing: $0[..<count]), into: target)
                    }
                    try writer.write(UnsafeRawBufferPointer(target))
                }
                progress(length)
            }
        }
    }
}

/// Whether no number is NaN or infinite; their exponents are all ones.
private func allFinite(_ numbers: UnsafeBufferPointer<Float>) -> Bool {
    var largest: UInt32 = 0
    for number in numbers { largest = max(largest, number.bitPattern & 0x7FFF_FFFF) }
    return largest < 0x7F80_0000
}

extension MixedModel {
    /// The sizes under the keys of the model's architecture; heads may differ by layer, and the first counts.
    fileprivate init(_ metadata: GGUFMetadata) throws(FormatError) {
        let architecture = try metadata.string("general.architecture")
        func first(_ name: String, default fallback: Int) throws(FormatError) -> Int {
            let key = "\(architecture).\(name)"
            let value = try metadata.ints(key).first ?? fallback
            guard (0...1 << 20).contains(value) else {
                throw metadata.error(key, "expected an integer of 0 to 1048576, found \(value)")
            }
            return value
        }
        let heads = try first("attention.head_count", default: 0)
        self.init(
            layers: try first("block_count", default: 0), heads: heads,
            kvHeads: try first("attention.head_count_kv", default: heads),
            experts: try first("expert_count", default: 0))
    }
}
