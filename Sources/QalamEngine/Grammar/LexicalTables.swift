// SPDX-License-Identifier: Apache-2.0

/// The terminals of a grammar as deterministic automata over classes of bytes, built as they are needed.
///
/// A state is a set of states of the ``ByteAutomaton``; state 0 is the empty set, from which nothing matches.
struct LexicalTables {
    static let unknown = UInt32.max

    private let automaton: ByteAutomaton
    private let classCount: Int
    private var sets: [[UInt32]] = [[]]
    private var index: [[UInt32]: UInt32] = [[]: 0]
    /// State and class → state.
    private var next: [UInt32]
    private var starts: [UInt32]
    private(set) var accepts = [false]
    /// Whether a state has any move.
    private(set) var moves = [false]
    private let classOf: [UInt8]
    private var marks: [UInt32]
    private var generation: UInt32 = 0
    private var pending: [UInt32] = []
    /// What `afterPlain` has found; 0 for nothing.
    private var plainTargets: [UInt32: UInt32] = [:]

    init(_ automaton: ByteAutomaton) {
        self.automaton = automaton
        classCount = automaton.sampleOf.count
        classOf = automaton.classOf
        next = Array(repeating: 0, count: classCount)
        starts = Array(repeating: Self.unknown, count: automaton.starts.count)
        marks = Array(repeating: 0, count: automaton.stateCount)
    }

    var count: Int { sets.count }

    func set(_ state: UInt32) -> [UInt32] { sets[Int(state)] }

    /// Where a terminal starts.
    mutating func start(_ terminal: Int32) -> UInt32 {
        if starts[Int(terminal)] == Self.unknown {
            starts[Int(terminal)] = intern(closure([automaton.starts[Int(terminal)]]))
        }
        return starts[Int(terminal)]
    }

    /// The state after a byte of a class.
    @inline(__always)
    mutating func step(_ state: UInt32, _ byteClass: Int) -> UInt32 {
        let known = next[Int(state) * classCount + byteClass]
        return known == Self.unknown ? compute(state, byteClass) : known
    }

    private mutating func compute(_ state: UInt32, _ byteClass: Int) -> UInt32 {
        let byte = automaton.sampleOf[byteClass]
        var targets: [UInt32] = []
        for member in sets[Int(state)] {
            let range = automaton.moveStarts[Int(member)]..<automaton.moveStarts[Int(member) + 1]
            for i in range where automaton.moves[Int(i)].low <= byte && byte <= automaton.moves[Int(i)].high {
                targets.append(automaton.moves[Int(i)].target)
            }
        }
        let target = targets.isEmpty ? 0 : intern(closure(targets))
        next[Int(state) * classCount + byteClass] = target
        return target
    }

    /// The states reached by reading nothing, sorted; only those that move or accept.
    private mutating func closure(_ states: [UInt32]) -> [UInt32] {
        generation &+= 1
        if generation == 0 {
            for i in marks.indices { marks[i] = 0 }
            generation = 1
        }
        var reached: [UInt32] = []
        for state in states where marks[Int(state)] != generation {
            marks[Int(state)] = generation
            pending.append(state)
        }
        while let state = pending.popLast() {
            let s = Int(state)
            if automaton.accepts[s] || automaton.moveStarts[s] != automaton.moveStarts[s + 1] { reached.append(state) }
            for i in automaton.emptyStarts[s]..<automaton.emptyStarts[s + 1] {
                let target = automaton.empties[Int(i)]
                if marks[Int(target)] == generation { continue }
                marks[Int(target)] = generation
                pending.append(target)
            }
        }
        return reached.sorted()
    }

    mutating func intern(_ set: [UInt32]) -> UInt32 {
        if let known = index[set] { return known }
        let state = UInt32(sets.count)
        index[set] = state
        sets.append(set)
        accepts.append(set.contains { automaton.accepts[Int($0)] })
        moves.append(set.contains { automaton.moveStarts[Int($0)] != automaton.moveStarts[Int($0) + 1] })
        next.append(contentsOf: repeatElement(Self.unknown, count: classCount))
        return state
    }

    // MARK: Tokens

    /// A state from which the same texts of up to `length` bytes can be read, and the same for all far from the end of
    /// a count: where more than `length` copies of an expression follow, it does not matter how many.
    mutating func normalized(_ state: UInt32, length: Int) -> UInt32 {
        if automaton.copies.isEmpty { return state }
        let set = sets[Int(state)].map { normalized(member: $0, UInt32(length)) }
        if set == sets[Int(state)] { return state }
        return intern(Array(Set(set)).sorted())
    }

    private func normalized(member: UInt32, _ length: UInt32) -> UInt32 {
        guard let (copies, left) = copies(at: member), left > length + 1 else { return member }
        return member + (left - length - 1) * copies.size
    }

    /// The copies that a state of the automaton is among, and how many follow its own.
    private func copies(at member: UInt32) -> (ByteAutomaton.Copies, left: UInt32)? {
        var (low, high) = (0, automaton.copies.count)
        while low < high {
            let middle = (low + high) / 2
            if automaton.copies[middle].start <= member { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let copies = automaton.copies[low - 1]
        let copy = (member - copies.start) / copies.size
        return copy < copies.count ? (copies, copies.count - 1 - copy) : nil
    }

    /// How many copies of an expression follow wherever the state may be: at least so many more can be read.
    func room(_ state: UInt32) -> Int {
        sets[Int(state)].compactMap { copies(at: $0).map { Int($0.left) } }.min() ?? 0
    }

    /// Whether a text can be read from a state, staying within the terminal.
    mutating func reads(_ text: ArraySlice<UInt8>, from state: UInt32) -> Bool {
        var state = state
        for byte in text {
            state = step(state, Int(classOf[Int(byte)]))
            if state == 0 { return false }
        }
        return true
    }

    /// Meets the states after any byte.
    mutating func expand(_ state: UInt32) { for byteClass in 0..<classCount { _ = step(state, byteClass) } }

    /// Whether any `length` characters that need no escape in a JSON string can be read from a state, and the terminal
    /// can't end before or between them.
    mutating func readsPlainText(_ state: UInt32, length: Int) -> Bool {
        var state = state
        for _ in 0..<length {
            guard !accepts[Int(state)], let next = afterPlain(state) else { return false }
            if next == state { return true }
            state = next
        }
        return !accepts[Int(state)]
    }

    /// The one state that every character which needs no escape leads to; nil if there is no such state.
    private mutating func afterPlain(_ state: UInt32) -> UInt32? {
        if let known = plainTargets[state] { return known == 0 ? nil : known }
        var targets: Set<UInt32> = []
        for sequence in JSONText.plainBytes {
            var reached: Set<UInt32> = [state]
            for range in sequence {
                var next: Set<UInt32> = []
                for from in reached {
                    for byteClass in Int(classOf[Int(range.lowerBound)])...Int(classOf[Int(range.upperBound)]) {
                        next.insert(step(from, byteClass))
                    }
                }
                reached = next
            }
            targets.formUnion(reached)
            if targets.count > 1 || targets.contains(0) { break }
        }
        let target = targets.count == 1 ? targets.first ?? 0 : 0
        plainTargets[state] = target
        return target == 0 ? nil : target
    }

    /// Allows the tokens that can be read from a state, and finds the nodes at which the terminal may end with tokens
    /// below.
    mutating func walk(
        _ nodes: [TokenTrie.Node], of trie: TokenTrie, from state: UInt32, into words: inout [UInt32],
        exits: inout [UInt32]
    ) {
        var path = [UInt32](repeating: state, count: trie.deepest + 1)
        let classOf = classOf
        nodes.withUnsafeBufferPointer { nodes in
            path.withUnsafeMutableBufferPointer { path in
                var i = 0
                while i < nodes.count {
                    let node = nodes[i]
                    let depth = Int(node.depth)
                    let target = step(path[depth - 1], Int(classOf[Int(node.byte)]))
                    if target == 0 {
                        i = Int(node.end)
                        continue
                    }
                    path[depth] = target
                    if node.token >= 0 { words.allow(node, trie.twins) }
                    let end = Int(node.end)
                    if end > i + 1, accepts[Int(target)] { exits.append(UInt32(i)) }
                    i = moves[Int(target)] ? i + 1 : end
                }
            }
        }
    }
}
