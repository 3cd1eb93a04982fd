// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The types of numbers in a GGUF tensor, by their numbers in the file.
///
/// All but the floats store blocks of 32 or 256 numbers with their scales; a row of a tensor is a whole number of
/// blocks. The layouts are those of ggml.
public enum BlockType: UInt32, CaseIterable, Sendable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2_K = 10
    case q3_K = 11
    case q4_K = 12
    case q5_K = 13
    case q6_K = 14
    case iq4_NL = 20
    case iq4_XS = 23
    case bf16 = 30
    case mxfp4 = 39

    /// The name in use everywhere, such as `Q4_K`.
    public var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q2_K: "Q2_K"
        case .q3_K: "Q3_K"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        case .iq4_NL: "IQ4_NL"
        case .iq4_XS: "IQ4_XS"
        case .bf16: "BF16"
        case .mxfp4: "MXFP4"
        }
    }

    /// The type of that name, in capitals or not; nil if there is none.
    public init?(name: String) {
        let capitals = name.uppercased()
        guard let type = Self.allCases.first(where: { $0.name == capitals }) else { return nil }
        self = type
    }

    /// Numbers in one block: 1, 32 or 256.
    public var blockCount: Int { k_block_numbers(kernelType) }

    /// Bytes of one block.
    public var blockBytes: Int { k_block_bytes(kernelType) }

    /// Whether numbers share scales: true for all but F32, F16 and BF16.
    public var isQuantized: Bool { blockCount > 1 }

    /// The bytes that `count` numbers take; nil if they are no whole blocks, or too many for an `Int`.
    public func byteCount(numbers count: Int) -> Int? {
        guard count >= 0, count % blockCount == 0 else { return nil }
        let (bytes, overflow) = (count / blockCount).multipliedReportingOverflow(by: blockBytes)
        return overflow ? nil : bytes
    }

    var kernelType: k_block_type { k_block_type(rawValue: rawValue) }
}

/// Reads `bytes`, whole blocks of `type` at any address, as floats into `target`, on the calling thread.
package func decodeBlocks(
    _ type: BlockType, _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>
) {
    precondition(
        type.byteCount(numbers: target.count) == bytes.count,
        "\(bytes.count) bytes of \(type.name) as \(target.count) floats")
    guard let from = bytes.baseAddress, let to = target.baseAddress else { return }
    k_block_decode(to, type.kernelType, from, target.count)
}

/// Writes `source` as blocks of `type` into `bytes`, in parallel; a type with scales takes NaN as 0.
package func encodeBlocks(
    _ type: BlockType, _ source: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
) {
    precondition(
        type.byteCount(numbers: source.count) == bytes.count,
        "\(source.count) floats as \(type.name) in \(bytes.count) bytes")
    guard let from = source.baseAddress, let to = bytes.baseAddress else { return }
    precondition(type.isQuantized || Int(bitPattern: to) % type.blockBytes == 0, "\(type.name) at \(to)")
    k_block_encode(to, type.kernelType, from, 1, source.count)
}
