// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamTensors

/// What is added to projections of a decoder, unmerged, so that one decoder serves several adapters at once.
///
/// LoRA (Hu et al. 2021).
/// Read from a folder as PEFT writes it (`adapter_config.json`, `adapter_model.safetensors`) or from a GGUF file as
/// llama.cpp's converter does. Adapters of attention and feed-forward projections are taken; anything else (embeddings,
/// heads, biases, experts, DoRA, whole modules) is refused by name, since leaving it out would change the answers.
public struct Adapter {
    /// A projection of a block.
    struct Site: Hashable {
        enum Kind: Hashable { case attentionInput, attentionOutput, up, down }

        let layer: Int
        let kind: Kind
    }

    private let pairs: [Site: LowRank]

    /// What is added to a projection; nil for nothing.
    func pair(at site: Site) -> LowRank? { pairs[site] }

    /// Opens the adapter at `url`, a folder or a `.gguf` file, for models of this config.
    ///
    /// - Throws: `FormatError` or `ModelError` that name what does not fit where
    public init(_ url: URL, for config: DecoderConfig) throws {
        let all = try Self.pieces(url, config)
        var pairs: [Site: LowRank] = [:]
        for layer in 0..<config.layers {
            for projection in config.projections(layer: layer) {
                var pieces: [(piece: AdapterPiece, first: Int)] = []
                var first = 0
                for (name, outputs) in projection.pieces {
                    if let piece = all[name] { pieces.append((piece, first)) }
                    first += outputs
                }
                if pieces.isEmpty { continue }
                pairs[Site(layer: layer, kind: projection.kind)] = Self.joined(pieces, outputs: first)
            }
        }
        self.pairs = pairs
    }

    /// What an adapter adds, by the names of projections at Hugging Face.
    static func pieces(_ url: URL, _ config: DecoderConfig) throws -> [String: AdapterPiece] {
        let file: any AdapterFile =
            url.pathExtension.lowercased() == "gguf" ? try GGUFAdapterFile(url, config) : try PEFTFolder(url)
        var pieces: [String: AdapterPiece] = [:]
        for layer in 0..<config.layers {
            for projection in config.projections(layer: layer) {
                for (name, outputs) in projection.pieces {
                    pieces[name] = try file.piece(name, outputs: outputs, inputs: projection.inputs)
                }
            }
        }
        let rest = file.names.subtracting(pieces.values.flatMap(\.names))
        if let name = rest.sorted().first {
            throw ModelError.mismatch("\(file.path): the adapter has \(name), which has no place in this model.")
        }
        guard !pieces.isEmpty else { throw ModelError.mismatch("\(file.path): the adapter changes nothing.") }
        return pieces
    }

    /// Pieces of one projection as one pair: their inner parts behind one another, each writing to its own outputs.
    private static func joined(_ pieces: [(piece: AdapterPiece, first: Int)], outputs: Int) -> LowRank {
        let ranks = pieces.map { $0.piece.rank }
        let total = ranks.reduce(0, +)
        var up = [Float](repeating: 0, count: outputs * total)
        var column = 0
        for (piece, first) in pieces {
            for row in 0..<piece.outputs {
                for r in 0..<piece.rank {
                    up[(first + row) * total + column + r] = piece.up[row * piece.rank + r] * piece.scale
                }
            }
            column += piece.rank
        }
        let down = pieces.flatMap(\.piece.down)
        return LowRank(
            down: Tensor(down, [total, down.count / max(total, 1)]), up: Tensor(up, [outputs, total]))
    }
}

/// A run of rows of a pass that an adapter changes.
public struct AdaptedRows {
    /// The rows.
    public let rows: Range<Int>
    /// What changes them.
    public let adapter: Adapter

    /// These rows, by this adapter.
    public init(rows: Range<Int>, adapter: Adapter) {
        self.rows = rows
        self.adapter = adapter
    }
}

/// The adapter of one tensor: up · down · scale is added to it.
struct AdapterPiece {
    var down: [Float]  // (rank, inputs)
    var up: [Float]  // (outputs, rank)
    var rank: Int
    var outputs: Int
    var scale: Float
    /// The tensors it was read from.
    var names: [String]
}

/// Where adapters are read from.
protocol AdapterFile {
    /// For errors.
    var path: String { get }
    /// All tensors.
    var names: Set<String> { get }
    /// What is added to the projection `name` (as Hugging Face calls it, without ".weight"); nil if nothing.
    func piece(_ name: String, outputs: Int, inputs: Int) throws -> AdapterPiece?
}

extension DecoderConfig {
    /// A projection of a block as the decoder computes it: some of them behind one another.
    struct Projection {
        let kind: Adapter.Site.Kind
        /// Full names in files, and outputs.
        let pieces: [(name: String, outputs: Int)]
        let inputs: Int
    }

    /// The projections of a block, but for those of experts.
    func projections(layer: Int) -> [Projection] {
        let names = family.names
        let scope = "\(names.root).\(names.layers).\(layer)."
        let s = attention
        let (inner, keys) = (s.heads * s.headDim, s.kvHeads * s.headDim)
        let rows = names.qkv.count == 1 ? [s.fusedWidth] : [inner, keys, keys]
        var list = [
            Projection(
                kind: .attentionInput, pieces: zip(names.qkv, rows).map { (scope + $0, $1) }, inputs: hiddenSize),
            Projection(
                kind: .attentionOutput, pieces: [(scope + names.attentionOutput, hiddenSize)], inputs: inner),
        ]
        guard experts == nil else { return list }
        let width = (feedForward.isGated ? 2 : 1) * intermediateSize / names.up.count
        list.append(Projection(kind: .up, pieces: names.up.map { (scope + $0, width) }, inputs: hiddenSize))
        list.append(Projection(kind: .down, pieces: [(scope + names.down, hiddenSize)], inputs: intermediateSize))
        return list
    }
}
