// SPDX-License-Identifier: Apache-2.0

// A safetensors file: 8 bytes, the header's length N; N bytes of JSON, padded with spaces; then the numbers. The JSON
// maps each name to {"dtype", "shape", "data_offsets": [begin, end]}, offsets counted from the end of the header, and
// "__metadata__" to an object of strings. Tensors fill the rest of the file without gaps or overlaps.

/// The header of one safetensors file, checked against the file's length.
struct SafetensorsHeader {
    /// The longest header accepted, as in the reference implementation.
    static let lengthLimit = 100_000_000

    private(set) var tensors: [String: Safetensors.Entry] = [:]
    private(set) var metadata: [String: String] = [:]

    /// Parses and checks the head of `file`.
    init(_ file: MappedFile) throws(FormatError) {
        guard file.count >= 8 else { throw .truncated(path: file.path, at: file.count, expected: 8) }
        let length = file.buffer.loadUnaligned(as: UInt64.self)
        guard length <= UInt64(Self.lengthLimit) else {
            throw .malformed(
                path: file.path, at: 0,
                why: "a header of \(length) bytes is longer than \(Self.lengthLimit), so this is no safetensors file")
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= file.count else { throw .truncated(path: file.path, at: file.count, expected: dataStart) }
        do throws(JSONFault) {
            try parse(Array(file.buffer[8..<dataStart]), dataStart: dataStart)
        } catch {
            throw .malformed(path: file.path, at: 8 + error.at, why: "in the header: \(error.why)")
        }
        try checkLayout(file, dataStart: dataStart)
    }

    private mutating func parse(_ bytes: [UInt8], dataStart: Int) throws(JSONFault) {
        guard bytes.first == UInt8(ascii: "{") else { throw JSONFault(at: 0, why: "expected \"{\"") }
        var scanner = JSONScanner(bytes)
        var sawMetadata = false
        try scanner.object { scanner, key throws(JSONFault) in
            let at = scanner.position
            guard let name = String(validating: key, as: UTF8.self) else {
                throw JSONFault(at: at, why: "the name is not valid UTF-8")
            }
            let isMetadata = name == "__metadata__"
            guard isMetadata ? !sawMetadata : tensors[name] == nil else {
                throw JSONFault(at: at, why: "the name \"\(name)\" comes twice")
            }
            if isMetadata {
                sawMetadata = true
                try parseMetadata(&scanner)
            } else {
                tensors[name] = try Self.entry(&scanner, name, dataStart: dataStart)
            }
        }
        try scanner.finish()
    }

    private mutating func parseMetadata(_ scanner: inout JSONScanner) throws(JSONFault) {
        try scanner.object { scanner, key throws(JSONFault) in
            let at = scanner.position
            guard let name = String(validating: key, as: UTF8.self) else {
                throw JSONFault(at: at, why: "the key is not valid UTF-8")
            }
            let value = try scanner.text()
            guard metadata.updateValue(value, forKey: name) == nil else {
                throw JSONFault(at: at, why: "the key \"\(name)\" comes twice")
            }
        }
    }

    /// One tensor's object: its three fields, each once, that agree with each other.
    private static func entry(
        _ scanner: inout JSONScanner, _ name: String, dataStart: Int
    ) throws(JSONFault) -> Safetensors.Entry {
        var type: ElementType?
        var shape: [Int]?
        var offsets: [Int]?
        let start = scanner.position
        try scanner.object { scanner, key throws(JSONFault) in
            let at = scanner.position
            switch String(decoding: key, as: UTF8.self) {
            case "dtype" where type == nil:
                let text = try scanner.text()
                type = ElementType(rawValue: text)
                if type == nil { throw JSONFault(at: at, why: "tensor \(name): unknown dtype \"\(text)\"") }
            case "shape" where shape == nil: shape = try sizes(&scanner, "tensor \(name): shape")
            case "data_offsets" where offsets == nil: offsets = try sizes(&scanner, "tensor \(name): data_offsets")
            case let other: throw JSONFault(at: at, why: "tensor \(name): field \"\(other)\" is unknown or comes twice")
            }
        }
        guard let type, let shape, let offsets else {
            throw JSONFault(at: start, why: "tensor \(name): needs dtype, shape and data_offsets")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= Int.max - dataStart else {
            throw JSONFault(at: start, why: "tensor \(name): bad data_offsets \(offsets)")
        }
        guard let bytes = byteCount(shape, type), bytes == offsets[1] - offsets[0] else {
            throw JSONFault(
                at: start,
                why: "tensor \(name): shape \(shape) of \(type.rawValue) does not fill data_offsets \(offsets)")
        }
        return Safetensors.Entry(
            type: type, shape: shape, bytes: dataStart + offsets[0]..<dataStart + offsets[1], file: 0)
    }

    /// A list of integers, 0 or more each.
    private static func sizes(_ scanner: inout JSONScanner, _ what: String) throws(JSONFault) -> [Int] {
        var values: [Int] = []
        try scanner.array { scanner throws(JSONFault) in
            let at = scanner.position
            guard case .int(let value) = try scanner.number(), value >= 0 else {
                throw JSONFault(at: at, why: "\(what): expected an integer of 0 or more")
            }
            values.append(value)
        }
        return values
    }

    /// Bytes of a tensor, nil if they can't be counted in an `Int`.
    static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
        if shape.contains(0) { return 0 }
        var bytes = type.size
        for size in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
            if overflow { return nil }
            bytes = product
        }
        return bytes
    }

    /// Tensors, in the order of their bytes, must follow each other without gap or overlap up to the end of the file.
    private func checkLayout(_ file: MappedFile, dataStart: Int) throws(FormatError) {
        var end = dataStart
        let inOrder = tensors.sorted {
            let (a, b) = ($0.value.bytes, $1.value.bytes)
            return (a.lowerBound, a.upperBound, $0.key) < (b.lowerBound, b.upperBound, $1.key)
        }
        for (name, entry) in inOrder {
            let start = entry.bytes.lowerBound
            guard start >= end else {
                throw .malformed(path: file.path, at: start, why: "tensor \(name) overlaps the one before it")
            }
            guard start == end else {
                throw .malformed(path: file.path, at: end, why: "bytes before tensor \(name) belong to no tensor")
            }
            end = entry.bytes.upperBound
            guard end <= file.count else { throw .truncated(path: file.path, at: file.count, expected: end) }
        }
        guard end == file.count else {
            throw .malformed(path: file.path, at: end, why: "bytes after the last tensor belong to no tensor")
        }
    }
}
