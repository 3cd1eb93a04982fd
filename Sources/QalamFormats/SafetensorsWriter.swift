// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// One tensor to be written: what it is, and a closure that supplies its bytes in as many pieces as it likes.
package struct TensorToWrite {
    /// The name in the file.
    package let name: String
    /// The sizes, outermost first.
    package let shape: [Int]
    /// The type of the numbers in the file.
    package let type: ElementType
    /// Writes exactly the tensor's bytes, row-major, little-endian.
    package let write: (inout FileWriter) throws -> Void

    /// A tensor whose bytes come from `write`.
    package init(
        _ name: String, shape: [Int], type: ElementType, write: @escaping (inout FileWriter) throws -> Void
    ) {
        self.name = name
        self.shape = shape
        self.type = type
        self.write = write
    }

    /// A tensor of floats, converted to `type` (`F32`, `BF16` or `F16`) piece by piece while writing.
    ///
    /// `read` lends all numbers when the tensor's turn comes.
    package static func floats(
        _ name: String, shape: [Int], type: ElementType,
        _ read: @escaping ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
    ) -> TensorToWrite {
        TensorToWrite(name, shape: shape, type: type) { writer in
            try read { numbers in try writer.write(numbers, as: type) }
        }
    }
}

extension FileWriter {
    /// Appends `numbers` as `type`: `F32`, `BF16` or `F16`, to the nearest, ties to even.
    package mutating func write(_ numbers: UnsafeBufferPointer<Float>, as type: ElementType) throws(FormatError) {
        let pieceLength = 1 << 16
        var scratch = [UInt8](repeating: 0, count: min(pieceLength, numbers.count) * type.size)
        var rest = numbers[...]
        while !rest.isEmpty {
            let piece = UnsafeBufferPointer(rebasing: rest.prefix(pieceLength))
            let length = piece.count * type.size
            scratch.withUnsafeMutableBytes { bytes in
                encodeFloats(piece, type, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]))
            }
            try scratch.withUnsafeBufferPointer { (bytes) throws(FormatError) in
                try write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<length])))
            }
            rest = rest.dropFirst(piece.count)
        }
    }
}

extension Safetensors {
    /// Writes a file of `tensors`, through `writeAtomically`.
    ///
    /// The largest element types come first, equal ones by name, so that every tensor is aligned and equal content
    /// gives equal bytes. Names must differ; each tensor must supply exactly the bytes of its shape.
    package static func write(
        _ tensors: [TensorToWrite], metadata: [String: String] = [:], to url: URL
    ) throws {
        let ordered = tensors.sorted {
            ($1.type.size, $0.type.rawValue, $0.name) < ($0.type.size, $1.type.rawValue, $1.name)
        }
        let (header, dataLength) = header(ordered, metadata)
        try writeAtomically(to: url, size: header.count + dataLength) { writer in
            try writer.write(header)
            for tensor in ordered {
                let start = writer.count
                try tensor.write(&writer)
                let expected = byteCount(tensor)
                precondition(
                    writer.count - start == expected,
                    "\(tensor.name): \(writer.count - start) bytes supplied, \(expected) in shape \(tensor.shape)")
            }
        }
    }

    private static func byteCount(_ tensor: TensorToWrite) -> Int {
        guard tensor.shape.allSatisfy({ $0 >= 0 }),
            let bytes = SafetensorsHeader.byteCount(tensor.shape, tensor.type)
        else {
            preconditionFailure("\(tensor.name): impossible shape \(tensor.shape)")
        }
        return bytes
    }

    /// The header with its length in front, padded with spaces to a multiple of 8 bytes, and the length of the data.
    private static func header(_ tensors: [TensorToWrite], _ metadata: [String: String]) -> ([UInt8], dataLength: Int) {
        var fields: [String] = []
        if !metadata.isEmpty {
            let texts = metadata.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)):\(jsonString($0.value))" }
            fields.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
        }
        var names: Set = ["__metadata__"]
        var offset = 0
        for tensor in tensors {
            precondition(names.insert(tensor.name).inserted, "two tensors are named \(tensor.name)")
            let end = offset + byteCount(tensor)
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            fields.append(
                "\(jsonString(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var json = Array("{\(fields.joined(separator: ","))}".utf8)
        json += Array(repeating: UInt8(ascii: " "), count: -json.count & 7)
        return (withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json, offset)
    }
}

/// `text` as a JSON string, quotes included (RFC 8259, section 7).
package func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
