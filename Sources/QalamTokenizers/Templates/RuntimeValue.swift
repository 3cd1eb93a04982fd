// SPDX-License-Identifier: Apache-2.0

/// A value while a template renders: JSON's kinds, and what only templates have.
enum RuntimeValue {
    /// Nothing of this name; the text says what was looked for.
    case undefined(String)
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string([UInt8])
    case list(RuntimeList)
    case generator(RuntimeGenerator)
    case dictionary(RuntimeDictionary)
    case namespace(RuntimeNamespace)
    case loop(RuntimeLoop)
    case macro(RuntimeMacro)
    /// A function that every template has, by name.
    case function(String)
    /// A method of a value, by name.
    case method(of: MethodOwner, String)

    /// A value that has methods.
    enum MethodOwner {
        case string([UInt8])
        case list(RuntimeList)
        case dictionary(RuntimeDictionary)
        case loop(RuntimeLoop)
    }

    /// Lists and objects may nest this deep.
    static let depthLimit = 64

    /// A string value of `text`.
    static func text(_ text: String) -> RuntimeValue { .string(Array(text.utf8)) }

    /// How deep lists and objects nest in it, 0 for anything else.
    var depth: Int {
        switch self {
        case .list(let list): list.depth
        case .generator(let generator): generator.list.depth
        case .dictionary(let dictionary): dictionary.depth
        case .method(.list(let list), _): list.depth
        case .method(.dictionary(let dictionary), _): dictionary.depth
        default: 0
        }
    }

    /// Bytes that writing the value out takes, roughly; a list that is in others many times counts each time.
    var weight: Int {
        switch self {
        case .string(let bytes): 8 + bytes.count
        case .list(let list): list.weight
        case .generator(let generator): generator.list.weight
        case .dictionary(let dictionary): dictionary.weight
        default: 8
        }
    }

    /// `a + b`, or the largest integer where that is too much.
    static func sum(_ a: Int, _ b: Int) -> Int {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }

    /// Python's `bool(value)`.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .double(let value): value != 0
        case .string(let bytes): !bytes.isEmpty
        case .list(let list): !list.items.isEmpty
        case .dictionary(let dictionary): !dictionary.entries.isEmpty
        case .generator, .namespace, .loop, .macro, .function, .method: true
        }
    }

    /// Python's name of the kind, for messages.
    var kindName: String {
        switch self {
        case .undefined: "undefined"
        case .none: "none"
        case .bool: "boolean"
        case .int: "integer"
        case .double: "float"
        case .string: "string"
        case .list(let list): list.isTuple ? "tuple" : "list"
        case .generator: "generator"
        case .dictionary: "object"
        case .namespace: "namespace"
        case .loop: "loop"
        case .macro, .function, .method: "function"
        }
    }

    /// As a number, truth values included; nil for anything else.
    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// As an integer, truth values included; nil for anything else.
    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): value
        default: nil
        }
    }
}

/// A list or tuple: it never changes.
final class RuntimeList {
    let items: [RuntimeValue]
    let isTuple: Bool
    let depth: Int
    let weight: Int

    init(_ items: [RuntimeValue], isTuple: Bool = false) {
        self.items = items
        self.isTuple = isTuple
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
        weight = items.reduce(16) { RuntimeValue.sum($0, $1.weight) }
    }
}

/// What filters such as `map` and `select` give: items that can be visited once, and that nobody has counted yet.
final class RuntimeGenerator {
    let list: RuntimeList
    private var taken = 0

    init(_ list: RuntimeList) { self.list = list }

    /// The next item, nil where none is left.
    func next() -> RuntimeValue? {
        guard taken < list.items.count else { return nil }
        taken += 1
        return list.items[taken - 1]
    }

    /// All that are left.
    func rest() -> [RuntimeValue] {
        defer { taken = list.items.count }
        return Array(list.items[taken...])
    }
}

/// An object: keys in order, and it never changes.
final class RuntimeDictionary {
    /// Keys as Python compares them: 1, 1.0 and true are one key.
    enum Key: Hashable {
        case none
        case number(Double)
        case string([UInt8])

        init?(_ value: RuntimeValue) {
            switch value {
            case .none: self = .none
            case .string(let bytes): self = .string(bytes)
            default:
                guard let number = value.number else { return nil }
                self = .number(number)
            }
        }
    }

    private(set) var entries: [(key: RuntimeValue, value: RuntimeValue)] = []
    private var positions: [Key: Int] = [:]
    let depth: Int
    let weight: Int

    /// The entries, a later one for a key replacing the value of the earlier; nil if a key can't be one.
    init?(_ entries: [(key: RuntimeValue, value: RuntimeValue)]) {
        depth = 1 + (entries.lazy.map(\.value.depth).max() ?? 0)
        weight = entries.reduce(16) { RuntimeValue.sum($0, RuntimeValue.sum($1.key.weight, $1.value.weight)) }
        for entry in entries {
            guard let key = Key(entry.key) else { return nil }
            if let position = positions[key] {
                self.entries[position].value = entry.value
            } else {
                positions[key] = self.entries.count
                self.entries.append(entry)
            }
        }
    }

    /// The value under `key`.
    subscript(_ key: RuntimeValue) -> RuntimeValue? {
        guard let key = Key(key), let position = positions[key] else { return nil }
        return entries[position].value
    }
}

/// What `namespace()` makes: the one thing whose attributes templates can set.
final class RuntimeNamespace {
    var attributes: [String: RuntimeValue] = [:]
}

/// The variable `loop` inside a loop.
final class RuntimeLoop {
    /// Emptied when the loop ends, so that no chain of loops outlives it.
    var items: [RuntimeValue]
    var index = 0

    init(_ items: [RuntimeValue]) { self.items = items }
}

/// A macro with the scope it was defined in.
final class RuntimeMacro {
    let definition: MacroDefinition
    let scope: Scope

    init(_ definition: MacroDefinition, _ scope: Scope) {
        self.definition = definition
        self.scope = scope
    }
}

/// Variables, inside those of an outer scope.
final class Scope {
    var variables: [String: RuntimeValue] = [:]
    let parent: Scope?

    init(inside parent: Scope?) { self.parent = parent }

    /// The variable `name`, here or further out.
    func lookUp(_ name: String) -> RuntimeValue? {
        var scope: Scope? = self
        while let here = scope {
            if let value = here.variables[name] { return value }
            scope = here.parent
        }
        return nil
    }
}
