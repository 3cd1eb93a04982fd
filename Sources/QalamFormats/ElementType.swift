// SPDX-License-Identifier: Apache-2.0

/// The types of numbers in a safetensors file, by their names in its header.
public enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8e4m3 = "F8_E4M3"
    case float8e5m2 = "F8_E5M2"
    case uint16 = "U16"
    case int16 = "I16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case uint32 = "U32"
    case int32 = "I32"
    case float32 = "F32"
    case uint64 = "U64"
    case int64 = "I64"
    case float64 = "F64"

    /// Bytes of one number.
    public var size: Int {
        switch self {
        case .bool, .uint8, .int8, .float8e4m3, .float8e5m2: 1
        case .uint16, .int16, .float16, .bfloat16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        }
    }

    /// The types that can be read as `Float`.
    package static let floats: [ElementType] = [.float32, .bfloat16, .float16, .float64]
    /// The types that can be read as `Int64`.
    package static let integers: [ElementType] = [.bool, .uint8, .int8, .uint16, .int16, .uint32, .int32, .int64]
}

// Conversions are loops over bit patterns without branches, so that the compiler turns them into SIMD for any
// processor; numbers in a file need not be aligned. All of Swift's platforms are little-endian, as the format is.

/// Reads `source`, numbers of `type`, as `Float` into `target`.
func decodeFloats(
    _ source: UnsafeRawBufferPointer, _ type: ElementType, into target: UnsafeMutableBufferPointer<Float>
) {
    precondition(source.count == target.count * type.size, "\(source.count) bytes of \(type) as \(target.count) floats")
    guard let from = source.baseAddress, let to = target.baseAddress else { return }
    switch type {
    case .float32:
        UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: source.count)
    case .bfloat16:
        for i in 0..<target.count {
            to[i] = Float(bitPattern: UInt32(from.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)) << 16)
        }
    case .float16:
        for i in 0..<target.count {
            to[i] = float(half: from.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self))
        }
    case .float64:
        for i in 0..<target.count {
            to[i] = Float(from.loadUnaligned(fromByteOffset: 8 &* i, as: Double.self))
        }
    default: preconditionFailure("\(type) is no floating-point type that can be read")
    }
}

/// Writes `source` as numbers of `type` (`F32`, `BF16`, `F16`; to the nearest, ties to even) into `target`.
func encodeFloats(
    _ source: UnsafeBufferPointer<Float>, _ type: ElementType, into target: UnsafeMutableRawBufferPointer
) {
    precondition(target.count == source.count * type.size, "\(source.count) floats as \(type) in \(target.count) bytes")
    guard let from = source.baseAddress, let to = target.baseAddress else { return }
    switch type {
    case .float32:
        to.copyMemory(from: from, byteCount: target.count)
    case .bfloat16:
        for i in 0..<source.count {
            to.storeBytes(of: bfloat16(from[i]), toByteOffset: 2 &* i, as: UInt16.self)
        }
    case .float16:
        for i in 0..<source.count {
            to.storeBytes(of: half(from[i]), toByteOffset: 2 &* i, as: UInt16.self)
        }
    default: preconditionFailure("\(type) is no floating-point type that can be written")
    }
}

/// IEEE 754 binary16 bits as a `Float`, exactly.
///
/// Exponent and fraction move into place, and a product with 2^112 corrects the exponent's bias, subnormals included.
@inline(__always)
func float(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let scaled = (Float(bitPattern: magnitude) * Float(bitPattern: 0x7780_0000)).bitPattern
    let special = magnitude | 0x7F80_0000  // infinities and NaN keep their fraction
    let sign = UInt32(bits & 0x8000) << 16
    return Float(bitPattern: sign | (magnitude >= 0x0F80_0000 ? special : scaled))
}

/// The nearest IEEE 754 binary16 to `value`, ties to even; too large becomes infinite.
@inline(__always)
func half(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    // Normal halves: re-bias the exponent, add half of the last place kept, less one if that place is even.
    let rounded = magnitude &- (112 << 23) &+ 0xFFF &+ (magnitude >> 13 & 1)
    // Subnormal halves: adding 0.5 makes the processor round to multiples of 2^-24.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- Float(0.5).bitPattern
    let finite = magnitude < 0x3880_0000 ? subnormal : rounded >> 13
    let special: UInt32 = magnitude > 0x7F80_0000 ? 0x7E00 | (magnitude >> 13 & 0x3FF) : 0x7C00
    return sign | UInt16(truncatingIfNeeded: magnitude >= 0x477F_F000 ? special : finite)
}

/// The nearest bfloat16 to `value`, ties to even.
@inline(__always)
func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
    let quietNaN = bits >> 16 | 0x40
    return UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? quietNaN : rounded)
}
