// SPDX-License-Identifier: Apache-2.0

/// Rules made ready: those that can match nothing are taken out, left recursion is refused.
struct RuleCheck {
    /// Largest regular rule that is put in place of its uses.
    private static let joinLimit = 4_000

    private(set) var nodes: [GrammarNode]

    /// - Throws: `GrammarError.empty` where nothing matches, `.rule` where a rule is left-recursive.
    init(_ rules: GrammarRules, root: Int, joining: Bool) throws(GrammarError) {
        nodes = rules.nodes
        dropEndless()
        guard nodes[root] != .never else { throw .empty }
        try refuseLeftRecursion(rules.names)
        if joining { joinRegular() }
    }

    /// Takes out rules that never come to an end, such as `a ::= "x" a`.
    private mutating func dropEndless() {
        var ends = [Bool](repeating: false, count: nodes.count)
        var changed = true
        while changed {
            changed = false
            for (index, node) in nodes.enumerated() where !ends[index] && Self.ends(node, ends) {
                ends[index] = true
                changed = true
            }
        }
        nodes = nodes.indices.map { index in
            ends[index]
                ? nodes[index].mapped(scalars: { .scalars($0) }, rule: { ends[$0] ? .rule($0) : .never }) : .never
        }
    }

    private static func ends(_ node: GrammarNode, _ rules: [Bool]) -> Bool {
        switch node {
        case .never: false
        case .bytes: true
        case .scalars(let set): !set.isEmpty
        case .sequence(let parts): parts.allSatisfy { ends($0, rules) }
        case .choice(let parts): parts.contains { ends($0, rules) }
        case .repetition(let body, let min, _): min == 0 || ends(body, rules)
        case .automaton(let automaton, _): !automaton.isEmpty
        case .rule(let index): rules[index]
        }
    }

    private func refuseLeftRecursion(_ names: [String]) throws(GrammarError) {
        var nullable = [Bool](repeating: false, count: nodes.count)
        var changed = true
        while changed {
            changed = false
            for (index, node) in nodes.enumerated() where !nullable[index] && node.isNullable(nullable) {
                nullable[index] = true
                changed = true
            }
        }
        let firsts = nodes.map { Self.firsts($0, nullable) }
        // 0: not seen, 1: on the path, 2: done.
        var marks = [UInt8](repeating: 0, count: nodes.count)
        for start in nodes.indices where marks[start] == 0 {
            var path: [(rule: Int, next: Int)] = [(start, 0)]
            marks[start] = 1
            while let (rule, next) = path.last {
                if next == firsts[rule].count {
                    marks[rule] = 2
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let target = firsts[rule][next]
                if marks[target] == 1 {
                    throw .rule(names[target], reason: "is left-recursive: write it as a repetition")
                }
                if marks[target] == 0 {
                    marks[target] = 1
                    path.append((target, 0))
                }
            }
        }
    }

    /// Rules that can stand at the beginning of `node`.
    private static func firsts(_ node: GrammarNode, _ nullable: [Bool]) -> [Int] {
        switch node {
        case .never, .bytes, .scalars, .automaton: return []
        case .rule(let index): return [index]
        case .choice(let parts): return parts.flatMap { firsts($0, nullable) }
        case .repetition(let body, _, _): return firsts(body, nullable)
        case .sequence(let parts):
            var rules: [Int] = []
            for part in parts {
                rules += firsts(part, nullable)
                if !part.isNullable(nullable) { break }
            }
            return rules
        }
    }

    /// Puts small rules that use no rules in place of their uses, over and over, so that a string or a number in a
    /// grammar is one terminal.
    private mutating func joinRegular() {
        for _ in 0..<16 {
            let joinable = nodes.map { !$0.usesRules && $0.size <= Self.joinLimit }
            var changed = false
            for index in nodes.indices where nodes[index].usesRules {
                let node = nodes[index].mapped(scalars: { .scalars($0) }) { joinable[$0] ? nodes[$0] : .rule($0) }
                guard node != nodes[index], node.size <= 16 * Self.joinLimit else { continue }
                nodes[index] = node
                changed = true
            }
            if !changed { return }
        }
    }
}
