// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamTensors

// A packed data set is a folder:
//   data.json            what it is: see PackedManifest
//   tokenizer.json       what its ids mean
//   train-00000.bin …    ids, little-endian, 2 or 4 bytes each
//   train-00000.mask …   conversations only: one byte an id, 1 where the loss counts
//   heldout-00000.bin …  the same, never trained on

/// `data.json` of a packed data set.
public struct PackedManifest: Codable, Sendable, Equatable {
    /// One half of the data: what is trained on, or what is held out.
    public struct Split: Codable, Sendable, Equatable {
        /// Ids in all shards.
        public var tokens = 0
        /// Documents or conversations.
        public var documents = 0
        /// Ids in each shard.
        public var shards: [Int] = []
    }

    /// A file that went in.
    public struct Source: Codable, Sendable, Equatable {
        /// Its name, without folders.
        public var name: String
        /// Its bytes on disk.
        public var bytes: Int
        /// SHA-256 of those bytes.
        public var sha256: String
    }

    /// The version of this layout.
    public var format = 1
    /// Bytes of one id: 2 or 4.
    public var idBytes: Int
    /// Rows of this many ids stand alone (conversations); 0 for one stream of text.
    public var rowLength: Int
    /// Entries of the tokenizer.
    public var vocabularySize: Int
    /// SHA-256 of tokenizer.json.
    public var tokenizerHash: String
    /// What is trained on.
    public var train = Split()
    /// What is held out.
    public var heldout = Split()
    /// The files that went in.
    public var sources: [Source] = []
}

/// Rows of ids for one pass through the model.
public struct TokenBatch: Sendable, Equatable {
    /// B·T ids.
    public var inputs: [Int32] = []
    /// The id after each, -1 where there is no loss.
    public var targets: [Int32] = []
    /// B.
    public var rows = 0
}

/// A packed data set, its ids memory-mapped.
public struct PackedData: Sendable {
    /// What is in it.
    public let manifest: PackedManifest
    /// The folder.
    public let url: URL
    /// What is trained on.
    let train: PackedSplit
    /// What is held out.
    let heldout: PackedSplit

    /// Opens a folder that `qalam data pack` wrote.
    ///
    /// - Throws: `FormatError` if a file is missing, damaged or of the wrong length.
    public init(_ url: URL) throws {
        self.url = url
        let file = url.appending(path: "data.json")
        let bytes = try MappedFile(file).withBytes { Data($0.withUnsafeBytes { Array($0) }) }
        do {
            manifest = try JSONDecoder().decode(PackedManifest.self, from: bytes)
        } catch {
            throw FormatError.malformed(
                path: file.path, at: 0, why: "it is not the description of packed data: \(error)")
        }
        guard manifest.format == 1, [2, 4].contains(manifest.idBytes), manifest.rowLength >= 0 else {
            throw FormatError.unsupported(
                path: file.path, why: "this layout of packed data is of another version; pack it again.")
        }
        train = try PackedSplit(url, "train", manifest.train, manifest)
        heldout = try PackedSplit(url, "heldout", manifest.heldout, manifest)
    }
}

/// One half of a packed data set: ids by position.
struct PackedSplit: Sendable {
    private let shards: [(ids: MappedFile, mask: MappedFile?, start: Int)]
    private let idBytes: Int
    private let rowLength: Int
    private let vocabularySize: Int
    let tokens: Int

    init(_ url: URL, _ name: String, _ split: PackedManifest.Split, _ manifest: PackedManifest) throws {
        var start = 0
        shards = try split.shards.enumerated().map { index, count in
            let stem = shardName(name, index)
            let ids = try MappedFile(url.appending(path: "\(stem).bin"))
            let mask = manifest.rowLength > 0 ? try MappedFile(url.appending(path: "\(stem).mask")) : nil
            for (file, expected) in [
                (ids, count * manifest.idBytes),
                (mask ?? ids, mask == nil ? count * manifest.idBytes : count),
            ]
            where file.count != expected {
                throw FormatError.truncated(path: file.path, at: file.count, expected: expected)
            }
            defer { start += count }
            return (ids, mask, start)
        }
        idBytes = manifest.idBytes
        rowLength = manifest.rowLength
        vocabularySize = manifest.vocabularySize
        tokens = start
    }

    /// How many rows of `length` inputs there are, each with its targets.
    func rowCount(length: Int) -> Int {
        rowLength > 0 ? tokens / rowLength : max(0, (tokens - 1) / length)
    }

    /// Rows `rows` of `length` inputs each, with their targets.
    ///
    /// - Throws: `FormatError` if an id lies outside the vocabulary: the file is damaged.
    func batch(_ rows: [Int], length: Int) throws -> TokenBatch {
        var batch = TokenBatch()
        batch.rows = rows.count
        batch.inputs.reserveCapacity(rows.count * length)
        batch.targets.reserveCapacity(rows.count * length)
        for row in rows {
            let start = row * (rowLength > 0 ? rowLength : length)
            let (ids, counts) = try read(start, length + 1)
            batch.inputs += ids.dropLast()
            batch.targets += zip(ids, counts).dropFirst().map { $1 ? $0 : -1 }
        }
        return batch
    }

    /// `count` ids from position `start`, and whether the loss of each counts.
    private func read(_ start: Int, _ count: Int) throws -> (ids: [Int32], counts: [Bool]) {
        var (ids, counts): ([Int32], [Bool]) = ([], [])
        var shard = shards.lastIndex { $0.start <= start } ?? 0
        while ids.count < count, shard < shards.count {
            let (file, mask, first) = shards[shard]
            let from = start + ids.count - first
            let available = min(count - ids.count, file.count / idBytes - from)
            for i in from..<from + available {
                let id = self.id(file, i)
                guard id < vocabularySize else {
                    throw FormatError.malformed(
                        path: file.path, at: i * idBytes,
                        why: "id \(id) is outside the vocabulary of \(vocabularySize)")
                }
                ids.append(Int32(id))
                counts.append(mask.map { $0.buffer[i] == 1 } ?? true)
            }
            shard += 1
        }
        return (ids, counts)
    }

    private func id(_ file: MappedFile, _ index: Int) -> Int {
        idBytes == 2
            ? Int(UInt16(littleEndian: file.buffer.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
            : Int(UInt32(littleEndian: file.buffer.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
    }
}

/// "train-00000".
func shardName(_ split: String, _ index: Int) -> String {
    let digits = String(index)
    return "\(split)-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits)"
}

/// The order in which rows are trained on: each epoch a permutation of its own, computed by position alone, so that a
/// run resumes anywhere without a list.
///
/// A Feistel network over the next power of four, walked until it lands inside (Black & Rogaway 2002).
struct RowOrder {
    private let count: Int
    private let seed: UInt64
    private let halfBits: Int

    init(count: Int, seed: UInt64) {
        precondition(count > 0, "rows: \(count)")
        self.count = count
        self.seed = seed
        let bits = Int.bitWidth - max(1, count - 1).leadingZeroBitCount
        halfBits = (bits + 1) / 2
    }

    /// The row at position `position` of the endless sequence of epochs.
    func row(at position: Int) -> Int {
        var value = position % count
        repeat { value = permuted(value, epoch: position / count) } while value >= count
        return value
    }

    private func permuted(_ value: Int, epoch: Int) -> Int {
        let mask = (1 << halfBits) - 1
        var (left, right) = (value >> halfBits, value & mask)
        for round in 0..<4 {
            var random = CounterRandom(seed: seed, stream: UInt64(epoch * 4 + round), position: UInt64(right))
            (left, right) = (right, left ^ (Int(truncatingIfNeeded: random.next()) & mask))
        }
        return left << halfBits | right
    }
}
