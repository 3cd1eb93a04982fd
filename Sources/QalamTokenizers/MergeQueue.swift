// SPDX-License-Identifier: Apache-2.0

/// Which neighbours merge.
protocol MergeRule {
    /// Rank in the high and resulting id in the low half for the parts at `left` and `right`, the latter reaching up to
    /// the part at `end`; `MergeTable.none` where they do not merge.
    func value(_ parts: Block<TokenID>, _ left: Int, _ right: Int, end: Int) -> UInt64
}

/// Merges the parts of a piece, lowest rank and leftmost first, in O(n log n): a heap of (rank, position) over a linked
/// list of parts.
///
/// Entries of the heap are not removed when their pair changes; one that no longer matches `values` is skipped.
struct MergeQueue {
    /// Most parts of one run, because places take 31 bits; a piece of over a gigabyte is cut there.
    static let limit = 1 << 30

    /// The parts, written by the caller up to the count that it merges.
    private(set) var parts = Block<TokenID>(count: 64, repeating: 0)
    private var next = Block<Int32>(count: 64, repeating: 0)
    private var previous = Block<Int32>(count: 64, repeating: 0)
    private var values = Block<UInt64>(count: 64, repeating: 0)
    private var heap = MinimumHeap()
    private var count = 0

    /// Makes room for `count` parts, without keeping any.
    mutating func reserve(_ count: Int) {
        guard count > parts.count else { return }
        let size = min(count * 2, Self.limit)
        parts = Block(unwritten: size)
        next = Block(unwritten: size)
        previous = Block(unwritten: size)
        values = Block(unwritten: size)
    }

    /// Merges the first `count` parts, up to `limit`.
    mutating func merge(_ count: Int, _ rule: some MergeRule) {
        precondition(count <= Self.limit && count <= parts.count, "\(count) parts against \(parts.count)")
        self.count = count
        for index in 0..<count {
            next[index] = Int32(index + 1)
            previous[index] = Int32(index - 1)
        }
        for index in 0..<count { offer(index, rule) }
        while let top = heap.pop() {
            let at = Int(top & 0xFFFF_FFFF)
            guard values[at] != MergeTable.none, values[at] &>> 32 == top &>> 32 else { continue }
            let right = Int(next[at])
            parts[at] = TokenID(truncatingIfNeeded: values[at])
            values[right] = MergeTable.none
            next[at] = next[right]
            if Int(next[at]) < count { previous[Int(next[at])] = Int32(at) }
            offer(at, rule)
            if previous[at] >= 0 { offer(Int(previous[at]), rule) }
        }
    }

    /// Calls `body` with each part that is left: its id, and the places of its first part and of the one behind it.
    func forEachPart(_ body: (TokenID, Int, Int) -> Void) {
        var index = 0
        while index < count {
            body(parts[index], index, Int(next[index]))
            index = Int(next[index])
        }
    }

    @inline(__always)
    private mutating func offer(_ left: Int, _ rule: some MergeRule) {
        let right = Int(next[left])
        values[left] =
            right < count ? rule.value(parts, left, right, end: Int(next[right])) : MergeTable.none
        if values[left] != MergeTable.none { heap.push(values[left] & 0xFFFF_FFFF_0000_0000 | UInt64(left)) }
    }
}

/// A binary heap that gives the smallest word first.
struct MinimumHeap {
    private var words: [UInt64] = []

    /// Adds a word.
    mutating func push(_ word: UInt64) {
        words.append(word)
        var child = words.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard word < words[parent] else { break }
            words[child] = words[parent]
            child = parent
        }
        words[child] = word
    }

    /// Takes the smallest word, nil when none is left.
    mutating func pop() -> UInt64? {
        guard let last = words.popLast() else { return nil }
        guard let top = words.first else { return last }
        var hole = 0
        while true {
            var child = hole * 2 + 1
            guard child < words.count else { break }
            if child + 1 < words.count && words[child + 1] < words[child] { child += 1 }
            guard words[child] < last else { break }
            words[hole] = words[child]
            hole = child
        }
        words[hole] = last
        return top
    }
}
