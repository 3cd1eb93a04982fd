// SPDX-License-Identifier: Apache-2.0

/// The tokens of a tokenizer as a trie over their bytes, made once per tokenizer and shared.
package struct GrammarVocabulary: Sendable {
    let trie: TokenTrie

    /// A vocabulary of tokens `0..<count`.
    ///
    /// - Parameters:
    ///   - count: How many ids the model has logits for.
    ///   - endTokens: Those that end an answer: allowed exactly when the answer is complete.
    ///   - bytes: The bytes of a token; nil for special tokens, which are never allowed (but `endTokens` are).
    package init(count: Int, endTokens: Set<Int32>, bytes: (Int32) -> [UInt8]?) {
        trie = TokenTrie(count: count, endTokens: endTokens, bytes: bytes)
    }

    /// How many ids there are.
    package var count: Int { trie.count }
}

/// A trie in preorder: the nodes below node `i` are `i + 1 ..< nodes[i].end`.
final class TokenTrie: Sendable {
    struct Node: Sendable {
        /// Where the nodes below end.
        var end: UInt32
        /// A token that ends here, -1 where none does.
        var token: Int32
        var depth: UInt16
        /// The byte on the way into the node.
        let byte: UInt8
        /// Whether more tokens have these bytes.
        var hasTwins = false
    }

    let count: Int
    let endTokens: [Int32]
    /// Words of a mask.
    let wordCount: Int
    let nodes: [Node]
    /// Every token but the end tokens.
    let allButEnds: TokenMask
    let all: TokenMask
    /// Per token: another with the same bytes, or -1.
    let twins: [Int32]
    let deepest: Int
    /// Bytes up to which a token is short.
    static let shortLength = 16
    /// The nodes on the way to tokens that are not short.
    let long: Part
    /// These tokens.
    let longMask: [UInt32]
    /// Those of them that are plain, and their bytes.
    let longPlain: [(token: Int32, length: Int)]
    /// The nodes on the way to those that are not.
    let longNotPlain: Part
    /// Tokens that are short and plain: whole characters that stand in a JSON string without an escape.
    let plainMask: [UInt32]
    /// The nodes on the way to the other tokens.
    let notPlain: Part

    /// The nodes on the way to some tokens, with these tokens only, in preorder.
    struct Part: Sendable {
        let nodes: [Node]
        /// Where each of them is among all nodes.
        let origins: [UInt32]
    }
    /// Where the bytes of each token are: `texts[textStarts[id]..<textStarts[id + 1]]`; empty for special tokens.
    private let texts: [UInt8]
    private let textStarts: [UInt32]

    /// No tokens.
    static let empty = TokenTrie(count: 0, endTokens: []) { _ in nil }

    init(count: Int, endTokens: Set<Int32>, bytes: (Int32) -> [UInt8]?) {
        self.count = count
        self.endTokens = endTokens.filter { (0..<Int32(count)).contains($0) }.sorted()
        wordCount = (count + 31) / 32
        var texts: [UInt8] = []
        var starts: [UInt32] = [0]
        var order: [Int32] = []
        for id in 0..<Int32(count) {
            if !endTokens.contains(id), let text = bytes(id), !text.isEmpty, text.count < UInt16.max {
                texts += text
                order.append(id)
            }
            starts.append(UInt32(texts.count))
        }
        let text = { (id: Int32) in texts[Int(starts[Int(id)])..<Int(starts[Int(id) + 1])] }
        order.sort { a, b in text(a).lexicographicallyPrecedes(text(b)) }
        var builder = TrieBuilder(twins: Array(repeating: -1, count: count))
        for id in order { builder.add(text(id), id) }
        builder.close(to: 0)
        (nodes, twins, deepest) = (builder.nodes, builder.twins, builder.deepest)
        long = builder.part { $0.depth > Self.shortLength }
        var (longMask, longPlain) = ([UInt32](repeating: 0, count: wordCount), [(token: Int32, length: Int)]())
        longNotPlain = builder.part { node in
            guard node.depth > Self.shortLength else { return false }
            longMask.allow(node, builder.twins)
            guard Self.isPlain(text(node.token)) else { return true }
            var token = node.token
            while token >= 0 {
                longPlain.append((token, Int(node.depth)))
                token = builder.twins[Int(token)]
            }
            return false
        }
        (self.longMask, self.longPlain) = (longMask, longPlain)
        var plainMask = [UInt32](repeating: 0, count: wordCount)
        notPlain = builder.part { node in
            guard node.depth <= Self.shortLength, Self.isPlain(text(node.token)) else { return true }
            plainMask.allow(node, builder.twins)
            return false
        }
        self.plainMask = plainMask
        (self.texts, textStarts) = (texts, starts)
        var free = [UInt32](repeating: 0, count: wordCount)
        free.allow((0..<Int32(count)).filter { !endTokens.contains($0) })
        allButEnds = TokenMask(words: free)
        free.allow(endTokens.filter { (0..<Int32(count)).contains($0) })
        all = TokenMask(words: free)
    }

    /// Whether these bytes are whole characters that need no escape in a JSON string.
    private static func isPlain(_ text: ArraySlice<UInt8>) -> Bool {
        let hasSpecials = text.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
        return !hasSpecials && String(validating: text, as: UTF8.self) != nil
    }

    /// The bytes of a token; none for special tokens and ids that do not exist.
    func text(of token: Int32) -> ArraySlice<UInt8> {
        guard token >= 0, Int(token) < count else { return [] }
        return texts[Int(textStarts[Int(token)])..<Int(textStarts[Int(token) + 1])]
    }
}

private struct TrieBuilder {
    var nodes: [TokenTrie.Node] = []
    var twins: [Int32]
    var deepest = 0
    private var path: [(byte: UInt8, node: Int)] = []

    init(twins: [Int32]) { self.twins = twins }

    /// Adds the next token in the order of bytes.
    mutating func add(_ text: ArraySlice<UInt8>, _ id: Int32) {
        let shared = zip(path, text).prefix { $0.byte == $1 }.count
        close(to: shared)
        for byte in text.dropFirst(shared) {
            path.append((byte, nodes.count))
            nodes.append(.init(end: 0, token: -1, depth: UInt16(path.count), byte: byte))
        }
        deepest = max(deepest, path.count)
        guard let node = path.last?.node else { return }
        twins[Int(id)] = nodes[node].token
        nodes[node].hasTwins = twins[Int(id)] >= 0
        nodes[node].token = id
    }

    /// Ends the nodes deeper than `depth`.
    mutating func close(to depth: Int) {
        while path.count > depth { nodes[path.removeLast().node].end = UInt32(nodes.count) }
    }

    /// The nodes on the way to the tokens at nodes that satisfy `keeps`.
    func part(_ keeps: (TokenTrie.Node) -> Bool) -> TokenTrie.Part {
        // Each node ends before those that are not below it: scanned backwards, what lies below is known.
        var kept = [Bool](repeating: false, count: nodes.count)
        var hasToken = kept
        var keepsAt = [Bool](repeating: false, count: deepest + 2)
        for index in nodes.indices.reversed() {
            let depth = Int(nodes[index].depth)
            hasToken[index] = nodes[index].token >= 0 && keeps(nodes[index])
            kept[index] = hasToken[index] || keepsAt[depth + 1]
            keepsAt[depth + 1] = false
            if kept[index] { keepsAt[depth] = true }
        }
        var before: [UInt32] = [0]
        for isKept in kept { before.append((before.last ?? 0) + (isKept ? 1 : 0)) }
        let origins = nodes.indices.filter { kept[$0] }
        let part = origins.map { index in
            var node = nodes[index]
            node.end = before[Int(node.end)]
            if !hasToken[index] { (node.token, node.hasTwins) = (-1, false) }
            return node
        }
        return TokenTrie.Part(nodes: part, origins: origins.map { UInt32($0) })
    }
}
