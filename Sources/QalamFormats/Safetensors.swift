// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// Weights in the safetensors format: one file, or several with an index, as Hugging Face keeps them.
///
/// Opening reads and checks the headers only; numbers are read from the mapped files when asked for.
public struct Safetensors: Sendable {
    /// Where one tensor is and what it holds.
    public struct Entry: Sendable, Equatable {
        /// The type of its numbers.
        public let type: ElementType
        /// Its sizes, outermost first; empty for a single number.
        public let shape: [Int]
        /// Its bytes, as offsets in its file.
        public let bytes: Range<Int>
        /// Which of the files it is in.
        package fileprivate(set) var file: Int

        /// An entry as a header describes it.
        init(type: ElementType, shape: [Int], bytes: Range<Int>, file: Int) {
            self.type = type
            self.shape = shape
            self.bytes = bytes
            self.file = file
        }

        /// How many numbers the tensor has.
        public var count: Int { bytes.count / type.size }
    }

    /// The name of the index of a sharded folder.
    package static let indexName = "model.safetensors.index.json"
    /// The name of the file of a folder that has only one.
    package static let fileName = "model.safetensors"

    /// Every tensor by name.
    public let tensors: [String: Entry]
    /// The free texts of the headers; for several files, those of the first file that has the key.
    public let metadata: [String: String]
    /// What was opened, as errors name it.
    public let path: String
    private let files: [MappedFile]

    /// Opens a `.safetensors` file, an index, or a folder that holds `model.safetensors` or its index.
    public init(_ url: URL) throws(FormatError) {
        path = url.relativePath
        var isFolder: ObjCBool = false
        var target = url
        if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue {
            let index = url.appendingPathComponent(Self.indexName)
            let hasIndex = FileManager.default.fileExists(atPath: index.path)
            target = hasIndex ? index : url.appendingPathComponent(Self.fileName)
        }
        if target.pathExtension == "json" {
            (tensors, metadata, files) = try Self.openShards(target)
        } else {
            let file = try MappedFile(target)
            let header = try SafetensorsHeader(file)
            (tensors, metadata, files) = (header.tensors, header.metadata, [file])
        }
    }

    /// Opens every file that the index at `url` names; tensors that are in a file but not in the index do not count.
    private static func openShards(
        _ url: URL
    ) throws(FormatError) -> (tensors: [String: Entry], metadata: [String: String], files: [MappedFile]) {
        let index = try JSONReader(contentsOf: url)
        let map = try index.object("weight_map")
        var namesByFile: [String: [String]] = [:]
        for name in map.keys {
            let file = try map.string(name)
            guard !file.isEmpty, !file.contains("/"), !file.contains("\\"), !file.contains("\0") else {
                throw map.error(name, "expected the name of a file in the same folder, found \"\(file)\"")
            }
            namesByFile[file, default: []].append(name)
        }
        var tensors: [String: Entry] = [:]
        var metadata: [String: String] = [:]
        var files: [MappedFile] = []
        for (fileName, names) in namesByFile.sorted(by: { $0.key < $1.key }) {
            let file = try MappedFile(url.deletingLastPathComponent().appendingPathComponent(fileName))
            let header = try SafetensorsHeader(file)
            for name in names {
                guard var entry = header.tensors[name] else { throw .missing(name, in: file.path) }
                entry.file = files.count
                tensors[name] = entry
            }
            metadata.merge(header.metadata) { first, _ in first }
            files.append(file)
        }
        return (tensors, metadata, files)
    }

    /// The paths of the files.
    package var paths: [String] { files.map(\.path) }

    /// The names of all tensors, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// What is known of the tensor `name`; nil if there is none.
    public func entry(_ name: String) -> Entry? { tensors[name] }

    private func existing(_ name: String) throws(FormatError) -> Entry {
        guard let entry = tensors[name] else { throw .missing(name, in: path) }
        return entry
    }

    /// Lends the raw bytes of the tensor `name` to `body`; they may start at any address.
    package func withBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let entry = try existing(name)
        let file = files[entry.file]
        defer { withExtendedLifetime(file) {} }
        return try body(UnsafeRawBufferPointer(rebasing: file.buffer[entry.bytes]))
    }

    /// Reads the tensor `name`, of any floating-point type, as `Float` into `target`, which must have its count.
    package func copyFloats(_ name: String, into target: UnsafeMutableBufferPointer<Float>) throws(FormatError) {
        let entry = try existing(name)
        precondition(target.count == entry.count, "\(name): \(entry.count) numbers into \(target.count)")
        guard ElementType.floats.contains(entry.type) else {
            throw .elementType(name, supported: ElementType.floats.map(\.rawValue), got: entry.type.rawValue)
        }
        let file = files[entry.file]
        defer { withExtendedLifetime(file) {} }
        decodeFloats(UnsafeRawBufferPointer(rebasing: file.buffer[entry.bytes]), entry.type, into: target)
    }

    /// The tensor `name`, of any floating-point type, as `Float`, in row-major order.
    public func floats(_ name: String) throws(FormatError) -> [Float] {
        let count = try existing(name).count
        do {
            return try [Float](unsafeUninitializedCapacity: count) { target, filled in
                try copyFloats(name, into: UnsafeMutableBufferPointer(rebasing: target[..<count]))
                filled = count
            }
        } catch let error as FormatError {
            throw error
        } catch {
            throw .unreadable(path: path, why: "\(error)")
        }
    }

    /// The tensor `name`, of any integer type but `U64`, or of truth values, in row-major order.
    public func integers(_ name: String) throws(FormatError) -> [Int64] {
        let entry = try existing(name)
        guard ElementType.integers.contains(entry.type) else {
            throw .elementType(name, supported: ElementType.integers.map(\.rawValue), got: entry.type.rawValue)
        }
        let file = files[entry.file]
        defer { withExtendedLifetime(file) {} }
        let bytes = UnsafeRawBufferPointer(rebasing: file.buffer[entry.bytes])
        func all<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) -> [Int64] {
            (0..<entry.count).map {
                Int64(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.size, as: Number.self))
            }
        }
        return switch entry.type {
        case .int8: all(Int8.self)
        case .uint16: all(UInt16.self)
        case .int16: all(Int16.self)
        case .uint32: all(UInt32.self)
        case .int32: all(Int32.self)
        case .int64: all(Int64.self)
        default: all(UInt8.self)
        }
    }
}
