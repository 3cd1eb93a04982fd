// SPDX-License-Identifier: Apache-2.0

package import Foundation
package import QalamTensors

extension GGUF {
    /// One tensor to be written: what it is, and a closure that supplies its bytes in as many pieces as it likes.
    package struct TensorToWrite {
        /// The name in the file; llama.cpp takes at most 63 bytes.
        package let name: String
        /// The sizes, outermost first.
        package let shape: [Int]
        /// The type of the numbers in the file.
        package let type: BlockType
        /// Writes exactly the tensor's bytes.
        package let write: (inout FileWriter) throws -> Void

        /// A tensor whose bytes come from `write`.
        package init(
            _ name: String, shape: [Int], type: BlockType, write: @escaping (inout FileWriter) throws -> Void
        ) {
            self.name = name
            self.shape = shape
            self.type = type
            self.write = write
        }

        /// Its bytes in the file, without padding.
        fileprivate var byteCount: Int {
            guard shape.count <= GGUFHeader.dimensionLimit, let bytes = GGUF.byteCount(shape, type) else {
                preconditionFailure("\(name): impossible shape \(shape) for \(type.name)")
            }
            return bytes
        }
    }

    /// Writes a model of `tensors`, in their order, through `writeAtomically`; GGUF version 3.
    ///
    /// With `splitSize` (bytes of numbers in one file) a larger model becomes `name-00001-of-0000N.gguf` and so on,
    /// the first written last, so that the parts open only when all are there. Names and keys must differ; each tensor
    /// must supply exactly the bytes of its shape.
    /// - Returns: the files written, in the order of the parts.
    @discardableResult
    package static func write(
        _ tensors: [TensorToWrite], metadata: [GGUFField], to url: URL, splitSize: Int = .max
    ) throws -> [URL] {
        let parts = split(tensors, splitSize)
        guard parts.count > 1 else {
            try writePart(tensors, metadata, to: url)
            return [url]
        }
        precondition(parts.count <= Int(UInt16.max), "\(parts.count) parts are more than the format can count")
        let prefix = url.pathExtension == "gguf" ? url.deletingPathExtension().path : url.path
        let urls = GGUFParts.urls(prefix: prefix, count: parts.count)
        try checkSpace(for: tensors.reduce(0) { $0 + $1.byteCount }, url)
        for (number, part) in parts.enumerated().reversed() {
            let keys = [
                GGUFField(GGUFParts.numberKey, .uint16(UInt16(number))),
                GGUFField(GGUFParts.countKey, .uint16(UInt16(parts.count))),
                GGUFField(GGUFParts.tensorCountKey, .int32(Int32(tensors.count))),
            ]
            let alignment = metadata.filter { $0.key == "general.alignment" }
            try writePart(part, (number == 0 ? metadata : alignment) + keys, to: urls[number])
        }
        return urls
    }

    /// Runs of tensors of at most `limit` bytes together, or one tensor each where it is larger.
    private static func split(_ tensors: [TensorToWrite], _ limit: Int) -> [[TensorToWrite]] {
        var parts: [[TensorToWrite]] = [[]]
        var size = 0
        for tensor in tensors {
            let bytes = tensor.byteCount
            if bytes > limit - size, size > 0 {
                parts.append([])
                size = 0
            }
            parts[parts.count - 1].append(tensor)
            size += bytes
        }
        return parts
    }

    private static func writePart(_ tensors: [TensorToWrite], _ metadata: [GGUFField], to url: URL) throws {
        let alignment = alignment(metadata)
        let header = header(tensors, metadata, alignment)
        let size = tensors.reduce(header.count) { $0 + aligned($1.byteCount, alignment) }
        try writeAtomically(to: url, size: size) { writer in
            try writer.write(header)
            for tensor in tensors {
                let start = writer.count
                try tensor.write(&writer)
                precondition(
                    writer.count - start == tensor.byteCount,
                    "\(tensor.name): \(writer.count - start) bytes supplied, \(tensor.byteCount) in \(tensor.shape)")
                let padding = aligned(writer.count, alignment) - writer.count
                try writer.write([UInt8](repeating: 0, count: padding))
            }
        }
    }

    /// The head of a file, padded to the alignment.
    private static func header(_ tensors: [TensorToWrite], _ metadata: [GGUFField], _ alignment: Int) -> [UInt8] {
        var bytes = Array("GGUF".utf8)
        append(UInt32(3), to: &bytes)
        append(UInt64(tensors.count), to: &bytes)
        append(UInt64(metadata.count), to: &bytes)
        var keys: Set<String> = []
        for field in metadata {
            precondition(keys.insert(field.key).inserted, "the key \(field.key) comes twice")
            append(field.key, to: &bytes)
            append(field.type.rawValue, to: &bytes)
            bytes += field.encoded
        }
        var names: Set<String> = []
        var offset = 0
        for tensor in tensors {
            precondition(names.insert(tensor.name).inserted, "two tensors are named \(tensor.name)")
            append(tensor.name, to: &bytes)
            append(UInt32(tensor.shape.count), to: &bytes)
            for size in tensor.shape.reversed() { append(UInt64(size), to: &bytes) }
            append(tensor.type.rawValue, to: &bytes)
            append(UInt64(offset), to: &bytes)
            offset += aligned(tensor.byteCount, alignment)
        }
        return bytes + [UInt8](repeating: 0, count: aligned(bytes.count, alignment) - bytes.count)
    }

    private static func alignment(_ metadata: [GGUFField]) -> Int {
        guard let field = metadata.first(where: { $0.key == "general.alignment" }) else { return defaultAlignment }
        let value = field.encoded.reversed().reduce(0) { $0 << 8 | Int($1) }
        precondition(
            field.type == .uint32 && value > 0 && value & (value - 1) == 0, "general.alignment is no power of two")
        return value
    }

    /// A split model is refused before its first part is written if the disk can't hold all of them.
    private static func checkSpace(for needed: Int, _ url: URL) throws(FormatError) {
        var status = statvfs()
        guard statvfs(url.deletingLastPathComponent().path, &status) == 0 else { return }
        let free = Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
        guard free >= needed else { throw .diskFull(path: url.relativePath, needed: needed, free: free) }
    }
}
