// SPDX-License-Identifier: Apache-2.0

/// The types of metadata values in a GGUF file, by their numbers there.
public enum GGUFValueType: UInt32, Sendable, CaseIterable {
    case uint8 = 0
    case int8
    case uint16
    case int16
    case uint32
    case int32
    case float32
    case bool
    case string
    case array
    case uint64
    case int64
    case float64

    /// Bytes of one value; nil where it depends on the value.
    var size: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The fewest bytes that one value takes.
    var leastSize: Int { size ?? (self == .string ? 8 : 12) }
}

/// One metadata value of a GGUF file.
public indirect enum GGUFValue: Sendable, Equatable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    case bool(Bool)
    case string(String)
    /// Values of one type.
    case array(GGUFValueType, [GGUFValue])

    /// Its type in the file.
    public var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .uint64: .uint64
        case .int64: .int64
        case .float32: .float32
        case .float64: .float64
        case .bool: .bool
        case .string: .string
        case .array: .array
        }
    }

    /// It as an integer, nil if it is none or too large.
    package var int: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        default: nil
        }
    }

    /// It as a number, nil if it is none.
    package var double: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        case .uint64(let value): Double(value)
        default: int.map(Double.init)
        }
    }

    /// Strings as an array.
    package static func strings(_ values: [String]) -> GGUFValue { .array(.string, values.map { .string($0) }) }

    /// Numbers as an array of `Int32`.
    package static func int32s(_ values: [Int32]) -> GGUFValue { .array(.int32, values.map { .int32($0) }) }

    /// Numbers as an array of `Float`.
    package static func float32s(_ values: [Float]) -> GGUFValue { .array(.float32, values.map { .float32($0) }) }
}

/// One key of a GGUF file with its value as bytes, ready to be written.
package struct GGUFField: Sendable, Equatable {
    /// The key.
    package let key: String
    /// The value's type.
    package let type: GGUFValueType
    /// The value as it stands in the file, without its type.
    package let encoded: [UInt8]

    /// A value under `key`; the elements of an array must be of its type.
    package init(_ key: String, _ value: GGUFValue) {
        var bytes: [UInt8] = []
        encode(value, into: &bytes)
        self.init(key, type: value.type, encoded: bytes)
    }

    /// Byte strings under `key`, such as the tokens of a vocabulary, which need not be whole characters.
    package init(_ key: String, strings: some Collection<some Collection<UInt8>>) {
        var bytes: [UInt8] = []
        append(GGUFValueType.string.rawValue, to: &bytes)
        append(UInt64(strings.count), to: &bytes)
        for string in strings {
            append(UInt64(string.count), to: &bytes)
            bytes.append(contentsOf: string)
        }
        self.init(key, type: .array, encoded: bytes)
    }

    init(_ key: String, type: GGUFValueType, encoded: [UInt8]) {
        self.key = key
        self.type = type
        self.encoded = encoded
    }
}

private func encode(_ value: GGUFValue, into bytes: inout [UInt8]) {
    switch value {
    case .uint8(let number): bytes.append(number)
    case .int8(let number): bytes.append(UInt8(bitPattern: number))
    case .uint16(let number): append(number, to: &bytes)
    case .int16(let number): append(number, to: &bytes)
    case .uint32(let number): append(number, to: &bytes)
    case .int32(let number): append(number, to: &bytes)
    case .uint64(let number): append(number, to: &bytes)
    case .int64(let number): append(number, to: &bytes)
    case .float32(let number): append(number.bitPattern, to: &bytes)
    case .float64(let number): append(number.bitPattern, to: &bytes)
    case .bool(let truth): bytes.append(truth ? 1 : 0)
    case .string(let text): append(text, to: &bytes)
    case .array(let type, let elements):
        append(type.rawValue, to: &bytes)
        append(UInt64(elements.count), to: &bytes)
        for element in elements {
            precondition(element.type == type, "an array of \(type) holds a value of type \(element.type)")
            encode(element, into: &bytes)
        }
    }
}

/// Appends `number`, little-endian.
func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
}

/// Appends the length of `text` in bytes and its UTF-8.
func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt64(text.utf8.count), to: &bytes)
    bytes.append(contentsOf: text.utf8)
}
