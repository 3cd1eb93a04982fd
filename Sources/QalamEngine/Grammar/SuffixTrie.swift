// SPDX-License-Identifier: Apache-2.0

/// What may follow the end of a terminal inside a token: the parts of tokens below some nodes of the trie, merged, so
/// that equal parts are read once whatever comes before them.
struct SuffixTrie: Sendable {
    struct Node: Sendable {
        /// Where the nodes below end.
        var end: UInt32
        /// Where the tokens that end here begin and end in `tokens`.
        var firstToken: UInt32
        var lastToken: UInt32
        var depth: UInt16
        let byte: UInt8
    }

    /// Most nodes below an exit that is merged: what lies below others is mostly never read.
    static let mostBelow: UInt32 = 64

    private(set) var nodes: [Node] = []
    private(set) var tokens: [Int32] = []
    private(set) var deepest = 0

    /// The parts of tokens below the nodes `exits`.
    init(_ exits: [UInt32], of trie: TokenTrie) {
        if !exits.isEmpty { merge(exits, trie, depth: 1) }
    }

    private mutating func merge(_ parents: [UInt32], _ trie: TokenTrie, depth: Int) {
        var children: [(byte: UInt8, node: UInt32)] = []
        for parent in parents {
            var child = parent + 1
            while child < trie.nodes[Int(parent)].end {
                children.append((trie.nodes[Int(child)].byte, child))
                child = trie.nodes[Int(child)].end
            }
        }
        children.sort { $0.byte < $1.byte }
        var start = 0
        while start < children.count {
            let byte = children[start].byte
            var end = start
            let index = nodes.count
            let firstToken = UInt32(tokens.count)
            while end < children.count, children[end].byte == byte {
                var token = trie.nodes[Int(children[end].node)].token
                while token >= 0 {
                    tokens.append(token)
                    token = trie.twins[Int(token)]
                }
                end += 1
            }
            nodes.append(
                Node(
                    end: 0, firstToken: firstToken, lastToken: UInt32(tokens.count), depth: UInt16(depth), byte: byte))
            deepest = max(deepest, depth)
            merge(children[start..<end].map(\.node), trie, depth: depth + 1)
            nodes[index].end = UInt32(nodes.count)
            start = end
        }
    }
}
