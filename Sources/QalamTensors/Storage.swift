// SPDX-License-Identifier: Apache-2.0

/// The memory behind one or more tensors: floats that return to the device with the last reference.
///
/// `@unchecked Sendable`: the contents are written by the one task that owns a computation, and read by others only
/// after it has handed the tensor over; the block itself never moves.
final class Storage: @unchecked Sendable {
    let device: Device
    let pointer: UnsafeMutablePointer<Float>
    private let block: MemoryBlock

    init(count: Int, device: Device) {
        self.device = device
        block = device.take(count * MemoryLayout<Float>.stride)
        pointer = block.start.bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { device.give(back: block) }
}
