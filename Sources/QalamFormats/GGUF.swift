// SPDX-License-Identifier: Apache-2.0

public import Foundation
public import QalamTensors

/// A model in the GGUF format: one file, or several parts that llama.cpp's tools have split it into.
///
/// Opening reads and checks the heads only, in milliseconds; numbers are read from the mapped files when asked for.
public struct GGUF: Sendable {
    /// Where one tensor is and what it holds.
    public struct Tensor: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its sizes, outermost first: the reverse of ggml's order; empty for a single number.
        public let shape: [Int]
        /// The type of its numbers.
        public let type: BlockType
        /// Its bytes, as offsets in its file.
        public internal(set) var bytes: Range<Int>
        /// Which of the files it is in.
        package let file: Int

        /// How many numbers it has.
        public var count: Int { shape.reduce(1, *) }
    }

    /// Tensors start at multiples of this many bytes unless `general.alignment` says otherwise.
    package static let defaultAlignment = 32

    /// What was opened, as errors name it.
    public let path: String
    /// The metadata; of several parts, those of the first.
    public let metadata: GGUFMetadata
    /// Every tensor, in the order of the files.
    public let tensors: [Tensor]
    private let files: [MappedFile]
    private let indexByName: [String: Int]

    /// Opens a `.gguf` file; any part of a split model opens all of it, its parts lying in one folder.
    ///
    /// - Throws: `FormatError` that says where a file is damaged, or which parts are missing.
    public init(_ url: URL) throws(FormatError) {
        let first = try MappedFile(url)
        let header = try GGUFHeader(first, index: 0)
        path = first.path
        if let parts = try GGUFParts(url, header.metadata) {
            (metadata, tensors, files) = try parts.open()
        } else {
            (metadata, tensors, files) = (header.metadata, header.tensors, [first])
        }
        var indexByName: [String: Int] = [:]
        indexByName.reserveCapacity(tensors.count)
        for (index, tensor) in tensors.enumerated() {
            guard indexByName.updateValue(index, forKey: tensor.name) == nil else {
                throw .malformed(path: path, at: 0, why: "the tensor \(tensor.name) comes in two parts")
            }
        }
        self.indexByName = indexByName
    }

    /// The paths of the files, in the order of the parts.
    package var paths: [String] { files.map(\.path) }

    /// Bytes of all files.
    public var byteCount: Int { files.reduce(0) { $0 + $1.count } }

    /// What is known of the tensor `name`; nil if there is none.
    public func tensor(named name: String) -> Tensor? { indexByName[name].map { tensors[$0] } }

    /// Lends the raw bytes of `tensor`, one of this model's, to `body`.
    package func withBytes<Result>(
        of tensor: Tensor, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let file = files[tensor.file]
        defer { withExtendedLifetime(file) {} }
        return try body(UnsafeRawBufferPointer(rebasing: file.buffer[tensor.bytes]))
    }

    /// The mapped file that holds `tensor`, one of this model's, and where in it: for weights used in place.
    package func mapped(_ tensor: Tensor) -> (file: MappedFile, bytes: Range<Int>) {
        (files[tensor.file], tensor.bytes)
    }

    /// Bytes of a tensor; nil if a row is no whole number of blocks, or they can't be counted in an `Int`.
    package static func byteCount(_ shape: [Int], _ type: BlockType) -> Int? {
        let columns = shape.last ?? 1
        guard let rowBytes = type.byteCount(numbers: columns) else { return nil }
        var (bytes, count, overflow) = (rowBytes, columns, false)
        // The number of numbers must be countable too: a block may have fewer bytes than numbers.
        for size in shape.dropLast() {
            let product = bytes.multipliedReportingOverflow(by: size)
            let counted = count.multipliedReportingOverflow(by: size)
            overflow = overflow || product.overflow || counted.overflow
            (bytes, count) = (product.partialValue, counted.partialValue)
        }
        return overflow ? nil : bytes
    }
}
