// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// A dense array of float32 in row-major order, on a device, possibly recorded on the tape.
///
/// A tensor is a view of shared memory: copying the struct copies no numbers. Operations return new tensors; the few
/// that write in place say so in their names. Not `Sendable` when recorded; use `detached` to hand values to another
/// task.
public struct Tensor {
    /// The extents of its axes, outermost first.
    public let shape: TensorShape
    /// What happened to it, if gradients are wanted.
    public internal(set) var node: Node?
    var storage: Storage
    let offset: Int

    init(shape: TensorShape, storage: Storage, offset: Int = 0, node: Node? = nil) {
        self.shape = shape
        self.storage = storage
        self.offset = offset
        self.node = node
    }

    /// A tensor whose contents are arbitrary until written.
    package init(uninitialized shape: TensorShape, on device: Device = .cpu) {
        precondition(shape.allSatisfy { $0 >= 0 }, "shape: \(shape)")
        self.init(shape: shape, storage: device.storage(of: shape.elementCount))
    }

    /// The same with a storage that the device does not refer to: for those that ask whether they are its only owner.
    init(unshared shape: TensorShape, on device: Device) {
        self.init(shape: shape, storage: device.unsharedStorage(of: shape.elementCount))
    }

    /// A tensor of `shape` filled with `value`.
    public init(repeating value: Float, _ shape: TensorShape, on device: Device = .cpu) {
        self.init(uninitialized: shape, on: device)
        k_fill(pointer, value, count)
    }

    /// A tensor of `shape` with these numbers, in row-major order.
    public init(_ values: [Float], _ shape: TensorShape, on device: Device = .cpu) {
        precondition(values.count == shape.elementCount, "values: \(values.count) for a shape of \(shape)")
        self.init(uninitialized: shape, on: device)
        pointer.update(from: values, count: values.count)
    }

    /// How many numbers it holds.
    public var count: Int { shape.elementCount }

    /// The device it lives on.
    public var device: Device { storage.device }

    /// Its numbers, in row-major order.
    public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// The same numbers without their history.
    public var detached: Tensor { Tensor(shape: shape, storage: storage, offset: offset) }

    /// Its first number: the address for kernels.
    ///
    /// Valid while the tensor is.
    package var pointer: UnsafeMutablePointer<Float> { storage.pointer + offset }

    /// All its numbers, writable: for loaders, optimizers and samplers.
    package var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: count) }

    /// The product of all axes but the last, and the last: (rows, columns).
    package var rowsAndColumns: (rows: Int, columns: Int) {
        let columns = shape.last ?? 1
        return (columns == 0 ? 0 : count / columns, columns)
    }

    /// The same numbers in another shape; the tape follows.
    public func reshaped(_ shape: TensorShape) -> Tensor {
        precondition(shape.elementCount == count, "reshape: \(self.shape) to \(shape)")
        let result = Tensor(shape: shape, storage: storage, offset: offset)
        let input = node
        let original = self.shape
        return result.recorded(from: [input]) { gradient in
            input?.add(gradient.reshaped(original))
        }
    }

    /// Rows `range` of the first axis, as a view; not recorded on the tape.
    package func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows: \(range) of \(shape)")
        let width = shape.starting(with: 1).elementCount
        return Tensor(
            shape: shape.starting(with: range.count), storage: storage, offset: offset + range.lowerBound * width)
    }

    /// A copy of its numbers in memory of its own; not recorded on the tape.
    package func copied() -> Tensor {
        let copy = Tensor(uninitialized: shape, on: device)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }
}
