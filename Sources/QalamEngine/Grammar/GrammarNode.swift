// SPDX-License-Identifier: Apache-2.0

/// An expression of a grammar: what regular expressions, JSON Schema and GBNF are read into.
indirect enum GrammarNode: Hashable, Sendable {
    /// Matches nothing, not even the empty text.
    case never
    /// These bytes.
    case bytes([UInt8])
    /// One scalar of the set, in UTF-8.
    case scalars(ScalarSet)
    case sequence([GrammarNode])
    case choice([GrammarNode])
    /// From `min` to `max` times (nil: no limit).
    case repetition(GrammarNode, min: Int, max: Int?)
    /// A text of a determinized automaton; `inJSON`: written as the content of a JSON string.
    case automaton(ScalarAutomaton, inJSON: Bool)
    /// A text of the rule of this index.
    case rule(Int)

    static let empty = GrammarNode.bytes([])

    static func text(_ text: String) -> GrammarNode { .bytes(Array(text.utf8)) }

    /// One after the other, simplified.
    static func all(_ parts: [GrammarNode]) -> GrammarNode {
        var flat: [GrammarNode] = []
        for part in parts {
            switch part {
            case .never: return .never
            case .bytes(let more):
                if case .bytes(let bytes)? = flat.last {
                    flat[flat.count - 1] = .bytes(bytes + more)
                } else if !more.isEmpty {
                    flat.append(part)
                }
            case .sequence(let inner): flat += inner
            default: flat.append(part)
            }
        }
        if flat.isEmpty { return .empty }
        return flat.count == 1 ? flat[0] : .sequence(flat)
    }

    /// One of several, simplified.
    static func any(_ parts: [GrammarNode]) -> GrammarNode {
        var flat: [GrammarNode] = []
        for part in parts where part != .never {
            if case .choice(let inner) = part { flat += inner } else { flat.append(part) }
        }
        if flat.isEmpty { return .never }
        return flat.count == 1 ? flat[0] : .choice(flat)
    }

    static func set(_ set: ScalarSet) -> GrammarNode { set.isEmpty ? .never : .scalars(set) }

    func optional() -> GrammarNode { repeated(0, 1) }

    func repeated(_ min: Int, _ max: Int?) -> GrammarNode {
        if let max, max < min { return .never }
        if max == 0 { return .empty }
        if self == .never { return min == 0 ? .empty : .never }
        return min == 1 && max == 1 ? self : .repetition(self, min: min, max: max)
    }

    /// Whether a rule is used anywhere in it; if not, the expression is regular.
    var usesRules: Bool {
        switch self {
        case .never, .bytes, .scalars, .automaton: false
        case .sequence(let parts), .choice(let parts): parts.contains { $0.usesRules }
        case .repetition(let body, _, _): body.usesRules
        case .rule: true
        }
    }

    /// The number of nodes.
    var size: Int {
        switch self {
        case .never, .bytes, .scalars, .automaton, .rule: 1
        case .sequence(let parts), .choice(let parts): parts.reduce(1) { $0 + $1.size }
        case .repetition(let body, let min, let max):
            1 + body.size.multipliedReportingOverflow(by: Swift.max(min, max ?? 1, 1)).partialValue & 0xFFFF_FFFF
        }
    }

    /// Whether the empty text matches, given which rules match it.
    func isNullable(_ rules: [Bool]) -> Bool {
        switch self {
        case .never, .scalars: false
        case .bytes(let bytes): bytes.isEmpty
        case .sequence(let parts): parts.allSatisfy { $0.isNullable(rules) }
        case .choice(let parts): parts.contains { $0.isNullable(rules) }
        case .repetition(let body, let min, _): min == 0 || body.isNullable(rules)
        case .automaton(let automaton, _): automaton.accepts[automaton.start]
        case .rule(let index): rules[index]
        }
    }

    /// The expression with each set of scalars and each rule replaced, simplified.
    func mapped(scalars: (ScalarSet) -> GrammarNode, rule: (Int) -> GrammarNode) -> GrammarNode {
        switch self {
        case .never, .bytes: self
        case .automaton(let automaton, _): automaton.isEmpty ? .never : self
        case .scalars(let set): set.isEmpty ? .never : scalars(set)
        case .sequence(let parts): .all(parts.map { $0.mapped(scalars: scalars, rule: rule) })
        case .choice(let parts): .any(parts.map { $0.mapped(scalars: scalars, rule: rule) })
        case .repetition(let body, let min, let max):
            body.mapped(scalars: scalars, rule: rule).repeated(min, max)
        case .rule(let index): rule(index)
        }
    }
}

/// Rules under construction: an index is reserved first, so that rules can refer to each other.
struct GrammarRules: Sendable {
    private(set) var nodes: [GrammarNode] = []
    private(set) var names: [String] = []

    mutating func reserve(_ name: String) -> Int {
        nodes.append(.never)
        names.append(name)
        return nodes.count - 1
    }

    mutating func define(_ index: Int, _ node: GrammarNode) { nodes[index] = node }

    mutating func add(_ name: String, _ node: GrammarNode) -> GrammarNode {
        let index = reserve(name)
        define(index, node)
        return .rule(index)
    }
}
