// SPDX-License-Identifier: Apache-2.0

/// Thompson's automaton over bytes of all terminals of a grammar (Thompson 1968).
///
/// A terminal is a regular expression between two states of its own. States are numbered; moves and empty moves of each
/// lie in flat arrays.
struct ByteAutomaton: Sendable {
    struct Move: Sendable {
        let low: UInt8
        let high: UInt8
        let target: UInt32
    }

    /// Copies of a repeated expression that lie one after the other, each of `size` states, and that take a byte at
    /// least: states at the same place in two copies differ in how many copies follow, and in nothing else.
    struct Copies: Sendable {
        let start: UInt32
        let size: UInt32
        let count: UInt32
    }

    private(set) var moves: [Move] = []
    /// Moves of state `s`: `moves[moveStarts[s]..<moveStarts[s + 1]]`.
    private(set) var moveStarts: [UInt32] = []
    private(set) var empties: [UInt32] = []
    private(set) var emptyStarts: [UInt32] = []
    /// Per terminal: where it starts.
    let starts: [UInt32]
    /// In the order of states; copies within copies are not listed.
    let copies: [Copies]
    /// Per state: whether a terminal ends there.
    private(set) var accepts: [Bool] = []

    /// Byte → class of bytes that no move tells apart.
    private(set) var classOf: [UInt8] = Array(repeating: 0, count: 256)
    /// Class → one of its bytes.
    private(set) var sampleOf: [UInt8] = []
    /// Class → how many bytes it has.
    private(set) var classSizes: [Int] = []

    var stateCount: Int { accepts.count }

    /// The automaton of `terminals`, which use no rules.
    init(_ terminals: [GrammarNode]) throws(GrammarError) {
        var builder = ByteAutomatonBuilder()
        var starts: [UInt32] = []
        var ends: [UInt32] = []
        for node in terminals {
            let (start, end) = (try builder.newState(), try builder.newState())
            try builder.build(node, start, end)
            starts.append(start)
            ends.append(end)
        }
        self.starts = starts
        copies = builder.copies
        accepts = Array(repeating: false, count: Int(builder.stateCount))
        for end in ends { accepts[Int(end)] = true }
        (moves, moveStarts) = Self.grouped(builder.moves, count: accepts.count)
        (empties, emptyStarts) = Self.grouped(builder.empties, count: accepts.count)
        classify()
    }

    /// Groups pairs by source with a counting sort, which keeps their order.
    private static func grouped<T>(_ pairs: [(from: UInt32, T)], count: Int) -> ([T], [UInt32]) {
        var starts = [UInt32](repeating: 0, count: count + 1)
        for pair in pairs { starts[Int(pair.from) + 1] += 1 }
        for i in 0..<count { starts[i + 1] += starts[i] }
        guard let first = pairs.first else { return ([], starts) }
        var sorted = [T](repeating: first.1, count: pairs.count)
        var next = starts
        for pair in pairs {
            sorted[Int(next[Int(pair.from)])] = pair.1
            next[Int(pair.from)] += 1
        }
        return (sorted, starts)
    }

    private mutating func classify() {
        var cuts = [Bool](repeating: false, count: 257)
        for move in moves {
            cuts[Int(move.low)] = true
            cuts[Int(move.high) + 1] = true
        }
        cuts[0] = true
        for byte in 0..<256 {
            if cuts[byte] {
                sampleOf.append(UInt8(byte))
                classSizes.append(0)
            }
            classOf[byte] = UInt8(sampleOf.count - 1)
            classSizes[sampleOf.count - 1] += 1
        }
    }
}

private struct ByteAutomatonBuilder {
    /// Most states; a copy of "any character" takes about ten.
    private static let stateLimit = 600_000

    private(set) var stateCount: UInt32 = 0
    private(set) var moves: [(from: UInt32, ByteAutomaton.Move)] = []
    private(set) var empties: [(from: UInt32, UInt32)] = []
    private(set) var copies: [ByteAutomaton.Copies] = []
    /// Whether a repetition is being built.
    private var isRepeating = false
    private var sequences: [ScalarSet: [[ClosedRange<UInt8>]]] = [:]

    mutating func newState() throws(GrammarError) -> UInt32 {
        guard stateCount < Self.stateLimit else { throw .tooLarge("A repetition or a length") }
        stateCount += 1
        return stateCount - 1
    }

    private mutating func move(_ from: UInt32, _ range: ClosedRange<UInt8>, _ to: UInt32) {
        moves.append((from, .init(low: range.lowerBound, high: range.upperBound, target: to)))
    }

    /// Adds the texts of `node` between two states.
    mutating func build(_ node: GrammarNode, _ from: UInt32, _ to: UInt32) throws(GrammarError) {
        switch node {
        case .never, .rule: return
        case .bytes(let bytes):
            guard let last = bytes.last else { return empties.append((from, to)) }
            var state = from
            for byte in bytes.dropLast() {
                let after = try newState()
                move(state, byte...byte, after)
                state = after
            }
            move(state, last...last, to)
        case .scalars(let set): try add(set, from, to)
        case .sequence(let parts):
            var state = from
            for (index, part) in parts.enumerated() {
                let after = index == parts.count - 1 ? to : try newState()
                try build(part, state, after)
                state = after
            }
        case .choice(let parts): for part in parts { try build(part, from, to) }
        case .repetition(let body, let min, let max): try repeated(body, (min, max), from, to)
        case .automaton(let automaton, let inJSON): try embed(automaton, inJSON, from, to)
        }
    }

    private mutating func add(_ set: ScalarSet, _ from: UInt32, _ to: UInt32) throws(GrammarError) {
        let list = sequences[set] ?? set.byteSequences
        sequences[set] = list
        // Ends are shared: most sequences end in 80...BF.
        var known: [UInt64: UInt32] = [:]
        for sequence in list {
            var target = to
            for range in sequence.dropFirst().reversed() {
                let key = UInt64(target) << 16 | UInt64(range.lowerBound) << 8 | UInt64(range.upperBound)
                if let state = known[key] {
                    target = state
                    continue
                }
                let state = try newState()
                move(state, range, target)
                known[key] = state
                target = state
            }
            move(from, sequence[0], target)
        }
    }

    /// Loops get a state of their own, so that what else starts or ends at `from` or `to` stays out of them.
    private mutating func repeated(
        _ body: GrammarNode, _ count: (min: Int, max: Int?), _ from: UInt32, _ to: UInt32
    ) throws(GrammarError) {
        let isOutermost = !isRepeating
        isRepeating = true
        defer { isRepeating = !isOutermost }
        var state = try newState()
        empties.append((from, state))
        try copy(body, count.min, &state, noted: isOutermost)
        guard let max = count.max else {
            let loop = try newState()
            empties.append((state, loop))
            try build(body, loop, loop)
            empties.append((loop, to))
            return
        }
        try copy(body, max - count.min, &state, leavingTo: to, noted: isOutermost)
        empties.append((state, to))
    }

    /// Adds copies of `body` after `state`, which becomes the last one's end; before each one may leave.
    private mutating func copy(
        _ body: GrammarNode, _ count: Int, _ state: inout UInt32, leavingTo end: UInt32? = nil, noted: Bool
    ) throws(GrammarError) {
        let start = stateCount
        for _ in 0..<max(count, 0) {
            let after = try newState()
            try build(body, state, after)
            if let end { empties.append((state, end)) }
            state = after
        }
        guard noted, count > 1, !body.isNullable([]) else { return }
        let size = (stateCount - start) / UInt32(count)
        copies.append(.init(start: start, size: size, count: UInt32(count)))
    }

    private mutating func embed(
        _ automaton: ScalarAutomaton, _ inJSON: Bool, _ from: UInt32, _ to: UInt32
    ) throws(GrammarError) {
        var states: [UInt32] = []
        for _ in automaton.edges { states.append(try newState()) }
        empties.append((from, states[automaton.start]))
        for (state, edges) in automaton.edges.enumerated() {
            if automaton.accepts[state] { empties.append((states[state], to)) }
            for edge in edges {
                let node = inJSON ? JSONText.escaped(edge.scalars) : .scalars(edge.scalars)
                try build(node, states[state], states[edge.target])
            }
        }
    }
}
