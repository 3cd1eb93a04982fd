// SPDX-License-Identifier: Apache-2.0

import Foundation

extension TemplateRenderer {
    /// The value of `expression`.
    func evaluate(_ expression: Expression, _ scope: Scope) throws(TemplateError) -> RuntimeValue {
        line = expression.line
        switch expression.kind {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .double(let value): return .double(value)
        case .string(let bytes): return .string(bytes)
        case .name(let name): return scope.lookUp(name) ?? .undefined("'\(name)' is undefined")
        default: return try descend { () throws(TemplateError) in try evaluateDeep(expression, scope) }
        }
    }

    // One function for each kind of expression keeps the frames of the recursion small.
    private func evaluateDeep(_ expression: Expression, _ scope: Scope) throws(TemplateError) -> RuntimeValue {
        switch expression.kind {
        case .list(let items, let isTuple): return try list(try evaluate(items, scope), isTuple: isTuple)
        case .dictionary(let entries): return try evaluate(entries, scope)
        case .attribute(let object, let name): return try attribute(name, of: try evaluate(object, scope))
        case .item(let object, let key): return try evaluateItem(object, key, scope)
        case .slice(let object, let from, let to, let step): return try evaluateSlice(object, [from, to, step], scope)
        case .call(let callee, let arguments): return try evaluateCall(callee, arguments, expression.line, scope)
        case .filter(let value, let name, let arguments):
            return try evaluateFilter(value, name, arguments, expression.line, scope)
        case .test(let value, let name, let arguments, let negated):
            return .bool(try evaluateTest(value, name, arguments, scope) != negated)
        case .negate(let operand): return try negated(try evaluate(operand, scope))
        case .plus(let operand): return try positive(try evaluate(operand, scope))
        case .not(let operand): return .bool(!(try evaluate(operand, scope).isTrue))
        case .all(let parts): return try evaluate(parts, until: false, scope)
        case .any(let parts): return try evaluate(parts, until: true, scope)
        case .concatenate(let parts): return try evaluateConcatenation(parts, scope)
        case .binary(.add, let left, let right): return try evaluateSum(left, right, expression.line, scope).value
        case .binary(let name, let left, let right):
            let (a, b) = (try evaluate(left, scope), try evaluate(right, scope))
            line = expression.line
            return try binary(name, a, b)
        case .compare(let first, let rest): return .bool(try evaluateComparison(first, rest, scope))
        case .conditional(let test, let yes, let no): return try evaluateConditional(test, yes, no, scope)
        case .none, .bool, .int, .double, .string, .name: return .none
        }
    }

    private func evaluate(_ expressions: [Expression], _ scope: Scope) throws(TemplateError) -> [RuntimeValue] {
        var values: [RuntimeValue] = []
        for expression in expressions { values.append(try evaluate(expression, scope)) }
        return values
    }

    /// The values of a call's arguments.
    func evaluate(_ arguments: Expression.Arguments, _ scope: Scope) throws(TemplateError) -> CallArguments {
        var values = CallArguments(positional: try evaluate(arguments.positional, scope))
        for (name, value) in arguments.named { values.named.append((name, try evaluate(value, scope))) }
        return values
    }

    private func evaluate(
        _ entries: [(key: Expression, value: Expression)], _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        var values: [(key: RuntimeValue, value: RuntimeValue)] = []
        for (key, value) in entries { values.append((try evaluate(key, scope), try evaluate(value, scope))) }
        return try dictionary(values)
    }

    /// `left + right`, where what the filter `safe` marks stays as it is and text added to it is escaped for HTML, as
    /// Jinja does even in templates that are not HTML.
    private func evaluateSum(
        _ left: Expression, _ right: Expression, _ line: Int, _ scope: Scope
    ) throws(TemplateError) -> (value: RuntimeValue, isSafe: Bool) {
        var (a, b) = (try evaluateMarked(left, scope), try evaluateMarked(right, scope))
        self.line = line
        if a.isSafe != b.isSafe {
            if case .string(let text) = a.value, b.isSafe { a.value = try string(Self.escaped(text)) }
            if case .string(let text) = b.value, a.isSafe { b.value = try string(Self.escaped(text)) }
        }
        return (try binary(.add, a.value, b.value), a.isSafe || b.isSafe)
    }

    /// The value of a summand, and whether it is text marked `safe`.
    private func evaluateMarked(
        _ expression: Expression, _ scope: Scope
    ) throws(TemplateError) -> (value: RuntimeValue, isSafe: Bool) {
        switch expression.kind {
        case .binary(.add, let left, let right):
            return try descend { () throws(TemplateError) in
                try evaluateSum(left, right, expression.line, scope)
            }
        case .filter(_, "safe", _): return (try evaluate(expression, scope), true)
        default: return (try evaluate(expression, scope), false)
        }
    }

    /// `and` and `or`: the first part whose truth is `until`, or the last.
    private func evaluate(_ parts: [Expression], until: Bool, _ scope: Scope) throws(TemplateError) -> RuntimeValue {
        var value = RuntimeValue.none
        for part in parts {
            value = try evaluate(part, scope)
            if value.isTrue == until { break }
        }
        return value
    }

    private func evaluateConcatenation(_ parts: [Expression], _ scope: Scope) throws(TemplateError) -> RuntimeValue {
        var bytes: [UInt8] = []
        for part in parts { bytes += try text(of: try evaluate(part, scope)) }
        return .string(bytes)
    }

    private func evaluateConditional(
        _ test: Expression, _ yes: Expression, _ no: Expression?, _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        if try evaluate(test, scope).isTrue { return try evaluate(yes, scope) }
        guard let no else { return .undefined("the condition is false and there is no else") }
        return try evaluate(no, scope)
    }

    private func evaluateItem(
        _ object: Expression, _ key: Expression, _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        let (object, key) = (try evaluate(object, scope), try evaluate(key, scope))
        return try item(key, of: object)
    }

    private func evaluateCall(
        _ callee: Expression, _ arguments: Expression.Arguments, _ line: Int, _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        let function = try evaluate(callee, scope)
        let values = try evaluate(arguments, scope)
        self.line = line
        return try call(function, values)
    }

    private func evaluateFilter(
        _ value: Expression, _ name: String, _ arguments: Expression.Arguments, _ line: Int, _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        let value = try evaluate(value, scope)
        let values = try evaluate(arguments, scope)
        self.line = line
        return try filter(name, value, values)
    }

    private func evaluateTest(
        _ value: Expression, _ name: String, _ arguments: Expression.Arguments, _ scope: Scope
    ) throws(TemplateError) -> Bool {
        let value = try evaluate(value, scope)
        return try test(name, value, try evaluate(arguments, scope))
    }

    // MARK: Attributes, items, slices

    /// `object.name`: Python's attributes and methods come before the keys of an object.
    func attribute(_ name: String, of object: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        switch object {
        case .undefined(let why): throw fail("\(why), so it has no '\(name)'")
        case .namespace(let namespace):
            if let value = namespace.attributes[name] { return value }
        case .loop(let loop):
            if let value = attribute(name, of: loop) { return value }
        case .string(let bytes):
            if Self.stringMethods.contains(name) { return .method(of: .string(bytes), name) }
        case .list(let list):
            if Self.listMethods.contains(name) { return .method(of: .list(list), name) }
        case .dictionary(let dictionary):
            if Self.changingMethods.contains(name) { break }
            if Self.dictionaryMethods.contains(name) { return .method(of: .dictionary(dictionary), name) }
            if let value = dictionary[.text(name)] { return value }
        default: break
        }
        return .undefined("a value of kind \(object.kindName) has no '\(name)'")
    }

    private func attribute(_ name: String, of loop: RuntimeLoop) -> RuntimeValue? {
        let (index, count) = (loop.index, loop.items.count)
        switch name {
        case "index": return .int(index + 1)
        case "index0": return .int(index)
        case "revindex": return .int(count - index)
        case "revindex0": return .int(count - index - 1)
        case "first": return .bool(index == 0)
        case "last": return .bool(index == count - 1)
        case "length": return .int(count)
        // Only recursive loops go deeper, which chat templates don't have.
        case "depth": return .int(1)
        case "depth0": return .int(0)
        case "previtem": return index > 0 ? loop.items[index - 1] : .undefined("there is no previous item")
        case "nextitem": return index + 1 < count ? loop.items[index + 1] : .undefined("there is no next item")
        case "cycle": return .method(of: .loop(loop), name)
        default: return nil
        }
    }

    /// `object[key]`: items come before attributes.
    func item(_ key: RuntimeValue, of object: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        if case .undefined(let why) = object { throw fail("\(why), so it has no items") }
        if case .dictionary(let dictionary) = object, let value = dictionary[key] { return value }
        if let position = key.integer {
            if case .list(let list) = object {
                let index = position < 0 ? position + list.items.count : position
                if list.items.indices.contains(index) { return list.items[index] }
            }
            if case .string(let bytes) = object {
                try charge(9 * bytes.count)
                let starts = PythonText.boundaries(bytes)
                let index = position < 0 ? position + starts.count - 1 : position
                if index >= 0, index < starts.count - 1 {
                    return .string(Array(bytes[starts[index]..<starts[index + 1]]))
                }
            }
            return .undefined("a value of kind \(object.kindName) has no item \(position)")
        }
        if case .string(let name) = key { return try attribute(String(decoding: name, as: UTF8.self), of: object) }
        return .undefined("a value of kind \(object.kindName) has no such item")
    }

    private func evaluateSlice(
        _ object: Expression, _ bounds: [Expression?], _ scope: Scope
    ) throws(TemplateError) -> RuntimeValue {
        let object = try evaluate(object, scope)
        var values: [Int?] = []
        for bound in bounds {
            guard let bound else {
                values.append(nil)
                continue
            }
            let value = try evaluate(bound, scope)
            if case .none = value {
                values.append(nil)
            } else if let number = value.integer {
                values.append(number)
            } else {
                throw fail("a slice needs integers, not a value of kind \(value.kindName)")
            }
        }
        switch object {
        case .list(let list):
            let chosen = try slice(list.items.count, values[0], values[1], values[2])
            return try self.list(chosen.map { list.items[$0] }, isTuple: list.isTuple)
        case .string(let bytes):
            try charge(17 * bytes.count)
            let starts = PythonText.boundaries(bytes)
            let chosen = try slice(starts.count - 1, values[0], values[1], values[2])
            return try string(chosen.flatMap { bytes[starts[$0]..<starts[$0 + 1]] })
        case .undefined(let why): throw fail("\(why), so it has no slices")
        default: return .undefined("a value of kind \(object.kindName) has no slices")
        }
    }

    /// The positions that Python's `[from:to:step]` takes of `count` items.
    private func slice(_ count: Int, _ from: Int?, _ to: Int?, _ step: Int?) throws(TemplateError) -> StrideTo<Int> {
        // Steps beyond the count take one item at most, like the count itself.
        let step = min(max(step ?? 1, -count - 1), count + 1)
        guard step != 0 else { throw fail("the step of a slice can't be 0") }
        func clamp(_ bound: Int?, _ fallback: Int) -> Int {
            guard let bound else { return fallback }
            let position = bound < 0 ? max(bound, -count - 1) + count : min(bound, count)
            return step > 0 ? min(max(position, 0), count) : min(max(position, -1), count - 1)
        }
        let start = clamp(from, step > 0 ? 0 : count - 1)
        return stride(from: start, to: clamp(to, step > 0 ? count : -1), by: step)
    }

    // MARK: Operators

    private func positive(_ value: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        if let integer = value.integer { return .int(integer) }
        guard case .double = value else { throw fail("a value of kind \(value.kindName) has no sign") }
        return value
    }

    private func negated(_ value: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        if let integer = value.integer { return try checked(Int(0).subtractingReportingOverflow(integer)) }
        guard case .double(let number) = value else { throw fail("a value of kind \(value.kindName) has no sign") }
        return .double(-number)
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> RuntimeValue {
        guard !result.overflow else { throw fail("a number is too large") }
        return .int(result.partialValue)
    }

    /// `a` and `b` with the operator between them.
    func binary(
        _ name: Expression.Operator, _ a: RuntimeValue, _ b: RuntimeValue
    ) throws(TemplateError) -> RuntimeValue {
        for value in [a, b] { if case .undefined(let why) = value { throw fail(why) } }
        switch (name, a, b) {
        case (.add, .string(let x), .string(let y)): return try string(x + y)
        case (.add, .list(let x), .list(let y)) where x.isTuple == y.isTuple:
            return try list(x.items + y.items, isTuple: x.isTuple)
        case (.multiply, .string, _), (.multiply, .list, _): if let count = b.integer { return try repeated(a, count) }
        case (.multiply, _, .string), (.multiply, _, .list): if let count = a.integer { return try repeated(b, count) }
        default:
            if let x = a.integer, let y = b.integer { return try integers(name, x, y) }
            if let x = a.number, let y = b.number { return try numbers(name, x, y) }
        }
        throw fail("\"\(name.rawValue)\" does not work between \(a.kindName) and \(b.kindName)")
    }

    private func repeated(_ value: RuntimeValue, _ count: Int) throws(TemplateError) -> RuntimeValue {
        let (bytes, overflow) = value.weight.multipliedReportingOverflow(by: max(count, 0))
        try charge(overflow ? .max : bytes)
        switch value {
        case .list(let list):
            return try self.list(Array(repeatElement(list.items, count: max(count, 0)).joined()), isTuple: list.isTuple)
        default: return .string(Array(repeatElement(value.printed, count: max(count, 0)).joined()))
        }
    }

    private func integers(_ name: Expression.Operator, _ x: Int, _ y: Int) throws(TemplateError) -> RuntimeValue {
        switch name {
        case .add: return try checked(x.addingReportingOverflow(y))
        case .subtract: return try checked(x.subtractingReportingOverflow(y))
        case .multiply: return try checked(x.multipliedReportingOverflow(by: y))
        case .floorDivide, .modulo:
            guard y != 0 else { throw fail("division by zero") }
            let (quotient, overflow) = x.dividedReportingOverflow(by: y)
            guard !overflow else { throw fail("a number is too large") }
            // Python rounds down, so that the remainder has the divisor's sign.
            let remainder = x - quotient * y
            let isBelow = remainder != 0 && (remainder < 0) != (y < 0)
            return .int(name == .modulo ? (isBelow ? remainder + y : remainder) : (isBelow ? quotient - 1 : quotient))
        case .power where y >= 0:
            guard x.magnitude > 1 else { return .int(y == 0 ? 1 : x < 0 && y % 2 == 0 ? 1 : x) }
            var result = 1
            for _ in 0..<min(y, 64) {
                let (product, overflow) = result.multipliedReportingOverflow(by: x)
                guard !overflow else { throw fail("a number is too large") }
                result = product
            }
            return .int(result)
        case .power, .divide: return try numbers(name, Double(x), Double(y))
        }
    }

    private func numbers(_ name: Expression.Operator, _ x: Double, _ y: Double) throws(TemplateError) -> RuntimeValue {
        switch name {
        case .add: return .double(x + y)
        case .subtract: return .double(x - y)
        case .multiply: return .double(x * y)
        case .power: return .double(pow(x, y))
        case .divide, .floorDivide, .modulo:
            guard y != 0 else { throw fail("division by zero") }
            if name == .divide { return .double(x / y) }
            let remainder = x.truncatingRemainder(dividingBy: y)
            let isBelow = remainder != 0 && (remainder < 0) != (y < 0)
            return .double(name == .modulo ? (isBelow ? remainder + y : remainder) : (x / y).rounded(.down))
        }
    }

    // MARK: Comparisons

    private func evaluateComparison(
        _ first: Expression, _ rest: [(comparison: Expression.Comparison, value: Expression)], _ scope: Scope
    ) throws(TemplateError) -> Bool {
        var left = try evaluate(first, scope)
        for (comparison, expression) in rest {
            let right = try evaluate(expression, scope)
            guard try compare(comparison, left, right) else { return false }
            left = right
        }
        return true
    }

    /// Whether the comparison holds.
    func compare(
        _ comparison: Expression.Comparison, _ a: RuntimeValue, _ b: RuntimeValue
    ) throws(TemplateError) -> Bool {
        try charge(min(a.weight, b.weight))
        switch comparison {
        case .equal: return RuntimeValue.equal(a, b)
        case .notEqual: return !RuntimeValue.equal(a, b)
        case .isIn: return try contains(b, a)
        case .notIn: return try !contains(b, a)
        case .less, .lessOrEqual, .greater, .greaterOrEqual: break
        }
        for value in [a, b] { if case .undefined(let why) = value { throw fail(why) } }
        guard let order = RuntimeValue.order(a, b) else {
            if a.number != nil, b.number != nil { return false }
            throw fail("\"\(comparison.rawValue)\" does not work between \(a.kindName) and \(b.kindName)")
        }
        switch comparison {
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        default: return order >= 0
        }
    }

    /// Python's `element in container`.
    func contains(_ container: RuntimeValue, _ element: RuntimeValue) throws(TemplateError) -> Bool {
        switch (container, element) {
        case (.undefined, _): return false
        case (.string(let text), .string(let part)):
            try charge(text.count)
            return PythonText.find(part, in: text) != nil
        case (.generator(let generator), _):
            try charge(generator.list.weight)
            return generator.rest().contains { RuntimeValue.equal($0, element) }
        case (.list(let list), _):
            try charge(list.weight)
            return list.items.contains { RuntimeValue.equal($0, element) }
        case (.dictionary(let dictionary), _): return dictionary[element] != nil
        default: throw fail("\"in\" does not work between \(element.kindName) and \(container.kindName)")
        }
    }
}
