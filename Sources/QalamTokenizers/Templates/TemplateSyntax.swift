// SPDX-License-Identifier: Apache-2.0

/// An expression of a template.
struct Expression: Sendable {
    /// Operators with two operands that both are always evaluated.
    enum Operator: String, Sendable {
        case add = "+", subtract = "-", multiply = "*", divide = "/", floorDivide = "//", modulo = "%", power = "**"
    }

    /// How two values are compared.
    enum Comparison: String, Sendable {
        case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
        case isIn = "in", notIn = "not in"
    }

    /// Arguments of a call, a filter or a test.
    struct Arguments: Sendable {
        var positional: [Expression] = []
        var named: [(name: String, value: Expression)] = []
    }

    indirect enum Kind: Sendable {
        case none
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string([UInt8])
        case name(String)
        case list([Expression], isTuple: Bool)
        case dictionary([(key: Expression, value: Expression)])
        case attribute(Expression, String)
        case item(Expression, Expression)
        case slice(Expression, from: Expression?, to: Expression?, step: Expression?)
        case call(Expression, Arguments)
        case filter(Expression, String, Arguments)
        case test(Expression, String, Arguments, negated: Bool)
        case negate(Expression)
        case plus(Expression)
        case not(Expression)
        case all([Expression])
        case any([Expression])
        case concatenate([Expression])
        case binary(Operator, Expression, Expression)
        case compare(Expression, [(comparison: Comparison, value: Expression)])
        case conditional(test: Expression, yes: Expression, no: Expression?)
    }

    let kind: Kind
    /// The line of the template, from 1.
    let line: Int
    /// Levels of expressions in it, 1 for a leaf; limited, since rendering descends them on the stack.
    let height: Int
}

/// Where a loop or a `set` puts a value.
indirect enum AssignmentTarget: Sendable {
    case name(String)
    case attribute(object: String, name: String)
    case tuple([AssignmentTarget])
}

/// A macro's head: `caller` blocks have an empty name.
struct MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, fallback: Expression?)]
    let body: [Statement]
    let line: Int
}

/// A piece of a template.
indirect enum Statement: Sendable {
    /// A loop's parts.
    struct Loop: Sendable {
        let target: AssignmentTarget
        let items: Expression
        let condition: Expression?
        let body: [Statement]
        let otherwise: [Statement]
        let line: Int
    }

    case text([UInt8])
    case output(Expression)
    case branches([(test: Expression, body: [Statement])], otherwise: [Statement])
    case loop(Loop)
    case set(AssignmentTarget, Expression)
    case setBlock(AssignmentTarget, filters: FilterChain, body: [Statement], line: Int)
    case macro(MacroDefinition)
    case call(Expression, caller: MacroDefinition)
    case filter(FilterChain, body: [Statement], line: Int)
    case scope([(target: AssignmentTarget, value: Expression)], body: [Statement])
    case stop(line: Int)
    case skip(line: Int)
}

/// Filters applied to a block, one after another.
typealias FilterChain = [(name: String, arguments: Expression.Arguments)]
