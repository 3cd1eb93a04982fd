// SPDX-License-Identifier: Apache-2.0

import Foundation

// Calls: functions that every template has, and methods of strings, lists and objects.
extension TemplateRenderer {
    /// The functions that every template has.
    static let functions = ["range", "dict", "namespace", "raise_exception", "strftime_now"]
    /// Methods of strings.
    static let stringMethods: Set = [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith", "replace", "upper",
        "lower",
        "title", "capitalize", "find", "rfind", "count", "join", "isdigit", "isalpha", "isalnum", "isspace", "isupper",
        "islower", "removeprefix", "removesuffix", "zfill", "format",
    ]
    /// Methods of lists.
    static let listMethods: Set = ["index", "count"]
    /// Methods of objects.
    static let dictionaryMethods: Set = ["items", "keys", "values", "get", "copy"]
    /// Python's methods that change objects: they hide keys of these names, and can't be used.
    static let changingMethods: Set = ["clear", "pop", "popitem", "setdefault", "update"]

    /// Calls `function`.
    func call(_ function: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        switch function {
        case .function(let name): return try callFunction(name, arguments)
        case .macro(let macro): return try descend { () throws(TemplateError) in try call(macro, arguments) }
        case .method(of: .string(let bytes), let name): return try callMethod(name, of: bytes, arguments)
        case .method(of: .list(let list), let name): return try callMethod(name, of: list, arguments)
        case .method(of: .dictionary(let dictionary), let name): return try callMethod(name, of: dictionary, arguments)
        case .method(of: .loop(let loop), _):
            guard !arguments.positional.isEmpty else { throw fail("loop.cycle needs values") }
            return arguments.positional[loop.index % arguments.positional.count]
        case .undefined(let why): throw fail("\(why), so it can't be called")
        default: throw fail("a value of kind \(function.kindName) can't be called")
        }
    }

    private func callFunction(_ name: String, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        switch name {
        case "range": return try range(arguments)
        case "dict", "namespace":
            var entries: [(key: RuntimeValue, value: RuntimeValue)] = []
            for argument in arguments.positional {
                guard case .dictionary(let dictionary) = argument else {
                    throw fail("\(name) takes an object, not a value of kind \(argument.kindName)")
                }
                entries += dictionary.entries
            }
            entries += arguments.named.map { (.text($0.name), $0.value) }
            if name == "dict" { return try dictionary(entries) }
            try charge(48 * entries.count)
            let attributes = entries.map { (String(decoding: $0.key.printed, as: UTF8.self), $0.value) }
            return namespace(Dictionary(attributes) { $1 })
        case "raise_exception":
            let message = try bind(arguments, to: ["message"], of: name)[0] ?? .none
            throw .raised(String(decoding: try text(of: message), as: UTF8.self))
        default:
            guard case .string(let format)? = try bind(arguments, to: ["format"], of: name)[0] else {
                throw fail("\(name) needs a format")
            }
            return try string(formattedTime(format))
        }
    }

    private func range(_ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        var bounds: [Int] = []
        for value in try bind(arguments, to: ["start", "stop", "step"], of: "range").compactMap({ $0 }) {
            guard let bound = value.integer else { throw fail("range needs integers, not \(value.kindName)") }
            bounds.append(bound)
        }
        guard !bounds.isEmpty else { throw fail("range needs an end") }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0 else { throw fail("the step of range can't be 0") }
        let (distance, overflow) = stop.subtractingReportingOverflow(start)
        guard !overflow, (distance / step) < Self.rangeLimit else {
            throw .limit(line: line, why: "range gives more than \(Self.rangeLimit) numbers")
        }
        return try list(stride(from: start, to: stop, by: step).map { .int($0) })
    }

    /// The C library's `strftime` for the local time, as Python's `datetime.now().strftime`.
    private func formattedTime(_ format: [UInt8]) -> [UInt8] {
        var seconds = time_t(now.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        // A space in front tells an empty result from one that does not fit.
        let format = format.prefix(1000).map { CChar(bitPattern: $0) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = strftime(&buffer, buffer.count, [0x20] + format + [0], &parts)
        return buffer.prefix(length).dropFirst().map { UInt8(bitPattern: $0) }
    }

    // MARK: Strings

    private func callMethod(
        _ name: String, of text: [UInt8], _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        try charge(text.count)
        switch name {
        case "strip", "lstrip", "rstrip": return try trim(text, arguments, name)
        case "split", "rsplit": return try split(text, arguments, name)
        case "startswith", "endswith": return .bool(try hasAffix(text, arguments, name))
        case "replace", "count", "find", "rfind", "removeprefix", "removesuffix":
            return try search(name, text, arguments)
        case "splitlines":
            let keepEnds = try bind(arguments, to: ["keepends"], of: name)[0]?.isTrue ?? false
            return try list(PythonText.lines(text, keepEnds: keepEnds).map { .string($0) })
        case "format": return try format(text, arguments)
        case "join":
            guard let items = try bind(arguments, to: ["iterable"], of: name)[0] else {
                throw fail("join needs a list")
            }
            return try join(try self.items(of: items), text, strict: true)
        case "zfill":
            guard let width = try bind(arguments, to: ["width"], of: name)[0]?.integer else {
                throw fail("zfill needs a width")
            }
            let signs = text.first == 0x2B || text.first == 0x2D ? 1 : 0
            let padding = max(0, min(width, Self.byteLimit) - PythonText.count(text))
            try charge(2 * padding)
            return try string(Array(text[..<signs]) + Array(repeating: 0x30, count: padding) + text[signs...])
        default:
            _ = try bind(arguments, to: [], of: name)
            return try changeCase(name, text) ?? .bool(Self.hasKind(name, text))
        }
    }

    /// `str.format` with fields such as `{}`, `{0}` and `{name}`.
    private func format(_ text: [UInt8], _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        var output: [UInt8] = []
        var next = 0
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") else {
                output.append(byte)
                continue
            }
            if rest.first == byte {
                output.append(byte)
                rest.removeFirst()
                continue
            }
            guard byte == UInt8(ascii: "{"), let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                throw fail("format found a single \"\(Character(UnicodeScalar(byte)))\"")
            }
            let name = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            let index = Int(name) ?? next
            if name.isEmpty { next += 1 }
            let value =
                name.isEmpty || Int(name) != nil
                ? arguments.positional.indices.contains(index) ? arguments.positional[index] : nil
                : arguments.named.first { $0.name == name }?.value
            guard let value else { throw fail("format has no value for {\(name)}") }
            output += try self.text(of: value)
        }
        return try string(output)
    }

    private func changeCase(_ name: String, _ text: [UInt8]) throws(TemplateError) -> RuntimeValue? {
        switch name {
        case "upper": try string(PythonText.upper(text))
        case "lower": try string(PythonText.lower(text))
        case "title": try string(PythonText.titled(text))
        case "capitalize": try string(PythonText.capitalized(text))
        default: nil
        }
    }

    /// `isdigit`, `isalpha`, `isalnum`, `isspace`, `isupper`, `islower`: whether all of a text that is not empty is so.
    private static func hasKind(_ name: String, _ text: [UInt8]) -> Bool {
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        func isDigit(_ scalar: UnicodeScalar) -> Bool {
            scalar.properties.numericType == .decimal || scalar.properties.numericType == .digit
        }
        func isLetter(_ scalar: UnicodeScalar) -> Bool {
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
            default: false
            }
        }
        let cased = scalars.filter(\.properties.isCased)
        switch name {
        case "isupper": return !cased.isEmpty && cased.allSatisfy(\.properties.isUppercase)
        case "islower": return !cased.isEmpty && cased.allSatisfy(\.properties.isLowercase)
        case "isdigit": return !scalars.isEmpty && scalars.allSatisfy(isDigit)
        case "isalpha": return !scalars.isEmpty && scalars.allSatisfy(isLetter)
        case "isspace": return !scalars.isEmpty && scalars.allSatisfy { PythonText.isSpace($0.value) }
        default:
            return !scalars.isEmpty
                && scalars.allSatisfy { isLetter($0) || isDigit($0) || $0.properties.numericType != nil }
        }
    }

    /// `strip` and its kin, also as the filter `trim`.
    func trim(_ text: [UInt8], _ arguments: CallArguments, _ name: String) throws(TemplateError) -> RuntimeValue {
        var set: Set<UInt32>?
        switch try bind(arguments, to: ["chars"], of: name)[0] {
        case nil, .some(.none): break
        case .string(let characters)?: set = PythonText.scalars(characters)
        case let other?: throw fail("\(name) takes a string, not a value of kind \(other.kindName)")
        }
        var rest = text[...]
        if name != "rstrip" { rest = PythonText.trimmedStart(rest, set) }
        if name != "lstrip" { rest = PythonText.trimmedEnd(rest, set) }
        return try string(Array(rest))
    }

    private func split(_ text: [UInt8], _ arguments: CallArguments, _ name: String) throws(TemplateError)
        -> RuntimeValue
    {
        let values = try bind(arguments, to: ["sep", "maxsplit"], of: name)
        var limit = Int.max
        if let value = values[1] {
            guard let count = value.integer else { throw fail("\(name) takes an integer as its second argument") }
            if count >= 0 { limit = count }
        }
        switch values[0] {
        case nil, .some(.none):
            guard name == "split" || limit == .max else { throw fail("rsplit needs a separator when it has a limit") }
            return try list(PythonText.words(text, limit: limit).map { .string($0) })
        case .string(let separator)?:
            guard !separator.isEmpty else { throw fail("\(name) needs a separator that is not empty") }
            let parts = PythonText.split(text, at: separator, limit: limit, fromBack: name == "rsplit")
            return try list(parts.map { .string($0) })
        case let other?: throw fail("\(name) takes a string, not a value of kind \(other.kindName)")
        }
    }

    private func hasAffix(_ text: [UInt8], _ arguments: CallArguments, _ name: String) throws(TemplateError) -> Bool {
        let value = try bind(arguments, to: ["affix"], of: name)[0] ?? .none
        var affixes: [RuntimeValue] = [value]
        if case .list(let list) = value, list.isTuple { affixes = list.items }
        for affix in affixes {
            guard case .string(let bytes) = affix else {
                throw fail("\(name) takes a string, not a value of kind \(affix.kindName)")
            }
            let hit = name == "startswith" ? text.starts(with: bytes) : text.suffix(bytes.count).elementsEqual(bytes)
            if hit { return true }
        }
        return false
    }

    /// Methods that look for one string in another.
    private func search(_ name: String, _ text: [UInt8], _ arguments: CallArguments) throws(TemplateError)
        -> RuntimeValue
    {
        if name == "replace" {
            for value in arguments.positional.prefix(2) where value.kindName != "string" {
                throw fail("replace takes strings, not a value of kind \(value.kindName)")
            }
            return try replace(text, arguments)
        }
        guard case .string(let part)? = try bind(arguments, to: ["sub"], of: name)[0] else {
            throw fail("\(name) needs a string")
        }
        switch name {
        case "removeprefix": return try string(text.starts(with: part) ? Array(text.dropFirst(part.count)) : text)
        case "removesuffix":
            return try string(text.suffix(part.count).elementsEqual(part) ? Array(text.dropLast(part.count)) : text)
        case "count":
            let isEmpty = part.isEmpty
            return .int(isEmpty ? PythonText.count(text) + 1 : PythonText.matches(part, in: text, limit: .max).count)
        case "find":
            return .int(PythonText.find(part, in: text).map { PythonText.count(Array(text[..<$0])) } ?? -1)
        default:
            if part.isEmpty { return .int(PythonText.count(text)) }
            let parts = PythonText.split(text, at: part, limit: 1, fromBack: true)
            return .int(parts.count == 1 ? -1 : PythonText.count(parts[0]))
        }
    }

    /// `replace(old, new, count)`, also as a filter.
    func replace(_ text: [UInt8], _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        let values = try bind(arguments, to: ["old", "new", "count"], of: "replace")
        guard let old = values[0], let new = values[1] else { throw fail("replace needs what to replace, and by what") }
        var limit = Int.max
        switch values[2] {
        case nil, .some(.none): break
        case let value?:
            guard let count = value.integer else { throw fail("replace takes an integer as its third argument") }
            if count >= 0 { limit = count }
        }
        let (from, to) = (try self.text(of: old), try self.text(of: new))
        // Each match gives one `to`; there are at most as many as fit.
        let matches = min(text.count / max(from.count, 1) + 1, limit)
        let (growth, overflow) = matches.multipliedReportingOverflow(by: to.count)
        try charge(overflow ? .max : growth)
        return try string(PythonText.replace(from, by: to, in: text, limit: limit))
    }

    /// Items as one text, with `separator` between them; `strict` takes strings only, as Python's method does.
    func join(_ items: [RuntimeValue], _ separator: [UInt8], strict: Bool) throws(TemplateError) -> RuntimeValue {
        try charge(separator.count.multipliedReportingOverflow(by: items.count).partialValue)
        var result: [UInt8] = []
        for (index, item) in items.enumerated() {
            if strict {
                guard case .string = item else {
                    throw fail("join takes strings, not a value of kind \(item.kindName)")
                }
            }
            if index > 0 { result += separator }
            result += try text(of: item)
        }
        return .string(result)
    }

    // MARK: Lists and objects

    private func callMethod(
        _ name: String, of list: RuntimeList, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        try charge(list.weight)
        guard let wanted = try bind(arguments, to: ["value"], of: name)[0] else { throw fail("\(name) needs a value") }
        if name == "count" { return .int(list.items.count { RuntimeValue.equal($0, wanted) }) }
        guard let index = list.items.firstIndex(where: { RuntimeValue.equal($0, wanted) }) else {
            throw fail("the value is not in the list")
        }
        return .int(index)
    }

    private func callMethod(
        _ name: String, of dictionary: RuntimeDictionary, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        switch name {
        case "get":
            let values = try bind(arguments, to: ["key", "default"], of: name)
            guard let key = values[0] else { throw fail("get needs a key") }
            return dictionary[key] ?? values[1] ?? .none
        default: _ = try bind(arguments, to: [], of: name)
        }
        switch name {
        case "items": return try list(try pairs(dictionary))
        case "keys": return try list(dictionary.entries.map(\.key))
        case "values": return try list(dictionary.entries.map(\.value))
        default: return .dictionary(dictionary)
        }
    }

    /// The entries of `dictionary` as tuples of key and value.
    func pairs(_ dictionary: RuntimeDictionary) throws(TemplateError) -> [RuntimeValue] {
        var pairs: [RuntimeValue] = []
        for entry in dictionary.entries { pairs.append(try list([entry.key, entry.value], isTuple: true)) }
        return pairs
    }
}
