// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

/// How a parameter starts when there is nothing to load.
public enum Initial: Sendable, Equatable {
    /// All zeros.
    case zeros
    /// All ones.
    case ones
    /// A normal distribution with mean 0.
    case normal(deviation: Float)
}

/// Answers the one question a layer asks: the numbers of the tensor with this name and shape.
public protocol WeightSource {
    /// Writes the tensor `name`, of exactly `shape` in row-major order, into `destination`.
    ///
    /// - Throws: `FormatError` that names the tensor if it is missing or has another shape.
    func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) throws

    /// The matrix `name`, of exactly `shape`, as it lies in the file, without a copy; nil if it can't be used so.
    ///
    /// Three axes are a stack of matrices of one shape, such as experts.
    /// - Throws: `FormatError` if the tensor is there and has another shape.
    func stored(_ name: String, shape: [Int]) throws -> QuantizedTensor?
}

extension WeightSource {
    /// Nothing is there but numbers to copy.
    public func stored(_ name: String, shape: [Int]) throws -> QuantizedTensor? { nil }
}

/// A parameter of a model: one tensor in memory, which files may know as several.
///
/// Projections that are computed together (queries, keys and values; gate and up) lie behind one another in one tensor,
/// so that one product computes them; each part keeps its own name and shape for files and optimizers.
public struct Parameter {
    /// A named piece of the tensor, as it stands in files.
    public struct Part: Sendable, Equatable {
        /// The tensor's name in files.
        public let name: String
        /// Its shape in files.
        public let shape: [Int]
        /// Where it starts in the parameter, in numbers.
        public let offset: Int
        /// Whether files hold the transposed matrix (GPT-2's `Conv1D`).
        public let transposed: Bool

        /// How many numbers it has.
        public var count: Int { shape.reduce(1, *) }
    }

    /// What a parameter does, which decides how optimizers treat it.
    public enum Role: Sendable, Equatable {
        /// A matrix that multiplies activations: decayed, and orthogonalized by Muon.
        case projection
        /// A table of rows that are looked up, or the output head: decayed.
        case table
        /// A scale or a bias.
        case vector
    }

    /// The numbers; a leaf of the tape if the model is to be trained.
    public let tensor: Tensor
    /// What it does.
    public let role: Role
    /// Its pieces, in the order of their offsets.
    public let parts: [Part]

    /// Other numbers, such as its gradient, in the layout of `parameter`.
    package init(copy parameter: Parameter, numbers: Tensor) {
        self.init(tensor: numbers, role: parameter.role, parts: parameter.parts)
    }

    init(tensor: Tensor, role: Role, parts: [Part]) {
        self.tensor = tensor
        self.role = role
        self.parts = parts
    }

    /// Replaces its numbers by those of a source, part by part; `initial` is for sources that draw.
    package func load(from source: any WeightSource, initial: Initial = .zeros) throws {
        for part in parts {
            let target = UnsafeMutableBufferPointer(rebasing: tensor.buffer[part.offset..<part.offset + part.count])
            try source.fill(part.name, shape: part.shape, initial: initial, into: target)
            guard part.transposed else { continue }
            let values = transpose(Array(target), rows: part.shape[0], columns: part.shape[1])
            _ = target.update(fromContentsOf: values)
        }
    }

    /// The numbers of one part in the layout of files.
    package func values(of part: Part) -> [Float] {
        let values = Array(tensor.buffer[part.offset..<part.offset + part.count])
        return part.transposed ? transpose(values, rows: part.shape[1], columns: part.shape[0]) : values
    }
}

/// A scope of names in a source of weights: `w["layers"][0]["q_proj"]` descends; asking for a parameter loads or draws
/// it and records it, so that the list of parameters is what the model asked for, in its order.
public struct Weights {
    private final class Record {
        var parameters: [Parameter] = []
        var isMapped = false
    }

    /// The names descended so far, joined by dots.
    public let path: String
    /// Whether parameters are leaves of the tape.
    public let isTrainable: Bool
    private let source: any WeightSource
    private let record: Record

    /// The root scope over `source`; `trainable` makes every parameter a leaf of the tape.
    public init(_ source: any WeightSource, trainable: Bool) {
        self.init(path: "", source: source, trainable: trainable, record: Record())
    }

    private init(path: String, source: any WeightSource, trainable: Bool, record: Record) {
        self.path = path
        self.source = source
        isTrainable = trainable
        self.record = record
    }

    /// The scope `name` inside this one; an empty name is this one.
    public subscript(name: String) -> Weights {
        guard !name.isEmpty else { return self }
        return Weights(
            path: path.isEmpty ? name : "\(path).\(name)", source: source, trainable: isTrainable, record: record)
    }

    /// The numbered scope inside this one.
    public subscript(index: Int) -> Weights { self[String(index)] }

    /// Every parameter asked for so far, through any scope of this root.
    public var parameters: [Parameter] { record.parameters }

    /// Whether some weights are used as they lie in their files, and so are no parameters.
    public var isMapped: Bool { record.isMapped }

    /// The table or vector at this path.
    public func tensor(_ shape: [Int], _ initial: Initial) throws -> Tensor {
        let columns = Array(shape.dropFirst())
        return try stacked([("", shape[0])], columns: columns, initial, role: columns.isEmpty ? .vector : .table)
    }

    /// Matrices with the same inputs, their outputs behind one another: as they lie in the file where the source allows
    /// it and nobody trains them, and else as one parameter.
    ///
    /// - Parameters:
    ///   - pieces: the path of each piece inside this scope, and its rows
    ///   - inputs: the columns
    ///   - initial: how each starts if there is nothing to load
    ///   - role: what the matrix does
    ///   - transposed: whether files hold (columns, rows)
    /// - Returns: (sum of the rows, inputs)
    /// - Throws: what the source throws: `FormatError` that names a missing or misshapen piece.
    public func matrix(
        _ pieces: [(name: String, rows: Int)], inputs: Int, _ initial: Initial, role: Parameter.Role = .projection,
        transposed: Bool = false
    ) throws -> Weight {
        if !isTrainable, !transposed {
            let stored = try pieces.map { try source.stored(self[$0.name].path, shape: [$0.rows, inputs]) }
            let present = stored.compactMap(\.self)
            if present.count == pieces.count {
                record.isMapped = true
                return Weight(present)
            }
        }
        return Weight(try stacked(pieces, columns: [inputs], initial, role: role, transposed: transposed))
    }

    /// The same for each of `count` experts, in stacks (count, rows, inputs) or each in a numbered scope of its own.
    public func experts(
        _ count: Int, _ pieces: [(name: String, rows: Int)], inputs: Int, _ initial: Initial
    ) throws -> [Weight] {
        let stacks = try pieces.map { try source.stored(self[$0.name].path, shape: [count, $0.rows, inputs]) }
        let present = stacks.compactMap(\.self)
        if !isTrainable, present.count == pieces.count {
            record.isMapped = true
            return (0..<count).map { expert in Weight(present.map { $0.expert(expert) }) }
        }
        return try (0..<count).map { try self[$0].matrix(pieces, inputs: inputs, initial) }
    }

    /// Several tensors with the same columns, one behind the other along the first axis, as one.
    ///
    /// - Parameters:
    ///   - pieces: the path of each piece inside this scope, and its rows
    ///   - columns: the axes after the first; empty for biases
    ///   - initial: how each starts if there is nothing to load
    ///   - role: what the tensor does
    ///   - transposed: whether files hold (columns, rows)
    /// - Returns: (sum of the rows, columns…)
    /// - Throws: what the source throws: `FormatError` that names a missing or misshapen piece.
    public func stacked(
        _ pieces: [(name: String, rows: Int)], columns: [Int], _ initial: Initial, role: Parameter.Role,
        transposed: Bool = false
    ) throws -> Tensor {
        let total = pieces.reduce(0) { $0 + $1.rows }
        let tensor = Tensor(uninitialized: TensorShape([total] + columns))
        let width = columns.reduce(1, *)
        var parts: [Parameter.Part] = []
        var offset = 0
        for (name, rows) in pieces {
            let shape = [rows] + columns
            let part = Parameter.Part(
                name: self[name].path, shape: transposed ? shape.reversed() : shape, offset: offset,
                transposed: transposed)
            parts.append(part)
            offset += rows * width
        }
        let parameter = Parameter(
            tensor: isTrainable ? tensor.requiringGradient() : tensor, role: role, parts: parts)
        try parameter.load(from: source, initial: initial)
        record.parameters.append(parameter)
        return parameter.tensor
    }
}

/// The transpose (columns, rows) of a matrix (rows, columns).
private func transpose(_ values: [Float], rows: Int, columns: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows {
        for column in 0..<columns { result[column * rows + row] = values[row * columns + column] }
    }
    return result
}

/// Draws every parameter from its initial distribution: where training starts.
///
/// Each name has a random stream of its own, so that a parameter's start depends on the seed and its name alone.
public struct FreshWeights: WeightSource {
    private let seed: UInt64

    /// Weights drawn from `seed`.
    public init(seed: UInt64) { self.seed = seed }

    /// Draws the tensor.
    public func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) {
        switch initial {
        case .zeros: destination.update(repeating: 0)
        case .ones: destination.update(repeating: 1)
        case .normal(let deviation):
            var random = CounterRandom(seed: seed, stream: fnv1a(name))
            for i in destination.indices { destination[i] = Float(random.normal()) * deviation }
        }
    }

    /// FNV-1a, the 64-bit hash of Fowler, Noll and Vo.
    private func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
