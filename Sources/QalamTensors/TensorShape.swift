// SPDX-License-Identifier: Apache-2.0

/// The extents of a tensor's axes, outermost first: at most four, kept in place, so that a tensor needs no array.
public struct TensorShape: Sendable, Hashable {
    /// Extents, then zeros.
    private var extents: SIMD4<Int>
    /// How many axes there are.
    public let count: Int

    /// Of these extents.
    public init(_ extents: some Collection<Int>) {
        precondition(extents.count <= SIMD4<Int>.scalarCount, "shape: \(Array(extents)), more than 4 axes")
        self.extents = SIMD4()
        count = extents.count
        for (axis, extent) in extents.enumerated() { self.extents[axis] = extent }
    }

    /// That of a matrix.
    public init(rows: Int, columns: Int) {
        extents = SIMD4(rows, columns, 0, 0)
        count = 2
    }

    /// The same but for the first extent.
    package func starting(with first: Int) -> TensorShape {
        precondition(count > 0, "shape: no axis")
        var shape = self
        shape.extents[0] = first
        return shape
    }

    /// The same but for the last extent.
    package func ending(in last: Int) -> TensorShape {
        precondition(count > 0, "shape: no axis")
        var shape = self
        shape.extents[count - 1] = last
        return shape
    }

    /// The product of the extents.
    var elementCount: Int {
        var product = 1
        for axis in 0..<count { product *= extents[axis] }
        return product
    }
}

extension TensorShape: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// How many axes there are.
    public var endIndex: Int { count }

    /// The extent of an axis.
    public subscript(axis: Int) -> Int {
        precondition(axis >= 0 && axis < count, "shape: axis \(axis) of \(count)")
        return extents[axis]
    }
}

extension TensorShape: ExpressibleByArrayLiteral, CustomStringConvertible {
    /// Of these extents.
    public init(arrayLiteral extents: Int...) { self.init(extents) }

    /// As an array is written.
    public var description: String { "\(Array(self))" }
}
