// SPDX-License-Identifier: Apache-2.0

/// The rules of a grammar as graphs whose edges are terminals (regular expressions) and rules: what the pushdown
/// automaton walks.
///
/// Each rule's graph is determinized over its symbols, which joins the common beginnings of alternatives, so that fewer
/// stacks have to be followed at the same time.
struct RuleGraph: Sendable {
    struct State: Sendable {
        var terminals: [(terminal: Int32, target: UInt32)] = []
        var rules: [(rule: Int32, target: UInt32)] = []
        var isFinal = false
        /// Nothing follows: a caller that would return here can return to its own caller.
        var isTail: Bool { isFinal && terminals.isEmpty && rules.isEmpty }
    }

    private static let stateLimit = 200_000

    private(set) var states: [State] = []
    /// Per rule: its first state.
    private(set) var starts: [UInt32]
    private(set) var terminals: [GrammarNode] = []

    /// The graphs of the rules that are used from `root`.
    init(_ nodes: [GrammarNode], root: Int) throws(GrammarError) {
        starts = Array(repeating: 0, count: nodes.count)
        var used = [Bool](repeating: false, count: nodes.count)
        var terminalIndex: [GrammarNode: Int32] = [:]
        var pending = [root]
        used[root] = true
        while let rule = pending.popLast() {
            var builder = GraphBuilder(terminals: terminals, terminalIndex: terminalIndex)
            try builder.build(nodes[rule], 0, 1)
            (terminals, terminalIndex) = (builder.terminals, builder.terminalIndex)
            starts[rule] = UInt32(states.count)
            try determinize(builder)
            for index in builder.usedRules where !used[index] {
                used[index] = true
                pending.append(index)
            }
        }
    }

    private mutating func determinize(_ builder: GraphBuilder) throws(GrammarError) {
        let base = states.count
        var known: [[Int]: UInt32] = [:]
        var sets: [[Int]] = []
        func number(_ set: [Int]) -> UInt32 {
            if let index = known[set] { return index }
            let index = UInt32(base + sets.count)
            known[set] = index
            sets.append(set)
            return index
        }
        _ = number(builder.closure([0]))
        var next = 0
        while next < sets.count {
            guard base + sets.count <= Self.stateLimit else { throw .tooLarge("A repetition or a number of items") }
            let set = sets[next]
            next += 1
            var order: [GraphBuilder.Symbol] = []
            var targets: [GraphBuilder.Symbol: [Int]] = [:]
            for member in set {
                for (symbol, target) in builder.edges[member] {
                    if targets[symbol] == nil { order.append(symbol) }
                    targets[symbol, default: []].append(target)
                }
            }
            var state = State(isFinal: set.contains(1))
            for symbol in order {
                let target = number(builder.closure(targets[symbol] ?? []))
                switch symbol {
                case .terminal(let index): state.terminals.append((index, target))
                case .rule(let index): state.rules.append((index, target))
                }
            }
            states.append(state)
        }
    }
}

/// A rule's graph before it is determinized: state 0 is the first, state 1 the last.
private struct GraphBuilder {
    private static let stateLimit = 400_000

    enum Symbol: Hashable {
        case terminal(Int32)
        case rule(Int32)
    }

    private(set) var terminals: [GrammarNode]
    private(set) var terminalIndex: [GrammarNode: Int32]
    private(set) var edges: [[(symbol: Symbol, target: Int)]] = [[], []]
    private(set) var usedRules: Set<Int> = []
    private var empties: [[Int]] = [[], []]

    init(terminals: [GrammarNode], terminalIndex: [GrammarNode: Int32]) {
        self.terminals = terminals
        self.terminalIndex = terminalIndex
    }

    private mutating func newState() throws(GrammarError) -> Int {
        guard edges.count < Self.stateLimit else { throw .tooLarge("A repetition or a number of items") }
        edges.append([])
        empties.append([])
        return edges.count - 1
    }

    mutating func build(_ node: GrammarNode, _ from: Int, _ to: Int) throws(GrammarError) {
        guard node.usesRules else { return addTerminal(node, from, to) }
        switch node {
        case .never, .bytes, .scalars, .automaton: return
        case .sequence(let parts):
            let groups = Self.joined(parts)
            var state = from
            for (index, part) in groups.enumerated() {
                let after = index == groups.count - 1 ? to : try newState()
                try build(part, state, after)
                state = after
            }
        case .choice(let parts):
            try build(.any(parts.filter { !$0.usesRules }), from, to)
            for part in parts where part.usesRules { try build(part, from, to) }
        case .repetition(let body, let min, let max): try repeated(body, (min, max), from, to)
        case .rule(let index):
            usedRules.insert(index)
            edges[from].append((.rule(Int32(index)), to))
        }
    }

    /// Neighbours that use no rules become one terminal.
    private static func joined(_ parts: [GrammarNode]) -> [GrammarNode] {
        var groups: [GrammarNode] = []
        var run: [GrammarNode] = []
        for part in parts {
            if !part.usesRules {
                run.append(part)
                continue
            }
            if !run.isEmpty { groups.append(.all(run)) }
            run = []
            groups.append(part)
        }
        if !run.isEmpty { groups.append(.all(run)) }
        return groups
    }

    private mutating func addTerminal(_ node: GrammarNode, _ from: Int, _ to: Int) {
        if node == .never { return }
        if node.isNullable([]) { empties[from].append(to) }
        if node == .empty { return }
        let index = terminalIndex[node] ?? Int32(terminals.count)
        if Int(index) == terminals.count {
            terminalIndex[node] = index
            terminals.append(node)
        }
        edges[from].append((.terminal(index), to))
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

    /// The states reached by reading nothing, sorted.
    func closure(_ states: [Int]) -> [Int] {
        var seen = Set(states)
        var pending = states
        while let state = pending.popLast() {
            for next in empties[state] where seen.insert(next).inserted { pending.append(next) }
        }
        return seen.filter { $0 == 1 || !edges[$0].isEmpty }.sorted()
    }
}
