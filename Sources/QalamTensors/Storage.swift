// SPDX-License-Identifier: Apache-2.0

/// The memory behind one or more tensors: floats that return to the device with the last reference.
///
/// `@unchecked Sendable`: the contents are written by the one task that owns a computation, and read by others only
/// after it has handed the tensor over; the block itself never moves.
final class Storage: @unchecked Sendable {
    let device: Device
    let pointer: UnsafeMutablePointer<Float>
    private let block: MemoryBlock

    /// Of a block of the device, to which it goes back.
    init(_ block: MemoryBlock, of device: Device) {
        self.device = device
        self.block = block
        pointer = block.start.bindMemory(
            to: Float.self, capacity: block.size.bytes / MemoryLayout<Float>.stride)
    }

    deinit { device.give(back: block) }
}
