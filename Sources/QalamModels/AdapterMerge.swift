// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import QalamFormats
internal import QalamTensors

/// A model folder and an adapter, to be written as one folder.
package struct AdapterMerge {
    private let source: URL
    private let weights: Safetensors
    private let config: DecoderConfig
    /// What is added, by the names of tensors in the folder.
    private let pieces: [String: AdapterPiece]

    /// Opens both and finds the tensors that the adapter changes.
    ///
    /// - Throws: `FormatError` or `ModelError` that name what does not fit where
    package init(_ source: URL, adapter url: URL) throws {
        self.source = source
        let weights = try Safetensors(source)
        let config = try DecoderConfig(contentsOf: source.appending(path: "config.json"))
        var pieces: [String: AdapterPiece] = [:]
        for (module, piece) in try Adapter.pieces(url, config) {
            let short = "\(module.dropFirst(config.family.names.root.count + 1)).weight"
            guard let name = ["\(module).weight", short].first(where: { weights.entry($0) != nil }) else {
                throw FormatError.missing("\(module).weight", in: weights.path)
            }
            pieces[name] = piece
        }
        (self.weights, self.config, self.pieces) = (weights, config, pieces)
    }

    /// Writes the folder: every tensor in the type it has, those that the adapter changes rounded to it, and the other
    /// files of the folder as they are.
    package func write(to url: URL, progress: @escaping (Int, Int) -> Void = { _, _ in }) throws {
        let manager = FileManager.default
        guard url.standardizedFileURL != source.standardizedFileURL else {
            throw ModelError.mismatch("\(url.lastPathComponent): a model can't be merged into its own folder.")
        }
        try manager.createDirectory(at: url, withIntermediateDirectories: true)
        var done = 0
        let names = weights.names
        let tensors = try names.map { name in
            guard let entry = weights.entry(name) else { throw FormatError.missing(name, in: weights.path) }
            return TensorToWrite(name, shape: entry.shape, type: entry.type) { writer in
                if let piece = pieces[name] {
                    let sum = try merged(name, piece)
                    try sum.withUnsafeBufferPointer { try writer.write($0, as: entry.type) }
                } else {
                    try weights.withBytes(of: name) { try writer.write($0) }
                }
                done += 1
                progress(done, names.count)
            }
        }
        try Safetensors.write(tensors, metadata: weights.metadata, to: url.appending(path: Safetensors.fileName))
        for file in try manager.contentsOfDirectory(at: source, includingPropertiesForKeys: nil)
        where !file.lastPathComponent.contains(".safetensors") {
            let target = url.appending(path: file.lastPathComponent)
            if manager.fileExists(atPath: target.path) { try manager.removeItem(at: target) }
            try manager.copyItem(at: file, to: target)
        }
    }

    /// W + scale · up · down, in the layout of the file.
    private func merged(_ name: String, _ piece: AdapterPiece) throws -> [Float] {
        var sum = try weights.floats(name)
        let inputs = piece.down.count / piece.rank
        guard sum.count == piece.outputs * inputs else {
            throw FormatError.shape(
                name, expected: [piece.outputs, inputs], got: weights.entry(name)?.shape ?? [])
        }
        let change = product(
            Tensor(piece.up, [piece.outputs, piece.rank]), Tensor(piece.down, [piece.rank, inputs])
        ).values
        for row in 0..<piece.outputs {
            for column in 0..<inputs {
                let place = config.family.names.transposed ? column * piece.outputs + row : row * inputs + column
                sum[place] += piece.scale * change[row * inputs + column]
            }
        }
        return sum
    }
}
