// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats

/// Writes one half of a packed data set: ids, and for conversations which of them the loss counts, in shards.
struct ShardWriter {
    private let folder: URL
    private let name: String
    private let idBytes: Int
    private let isMasked: Bool
    private var ids: [Int32] = []
    private var mask: [Bool] = []
    private(set) var split = PackedManifest.Split()
    /// Ids of one shard.
    static let shardLength = 1 << 26

    init(_ folder: URL, _ name: String, idBytes: Int, isMasked: Bool) {
        self.folder = folder
        self.name = name
        self.idBytes = idBytes
        self.isMasked = isMasked
    }

    /// Ids so far.
    var count: Int { split.tokens + ids.count }

    /// Appends ids; `counts` says which of them the loss counts, for conversations.
    mutating func append(_ new: some Collection<Int32>, counts: some Collection<Bool>) throws {
        ids += new
        if isMasked { mask += counts }
        while ids.count >= Self.shardLength { try flush(Self.shardLength) }
    }

    /// Notes that a document ended.
    mutating func endDocument() { split.documents += 1 }

    /// Writes what is left.
    mutating func finish() throws {
        if !ids.isEmpty { try flush(ids.count) }
    }

    private mutating func flush(_ count: Int) throws {
        let stem = shardName(name, split.shards.count)
        try writeAtomically(to: folder.appending(path: "\(stem).bin"), size: count * idBytes) { writer in
            let bytes: [UInt8] = ids.prefix(count).flatMap { id in
                (0..<idBytes).map { UInt8(truncatingIfNeeded: id >> (8 * Int32($0))) }
            }
            try writer.write(bytes)
        }
        if isMasked {
            try writeAtomically(mask.prefix(count).map { $0 ? 1 : 0 }, to: folder.appending(path: "\(stem).mask"))
            mask.removeFirst(count)
        }
        ids.removeFirst(count)
        split.shards.append(count)
        split.tokens += count
    }
}
