// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

// A GGUF file: "GGUF", version, number of tensors, number of keys; the keys with their values; for each tensor its
// name, dimensions (innermost first), type and offset; padding up to a multiple of `general.alignment`; the numbers,
// each tensor at a multiple of the alignment. Everything is little-endian; strings are a 64-bit length and UTF-8.
// (The format's description is docs/gguf.md of the ggml project.)

/// The head of one GGUF file, checked against the file's length.
struct GGUFHeader {
    /// The most dimensions of a tensor, as in ggml.
    static let dimensionLimit = 4

    /// Types of ggml that Qalam does not read, named so that the error can say more than a number.
    private static let otherTypes: [UInt32: String] = [
        9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
        24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4",
    ]

    let metadata: GGUFMetadata
    private(set) var tensors: [GGUF.Tensor] = []

    /// Parses and checks the head of `file`, which is the `index`-th of a model.
    init(_ file: MappedFile, index: Int) throws(FormatError) {
        defer { withExtendedLifetime(file) {} }
        var cursor = GGUFCursor(file)
        try Self.checkMagicAndVersion(&cursor)
        // The smallest tensor: an empty name, no dimensions, a type and an offset; the smallest value: one byte.
        let tensorCount = try cursor.count(ofSize: 8 + 4 + 4 + 8)
        let keyCount = try cursor.count(ofSize: 8 + 4 + 1)
        metadata = try GGUFMetadata(&cursor, count: keyCount)
        let alignment = try Self.alignment(metadata)
        var starts: [Int] = []
        for _ in 0..<tensorCount {
            starts.append(cursor.position)
            tensors.append(try Self.tensor(&cursor, alignment: alignment, file: index))
        }
        try place(after: cursor, starts, alignment)
    }

    private static func checkMagicAndVersion(_ cursor: inout GGUFCursor) throws(FormatError) {
        let magic: UInt32 = try cursor.number()
        guard magic == 0x4655_4747 else {
            throw cursor.malformed(0, "a GGUF file starts with \"GGUF\", this one doesn't")
        }
        let version: UInt32 = try cursor.number()
        if version.byteSwapped == 2 || version.byteSwapped == 3 {
            throw .unsupported(
                path: cursor.file.path, why: "this GGUF file is big-endian; convert it to little-endian first.")
        }
        guard version == 2 || version == 3 else {
            throw .unsupported(
                path: cursor.file.path, why: "GGUF version \(version) is not supported; versions 2 and 3 are.")
        }
    }

    private static func alignment(_ metadata: GGUFMetadata) throws(FormatError) -> Int {
        let key = "general.alignment"
        let value = try metadata.int(key, default: GGUF.defaultAlignment)
        guard value > 0, value & (value - 1) == 0, value <= 1 << 30 else {
            throw metadata.error(key, "expected a power of two, found \(value)")
        }
        return value
    }

    /// One tensor's description; its bytes are still counted from the start of the data.
    private static func tensor(
        _ cursor: inout GGUFCursor, alignment: Int, file: Int
    ) throws(FormatError) -> GGUF.Tensor {
        let start = cursor.position
        let name = try cursor.text("a tensor's name")
        let dimensions: UInt32 = try cursor.number()
        guard dimensions <= UInt32(dimensionLimit) else {
            throw cursor.malformed(start, "tensor \(name): \(dimensions) dimensions are more than \(dimensionLimit)")
        }
        var shape: [Int] = []
        for _ in 0..<dimensions {
            guard let size = Int(exactly: try cursor.number(UInt64.self)) else {
                throw cursor.malformed(start, "tensor \(name): a dimension is too large")
            }
            guard size > 0 else { throw cursor.malformed(start, "tensor \(name): a dimension is 0") }
            shape.insert(size, at: 0)
        }
        let typeNumber: UInt32 = try cursor.number()
        guard let type = BlockType(rawValue: typeNumber) else {
            guard let known = otherTypes[typeNumber] else {
                throw cursor.malformed(start, "tensor \(name): unknown type \(typeNumber)")
            }
            throw .elementType(name, supported: BlockType.allCases.map(\.name), got: known)
        }
        guard let offset = Int(exactly: try cursor.number(UInt64.self)), offset % alignment == 0 else {
            throw cursor.malformed(start, "tensor \(name): its offset is no multiple of the alignment \(alignment)")
        }
        guard let size = GGUF.byteCount(shape, type) else {
            throw cursor.malformed(start, "tensor \(name): shape \(shape) is impossible for type \(type.name)")
        }
        guard size <= Int.max - offset else {
            throw cursor.malformed(start, "tensor \(name): its offset \(offset) is beyond any file")
        }
        return GGUF.Tensor(name: name, shape: shape, type: type, bytes: offset..<offset + size, file: file)
    }

    /// Counts every tensor's bytes from the start of the file; they must lie inside it and not overlap.
    private mutating func place(after cursor: GGUFCursor, _ starts: [Int], _ alignment: Int) throws(FormatError) {
        let file = cursor.file
        let dataStart = aligned(cursor.position, alignment)
        var names: Set<String> = []
        for (index, tensor) in tensors.enumerated() {
            guard names.insert(tensor.name).inserted else {
                throw cursor.malformed(starts[index], "the tensor \(tensor.name) comes twice")
            }
            let (end, overflow) = tensor.bytes.upperBound.addingReportingOverflow(dataStart)
            guard !overflow, end <= file.count else {
                throw .truncated(path: file.path, at: file.count, expected: overflow ? .max : end)
            }
            tensors[index].bytes = end - tensor.bytes.count..<end
        }
        var end = 0
        for index in tensors.indices.sorted(by: { tensors[$0].bytes.lowerBound < tensors[$1].bytes.lowerBound }) {
            let tensor = tensors[index]
            guard tensor.bytes.lowerBound >= end else {
                throw cursor.malformed(starts[index], "the numbers of tensor \(tensor.name) overlap another's")
            }
            end = tensor.bytes.upperBound
        }
    }
}

/// The next multiple of `alignment`, a power of two.
func aligned(_ position: Int, _ alignment: Int) -> Int { (position + alignment - 1) & ~(alignment - 1) }
