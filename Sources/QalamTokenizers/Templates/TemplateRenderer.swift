// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Runs the statements of a template; expressions, filters, tests and methods are in the files beside this one.
///
/// Every statement, expression and loop round is a step; bytes made or looked through are counted too. Both have a
/// limit, as has the nesting of everything that recurses, so that any template ends soon and in bounded memory.
final class TemplateRenderer {
    /// Steps one rendering may take.
    static let stepLimit = 1_000_000
    /// Bytes that one rendering may make or look through.
    static let byteLimit = 1 << 28
    /// Statements and expressions may nest this deep, macros included.
    static let depthLimit = 300
    /// The most numbers `range` gives, as in Jinja's sandbox.
    static let rangeLimit = 100_000

    /// How a block ended.
    enum Flow {
        case normal, stop, skip
    }

    /// The time that `strftime_now` tells.
    let now: Date
    /// The line being rendered, for errors.
    var line = 1
    private var steps = 0
    private var bytes = 0
    private var depth = 0
    /// What can hold references in a circle, taken apart at the end.
    private var scopesWithMacros: [Scope] = []
    private var namespaces: [RuntimeNamespace] = []

    init(now: Date) { self.now = now }

    deinit {
        for scope in scopesWithMacros { scope.variables = [:] }
        for namespace in namespaces { namespace.attributes = [:] }
    }

    /// Renders `statements` with `variables`.
    func render(
        _ statements: [Statement], _ variables: [String: TemplateValue]
    ) throws(TemplateError) -> [UInt8] {
        let globals = Scope(inside: nil)
        for name in Self.functions { globals.variables[name] = .function(name) }
        let scope = Scope(inside: globals)
        for (name, value) in variables { scope.variables[name] = try convert(value, depth: 0) }
        var output: [UInt8] = []
        _ = try run(statements, scope, into: &output)
        return output
    }

    private func convert(_ value: TemplateValue, depth: Int) throws(TemplateError) -> RuntimeValue {
        guard depth < RuntimeValue.depthLimit else { throw fail("a variable nests deeper than \(depth) levels") }
        switch value {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .double(let value): return .double(value)
        case .string(let text): return .text(text)
        case .array(let items):
            var converted: [RuntimeValue] = []
            for item in items { converted.append(try convert(item, depth: depth + 1)) }
            return .list(RuntimeList(converted))
        case .object(let members):
            var entries: [(key: RuntimeValue, value: RuntimeValue)] = []
            for member in members { entries.append((.text(member.key), try convert(member.value, depth: depth + 1))) }
            return try dictionary(entries)
        }
    }

    // MARK: Limits and errors

    /// An error at the present line.
    func fail(_ why: String) -> TemplateError { .rendering(line: line, why: why) }

    /// Counts `count` bytes made or looked through.
    func charge(_ count: Int) throws(TemplateError) {
        bytes = RuntimeValue.sum(bytes, count)
        guard bytes <= Self.byteLimit else {
            throw .limit(line: line, why: "the template works through more than \(Self.byteLimit) bytes")
        }
    }

    /// Counts a step, and goes one level deeper for `body`.
    func descend<Result>(_ body: () throws(TemplateError) -> Result) throws(TemplateError) -> Result {
        steps += 1
        guard steps <= Self.stepLimit else {
            throw .limit(line: line, why: "the template takes more than \(Self.stepLimit) steps")
        }
        guard depth < Self.depthLimit else {
            throw .limit(line: line, why: "macros and expressions nest deeper than \(Self.depthLimit) levels")
        }
        depth += 1
        defer { depth -= 1 }
        return try body()
    }

    // MARK: Making values

    /// A list, counted; deep nesting is refused.
    func list(_ items: [RuntimeValue], isTuple: Bool = false) throws(TemplateError) -> RuntimeValue {
        try charge(16 * items.count)
        let list = RuntimeList(items, isTuple: isTuple)
        guard list.depth <= RuntimeValue.depthLimit else { throw nestingError() }
        return .list(list)
    }

    /// Items to visit once, counted; deep nesting is refused.
    func generator(_ items: [RuntimeValue]) throws(TemplateError) -> RuntimeValue {
        guard case .list(let list) = try list(items) else { return .none }
        return .generator(RuntimeGenerator(list))
    }

    /// An object, counted; deep nesting is refused.
    func dictionary(
        _ entries: [(key: RuntimeValue, value: RuntimeValue)]
    ) throws(TemplateError) -> RuntimeValue {
        try charge(48 * entries.count)
        guard let dictionary = RuntimeDictionary(entries) else {
            throw fail("a key of an object must be a string or a number")
        }
        guard dictionary.depth <= RuntimeValue.depthLimit else { throw nestingError() }
        return .dictionary(dictionary)
    }

    private func nestingError() -> TemplateError {
        .limit(line: line, why: "a value nests deeper than \(RuntimeValue.depthLimit) levels")
    }

    /// A string, counted.
    func string(_ bytes: [UInt8]) throws(TemplateError) -> RuntimeValue {
        try charge(bytes.count)
        return .string(bytes)
    }

    /// A namespace with `attributes`.
    func namespace(_ attributes: [String: RuntimeValue]) -> RuntimeValue {
        let namespace = RuntimeNamespace()
        namespace.attributes = attributes
        namespaces.append(namespace)
        return .namespace(namespace)
    }

    /// What `value` prints.
    func text(of value: RuntimeValue) throws(TemplateError) -> [UInt8] {
        try charge(value.weight)
        return value.printed
    }

    /// What a loop over `value` visits.
    func items(of value: RuntimeValue) throws(TemplateError) -> [RuntimeValue] {
        switch value {
        case .undefined: return []
        case .list(let list): return list.items
        case .generator(let generator): return generator.rest()
        case .dictionary(let dictionary): return dictionary.entries.map(\.key)
        case .string(let bytes):
            try charge(24 * bytes.count)
            let starts = PythonText.boundaries(bytes)
            return zip(starts, starts.dropFirst()).map { .string(Array(bytes[$0..<$1])) }
        default: throw fail("a value of kind \(value.kindName) can't be looped over")
        }
    }

    // MARK: Statements

    /// Runs `statements` one after another, until one of them leaves a loop.
    func run(
        _ statements: [Statement], _ scope: Scope, into output: inout [UInt8]
    ) throws(TemplateError) -> Flow {
        for statement in statements {
            let flow = try descend { () throws(TemplateError) in try run(statement, scope, into: &output) }
            if flow != .normal { return flow }
        }
        return .normal
    }

    private func run(_ statement: Statement, _ scope: Scope, into output: inout [UInt8]) throws(TemplateError) -> Flow {
        switch statement {
        case .text(let bytes):
            try charge(bytes.count)
            output += bytes
        case .output(let expression): try write(expression, scope, into: &output)
        case .branches(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test, scope).isTrue {
                return try run(branch.body, scope, into: &output)
            }
            return try run(otherwise, scope, into: &output)
        case .loop(let loop): return try run(loop, scope, into: &output)
        case .set(let target, let expression):
            try assign(try evaluate(expression, scope), to: target, scope)
        case .setBlock(let target, let filters, let body, let line):
            let text = try captured(body, Scope(inside: scope))
            self.line = line
            try assign(try apply(filters, to: text, scope), to: target, scope)
        case .macro(let definition):
            scope.variables[definition.name] = macro(definition, scope)
        case .call(let call, let caller): try run(call, caller, scope, into: &output)
        case .filter(let filters, let body, let line):
            let text = try captured(body, Scope(inside: scope))
            self.line = line
            output += try self.text(of: try apply(filters, to: text, scope))
        case .scope(let values, let body):
            let inner = Scope(inside: scope)
            for (target, expression) in values { try assign(try evaluate(expression, scope), to: target, inner) }
            return try run(body, inner, into: &output)
        case .stop(let line):
            self.line = line
            return .stop
        case .skip(let line):
            self.line = line
            return .skip
        }
        return .normal
    }

    private func write(_ expression: Expression, _ scope: Scope, into output: inout [UInt8]) throws(TemplateError) {
        output += try text(of: try evaluate(expression, scope))
    }

    /// What `body` renders, as a value.
    private func captured(_ body: [Statement], _ scope: Scope) throws(TemplateError) -> RuntimeValue {
        var text: [UInt8] = []
        _ = try run(body, scope, into: &text)
        return try string(text)
    }

    private func apply(
        _ filters: FilterChain, to value: RuntimeValue, _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        var value = value
        for filter in filters { value = try self.filter(filter.name, value, try evaluate(filter.arguments, scope)) }
        return value
    }

    private func assign(
        _ value: RuntimeValue, to target: AssignmentTarget, _ scope: Scope
    ) throws(TemplateError) {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .attribute(let object, let name):
            guard case .namespace(let namespace)? = scope.lookUp(object) else {
                throw fail("\(object).\(name) can't be set, since \(object) is no namespace")
            }
            namespace.attributes[name] = value
        case .tuple(let targets):
            let items = try items(of: value)
            guard items.count == targets.count else {
                throw fail("\(items.count) values can't be assigned to \(targets.count) names")
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target, scope) }
        }
    }

    private func run(_ loop: Statement.Loop, _ scope: Scope, into output: inout [UInt8]) throws(TemplateError) -> Flow {
        var items = try items(of: try evaluate(loop.items, scope))
        try charge(16 * items.count)
        if let condition = loop.condition {
            var kept: [RuntimeValue] = []
            for item in items {
                let inner = Scope(inside: scope)
                try assign(item, to: loop.target, inner)
                if try evaluate(condition, inner).isTrue { kept.append(item) }
            }
            items = kept
        }
        if items.isEmpty { return try run(loop.otherwise, scope, into: &output) }
        let state = RuntimeLoop(items)
        defer { state.items = [] }
        for (index, item) in items.enumerated() {
            state.index = index
            let inner = Scope(inside: scope)
            inner.variables["loop"] = .loop(state)
            line = loop.line
            try assign(item, to: loop.target, inner)
            // An empty body counts too, so that no loop is free.
            let flow = try descend { () throws(TemplateError) in try run(loop.body, inner, into: &output) }
            if flow == .stop { break }
        }
        return .normal
    }

    // MARK: Macros

    private func macro(_ definition: MacroDefinition, _ scope: Scope) -> RuntimeValue {
        scopesWithMacros.append(scope)
        return .macro(RuntimeMacro(definition, scope))
    }

    private func run(
        _ call: Expression, _ caller: MacroDefinition, _ scope: Scope, into output: inout [UInt8]
    ) throws(TemplateError) {
        guard case .call(let callee, let arguments) = call.kind else { return }
        var values = try evaluate(arguments, scope)
        let function = try evaluate(callee, scope)
        line = call.line
        values.named.append(("caller", macro(caller, Scope(inside: scope))))
        output += try text(of: try self.call(function, values))
    }

    /// What the macro renders with `arguments`.
    func call(_ macro: RuntimeMacro, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        let definition = macro.definition
        let scope = Scope(inside: macro.scope)
        var arguments = arguments
        if let index = arguments.named.firstIndex(where: { $0.name == "caller" }) {
            scope.variables["caller"] = arguments.named.remove(at: index).value
        }
        let names = definition.parameters.map(\.name)
        let title = definition.name.isEmpty ? "caller" : definition.name
        let values = try bind(arguments, to: names, of: "the macro \(title)")
        for (parameter, value) in zip(definition.parameters, values) {
            if let value {
                scope.variables[parameter.name] = value
            } else if let fallback = parameter.fallback {
                scope.variables[parameter.name] = try evaluate(fallback, scope)
            } else {
                scope.variables[parameter.name] = .undefined("the parameter '\(parameter.name)' was not given")
            }
        }
        return try captured(definition.body, scope)
    }
}

/// Arguments with their values.
struct CallArguments {
    var positional: [RuntimeValue] = []
    var named: [(name: String, value: RuntimeValue)] = []
}

extension TemplateRenderer {
    /// The arguments in the order of `parameters`, nil where one is not given; one too many or of another name is an
    /// error.
    func bind(
        _ arguments: CallArguments, to parameters: [String], of function: String
    ) throws(TemplateError) -> [RuntimeValue?] {
        guard arguments.positional.count <= parameters.count else {
            throw fail("\(function) takes at most \(parameters.count) arguments, not \(arguments.positional.count)")
        }
        var values = arguments.positional.map(Optional.some)
        values += Array(repeating: nil, count: parameters.count - values.count)
        for (name, value) in arguments.named {
            guard let index = parameters.firstIndex(of: name) else {
                throw fail("\(function) takes no argument named '\(name)'")
            }
            guard values[index] == nil else { throw fail("\(function) got the argument '\(name)' twice") }
            values[index] = value
        }
        return values
    }
}
