// SPDX-License-Identifier: Apache-2.0

/// A deterministic automaton over Unicode scalars: the texts that match all of some expressions and none of others.
///
/// Built at once by the subset construction on all expressions together (Rabin and Scott 1959), and trimmed: from every
/// state an accepting one can be reached. It serves where expressions are intersected or excluded; a single expression
/// is better determinized lazily.
struct ScalarAutomaton: Hashable, Sendable {
    /// Most states before the construction gives up.
    private static let stateLimit = 20_000

    struct Edge: Hashable, Sendable {
        let scalars: ScalarSet
        let target: Int
    }

    private(set) var start = 0
    private(set) var accepts: [Bool] = []
    private(set) var edges: [[Edge]] = []

    /// Whether no text matches.
    var isEmpty: Bool { !accepts.contains(true) }

    /// The texts that match every expression of `all` and no one of `none`; the expressions use no rules.
    init(all: [GrammarNode], none: [GrammarNode] = []) throws(GrammarError) {
        var nfa = ScalarNFA()
        var spans: [(start: Int, accept: Int)] = []
        for node in all + none { spans.append(try nfa.add(node)) }
        let classes = ScalarClasses(nfa.sets)
        let acceptOf = spans.map(\.accept)

        var known: [[[Int]]: Int] = [:]
        var tuples: [[[Int]]] = []
        func number(_ tuple: [[Int]]) -> Int {
            if let index = known[tuple] { return index }
            known[tuple] = tuples.count
            tuples.append(tuple)
            return tuples.count - 1
        }
        _ = number(spans.map { nfa.closure([$0.start]) })
        var next = 0
        while next < tuples.count {
            guard tuples.count <= Self.stateLimit else { throw .tooLarge("A combination of patterns") }
            let tuple = tuples[next]
            next += 1
            let hits = zip(tuple, acceptOf).map { $0.contains($1) }
            accepts.append(hits[..<all.count].allSatisfy { $0 } && !hits[all.count...].contains(true))
            var targets: [Int: [ClosedRange<UInt32>]] = [:]
            for (index, ranges) in classes.ranges.enumerated() {
                let moved = tuple.map { nfa.step($0, classes.members[index]) }
                if moved[..<all.count].contains(where: \.isEmpty) { continue }
                targets[number(moved), default: []] += ranges
            }
            edges.append(targets.sorted { $0.key < $1.key }.map { Edge(scalars: ScalarSet($1), target: $0) })
        }
        trim()
    }

    /// Drops edges into states from which no text is accepted.
    private mutating func trim() {
        var sources: [[Int]] = Array(repeating: [], count: edges.count)
        for (state, list) in edges.enumerated() { for edge in list { sources[edge.target].append(state) } }
        var live = accepts
        var pending = accepts.indices.filter { accepts[$0] }
        while let state = pending.popLast() {
            for source in sources[state] where !live[source] {
                live[source] = true
                pending.append(source)
            }
        }
        for state in edges.indices { edges[state].removeAll { !live[$0.target] } }
    }

    func matches(_ text: String) -> Bool {
        var state = start
        for scalar in text.unicodeScalars {
            guard let edge = edges[state].first(where: { $0.scalars.contains(scalar.value) }) else { return false }
            state = edge.target
        }
        return accepts[state]
    }
}

/// Thompson's automaton over sets of scalars.
private struct ScalarNFA {
    private static let stateLimit = 100_000

    private(set) var sets: [ScalarSet] = []
    private var setIndex: [ScalarSet: Int] = [:]
    private var moves: [[(set: Int, target: Int)]] = []
    private var empties: [[Int]] = []

    mutating func add(_ node: GrammarNode) throws(GrammarError) -> (start: Int, accept: Int) {
        let span = (start: try newState(), accept: try newState())
        try build(node, span.start, span.accept)
        return span
    }

    private mutating func newState() throws(GrammarError) -> Int {
        guard moves.count < Self.stateLimit else { throw .tooLarge("A count in a pattern or a length") }
        moves.append([])
        empties.append([])
        return moves.count - 1
    }

    private mutating func build(_ node: GrammarNode, _ from: Int, _ to: Int) throws(GrammarError) {
        switch node {
        case .never, .automaton, .rule: return
        case .bytes(let bytes):
            var state = from
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                let after = try newState()
                move(state, ScalarSet([scalar.value...scalar.value]), after)
                state = after
            }
            empties[state].append(to)
        case .scalars(let set): move(from, set, to)
        case .sequence(let parts):
            var state = from
            for part in parts {
                let after = try newState()
                try build(part, state, after)
                state = after
            }
            empties[state].append(to)
        case .choice(let parts): for part in parts { try build(part, from, to) }
        case .repetition(let body, let min, let max):
            try repeated(body, (min, max), from, to)
        }
    }

    private mutating func repeated(
        _ body: GrammarNode, _ count: (min: Int, max: Int?), _ from: Int, _ to: Int
    ) throws(GrammarError) {
        var state = try newState()
        empties[from].append(state)
        for _ in 0..<count.min {
            let after = try newState()
            try build(body, state, after)
            state = after
        }
        guard let max = count.max else {
            let loop = try newState()
            empties[state].append(loop)
            try build(body, loop, loop)
            empties[loop].append(to)
            return
        }
        for _ in count.min..<Swift.max(max, count.min) {
            let after = try newState()
            try build(body, state, after)
            empties[state].append(to)
            state = after
        }
        empties[state].append(to)
    }

    private mutating func move(_ from: Int, _ set: ScalarSet, _ to: Int) {
        let index = setIndex[set] ?? sets.count
        if index == sets.count {
            sets.append(set)
            setIndex[set] = index
        }
        moves[from].append((index, to))
    }

    /// The states reached by reading nothing, sorted.
    func closure(_ states: [Int]) -> [Int] {
        var seen = Set(states)
        var pending = states
        while let state = pending.popLast() {
            for next in empties[state] where seen.insert(next).inserted { pending.append(next) }
        }
        // Only states that move or end (those without empty moves) tell sets apart.
        return seen.filter { !moves[$0].isEmpty || empties[$0].isEmpty }.sorted()
    }

    func step(_ states: [Int], _ member: [Bool]) -> [Int] {
        var targets: [Int] = []
        for state in states { for (set, target) in moves[state] where member[set] { targets.append(target) } }
        return targets.isEmpty ? [] : closure(targets)
    }
}

/// Classes of scalars that no set of a list tells apart.
private struct ScalarClasses {
    /// The scalars of each class.
    private(set) var ranges: [[ClosedRange<UInt32>]] = []
    /// Which sets each class is in.
    private(set) var members: [[Bool]] = []

    init(_ sets: [ScalarSet]) {
        var cuts: Set<UInt32> = [0, 0xD800, 0xE000, 0x110000]
        for set in sets {
            for range in set.ranges {
                cuts.insert(range.lowerBound)
                cuts.insert(range.upperBound + 1)
            }
        }
        let sorted = cuts.sorted()
        var known: [[Bool]: Int] = [:]
        for (low, end) in zip(sorted, sorted.dropFirst()) where low != 0xD800 {
            let member = sets.map { $0.contains(low) }
            let index = known[member] ?? ranges.count
            if index == ranges.count {
                known[member] = index
                ranges.append([])
                members.append(member)
            }
            ranges[index].append(low...end - 1)
        }
    }
}
