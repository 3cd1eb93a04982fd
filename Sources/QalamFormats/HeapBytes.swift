// SPDX-License-Identifier: Apache-2.0
package import QalamTensors

/// Memory of a tensor that could not stay as it lay in its file.
///
/// `@unchecked Sendable`: written once, before it is shared.
package final class HeapBytes: @unchecked Sendable {
    /// The memory.
    package let bytes: UnsafeMutableRawBufferPointer

    /// `count` bytes, arbitrary until written.
    package init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }

    deinit { bytes.deallocate() }

    /// All of it as a matrix of blocks.
    package func tensor(_ type: BlockType, _ shape: [Int]) -> QuantizedTensor {
        QuantizedTensor(type: type, shape: shape, bytes: UnsafeRawBufferPointer(bytes), owner: self, isFile: false)
    }
}
