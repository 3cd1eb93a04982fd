// SPDX-License-Identifier: Apache-2.0

/// A position in a mapped GGUF file; every read checks what is left first.
struct GGUFCursor {
    /// How deep arrays of arrays may go: no file in use has more than one level.
    static let depthLimit = 8

    let file: MappedFile
    /// The next byte.
    private(set) var position: Int
    private let bytes: UnsafeRawBufferPointer

    /// A cursor at `position` of `file`.
    init(_ file: MappedFile, at position: Int = 0) {
        self.file = file
        self.position = position
        bytes = file.buffer
    }

    /// The error that the bytes at `at` are not what the format asks for.
    func malformed(_ at: Int, _ why: String) -> FormatError { .malformed(path: file.path, at: at, why: why) }

    private func truncated(_ needed: Int) -> FormatError {
        let (end, overflow) = position.addingReportingOverflow(needed)
        return .truncated(path: file.path, at: file.count, expected: overflow ? .max : end)
    }

    /// Moves over `count` bytes that are there.
    mutating func skip(_ count: Int) throws(FormatError) {
        guard count <= bytes.count - position else { throw truncated(count) }
        position += count
    }

    /// The next number.
    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type = Number.self
    ) throws(FormatError) -> Number {
        let start = position
        try skip(MemoryLayout<Number>.size)
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Number.self))
    }

    /// The next 64-bit number as a count of things that take at least `size` bytes each of what is left.
    mutating func count(ofSize size: Int) throws(FormatError) -> Int {
        let count = try number(UInt64.self)
        let (needed, overflow) = Int(clamping: count).multipliedReportingOverflow(by: size)
        guard !overflow, needed <= bytes.count - position else { throw truncated(overflow ? .max : needed) }
        return Int(count)
    }

    /// The next string, where its bytes are.
    mutating func string() throws(FormatError) -> Range<Int> {
        let length = try count(ofSize: 1)
        let start = position
        position += length
        return start..<position
    }

    /// The next string, which must be UTF-8.
    mutating func text(_ what: String) throws(FormatError) -> String {
        let start = position
        let range = try string()
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw malformed(start, "\(what) is not valid UTF-8")
        }
        return text
    }

    /// The next number as a type of values.
    mutating func valueType(_ key: String) throws(FormatError) -> GGUFValueType {
        let start = position
        let number = try number(UInt32.self)
        guard let type = GGUFValueType(rawValue: number) else {
            throw malformed(start, "\(key): unknown type of value \(number)")
        }
        return type
    }

    /// Moves over a value of `type` and checks it.
    mutating func skipValue(_ type: GGUFValueType, _ key: String, depth: Int = 0) throws(FormatError) {
        switch type {
        case .string: _ = try string()
        case .array:
            guard depth < Self.depthLimit else {
                throw malformed(position, "\(key): arrays lie more than \(Self.depthLimit) deep")
            }
            let element = try valueType(key)
            let count = try count(ofSize: element.leastSize)
            if let size = element.size, element != .bool { return try skip(count * size) }
            for _ in 0..<count { try skipValue(element, key, depth: depth + 1) }
        case .bool:
            let start = position
            let value = try number(UInt8.self)
            guard value <= 1 else { throw malformed(start, "\(key): a truth value is \(value)") }
        default: try skip(type.leastSize)
        }
    }

    /// The value of `type` here, which `skipValue` has passed before.
    mutating func value(_ type: GGUFValueType, _ key: String) throws(FormatError) -> GGUFValue {
        switch type {
        case .uint8: return .uint8(try number())
        case .int8: return .int8(try number())
        case .uint16: return .uint16(try number())
        case .int16: return .int16(try number())
        case .uint32: return .uint32(try number())
        case .int32: return .int32(try number())
        case .uint64: return .uint64(try number())
        case .int64: return .int64(try number())
        case .float32: return .float32(Float(bitPattern: try number()))
        case .float64: return .float64(Double(bitPattern: try number()))
        case .bool: return .bool(try number(UInt8.self) != 0)
        case .string: return .string(try text(key))
        case .array:
            let element = try valueType(key)
            let count = try count(ofSize: element.leastSize)
            var elements: [GGUFValue] = []
            elements.reserveCapacity(count)
            for _ in 0..<count { elements.append(try value(element, key)) }
            return .array(element, elements)
        }
    }
}
