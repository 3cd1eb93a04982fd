// SPDX-License-Identifier: Apache-2.0

// Filters on lists and objects.
extension TemplateRenderer {
    /// The filters that `filter` does not know itself.
    func listFilter(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        try charge(value.weight)
        switch name {
        case "length", "count": return .int(try length(try bound(value, arguments, name)))
        case "first", "last": return try end(name, try bound(value, arguments, name))
        case "list": return try list(try items(of: try bound(value, arguments, name)))
        case "items":
            _ = try bind(arguments, to: [], of: "the filter items")
            if case .undefined = value { return try generator([]) }
            guard case .dictionary(let dictionary) = value else {
                throw fail("items works on objects, not on \(value.kindName)")
            }
            return try generator(try pairs(dictionary))
        case "reverse": return try reversed(try bound(value, arguments, name))
        case "join":
            let values = try bind(arguments, to: ["d", "attribute"], of: "the filter join")
            var items = try items(of: value)
            if let path = values[1] { items = try keys(items, path: path) }
            return try join(items, try text(of: values[0] ?? .string([])), strict: false)
        // Of nothing, such as none, these make nothing.
        case "map": return try map(value.isTrue ? try items(of: value) : [], arguments)
        case "select", "reject", "selectattr", "rejectattr":
            return try select(name, value.isTrue ? try items(of: value) : [], arguments)
        case "dictsort": return try dictsort(value, arguments)
        case "sort", "unique", "min", "max": return try ordered(name, try items(of: value), arguments)
        case "sum":
            let values = try bind(arguments, to: ["attribute", "start"], of: "the filter sum")
            return try sum(try items(of: value), path: values[0], start: values[1])
        default: throw fail("there is no filter '\(name)'")
        }
    }

    private func end(_ name: String, _ value: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        let missing = RuntimeValue.undefined("there is no \(name) item")
        if case .generator(let generator) = value {
            guard name == "first" else { throw fail("last needs a list, not a value of kind generator") }
            return generator.next() ?? missing
        }
        let items = try items(of: value)
        return (name == "first" ? items.first : items.last) ?? missing
    }

    private func reversed(_ value: RuntimeValue) throws(TemplateError) -> RuntimeValue {
        let reversed = Array(try items(of: value).reversed())
        switch value {
        case .string: return try join(reversed, [], strict: true)
        case .generator: return try list(reversed)
        default: return try generator(reversed)
        }
    }

    private func length(_ value: RuntimeValue) throws(TemplateError) -> Int {
        switch value {
        case .undefined: return 0
        case .string(let bytes): return PythonText.count(bytes)
        case .list(let list): return list.items.count
        case .dictionary(let dictionary): return dictionary.entries.count
        default: throw fail("a value of kind \(value.kindName) has no length")
        }
    }

    /// What the attribute at `path`, as in `function.name`, is for each item; the item itself without a path.
    private func keys(
        _ items: [RuntimeValue], path: RuntimeValue?, fallback: RuntimeValue? = nil
    ) throws(TemplateError) -> [RuntimeValue] {
        guard let path, path.kindName != "none" else { return items }
        let parts = PythonText.split(try text(of: path), at: [UInt8(ascii: ".")], limit: .max)
        var values: [RuntimeValue] = []
        for value in items {
            var value = value
            for part in parts {
                let position = Int(String(decoding: part, as: UTF8.self))
                value = try item(position.map { .int($0) } ?? .string(part), of: value)
                if let fallback, case .undefined = value { value = fallback }
            }
            values.append(value)
        }
        return values
    }

    private func map(_ items: [RuntimeValue], _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        if arguments.positional.isEmpty {
            let values = try bind(arguments, to: ["attribute", "default"], of: "the filter map")
            guard let path = values[0] else { throw fail("map needs a filter or an attribute") }
            return try generator(try keys(items, path: path, fallback: values[1]))
        }
        let (name, rest) = try chosen(arguments, of: Self.filters, "filter")
        var values: [RuntimeValue] = []
        for item in items {
            values.append(try descend { () throws(TemplateError) in try filter(name, item, rest) })
        }
        return try generator(values)
    }

    /// The filter or test that the first argument names, and its arguments.
    private func chosen(
        _ arguments: CallArguments, of known: Set<String>, _ kind: String
    ) throws(TemplateError) -> (String, CallArguments) {
        var rest = arguments
        let name = String(decoding: rest.positional.removeFirst().printed, as: UTF8.self)
        guard known.contains(name) else { throw fail("there is no \(kind) '\(name)'") }
        return (name, rest)
    }

    /// Items, or items with an attribute, that pass a test or, without one, are true.
    private func select(
        _ name: String, _ items: [RuntimeValue], _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        var arguments = arguments
        var path: RuntimeValue?
        if name.hasSuffix("attr") {
            guard !arguments.positional.isEmpty else { throw fail("\(name) needs an attribute") }
            path = arguments.positional.removeFirst()
        }
        let wanted = name.hasPrefix("select")
        let tested = try keys(items, path: path)
        var kept: [RuntimeValue] = []
        if arguments.positional.isEmpty {
            _ = try bind(arguments, to: [], of: name)
            for (item, value) in zip(items, tested) where value.isTrue == wanted { kept.append(item) }
            return try generator(kept)
        }
        let (test, rest) = try chosen(arguments, of: Self.tests, "test")
        for (item, value) in zip(items, tested) {
            let passes = try descend { () throws(TemplateError) in try self.test(test, value, rest) }
            if passes == wanted { kept.append(item) }
        }
        return try generator(kept)
    }

    // MARK: Order

    /// `sort`, `unique`, `min` and `max`: by an attribute if one is given, and strings without regard to case unless
    /// asked.
    private func ordered(
        _ name: String, _ items: [RuntimeValue], _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        let names = name == "sort" ? ["reverse", "case_sensitive", "attribute"] : ["case_sensitive", "attribute"]
        let values = try bind(arguments, to: names, of: "the filter \(name)")
        let reverse = name == "sort" && values[0]?.isTrue == true
        let paths = try keys(items, path: values[names.count - 1])
        let keyed = try foldedKeys(paths, caseSensitive: values[names.count - 2]?.isTrue ?? false)
        switch name {
        case "unique":
            var seen: [RuntimeDictionary.Key: Bool] = [:]
            var kept: [RuntimeValue] = []
            for (item, value) in zip(items, keyed) {
                guard let key = RuntimeDictionary.Key(value) else { throw fail("unique works on strings and numbers") }
                if seen.updateValue(true, forKey: key) == nil { kept.append(item) }
            }
            return try generator(kept)
        case "sort": return try list(try sorted(keyed, reverse: reverse).map { items[$0] })
        default:
            let order = try sorted(keyed, reverse: name == "max")
            return order.first.map { items[$0] } ?? .undefined("there is no \(name) of nothing")
        }
    }

    private func foldedKeys(_ keys: [RuntimeValue], caseSensitive: Bool) throws(TemplateError) -> [RuntimeValue] {
        if caseSensitive { return keys }
        var folded: [RuntimeValue] = []
        for key in keys {
            guard case .string(let bytes) = key else {
                folded.append(key)
                continue
            }
            folded.append(try string(PythonText.lower(bytes)))
        }
        return folded
    }

    /// Positions of `keys` in their order; equal ones stay as they are.
    private func sorted(_ keys: [RuntimeValue], reverse: Bool) throws(TemplateError) -> [Int] {
        try charge(32 * keys.count)
        var unordered: (RuntimeValue, RuntimeValue)?
        let order = keys.indices.sorted { a, b in
            if RuntimeValue.equal(keys[a], keys[b]) { return a < b }
            guard let order = RuntimeValue.order(keys[a], keys[b]) else {
                unordered = (keys[a], keys[b])
                return a < b
            }
            return order == 0 ? a < b : (order < 0) != reverse
        }
        if let (a, b) = unordered { throw fail("values of kinds \(a.kindName) and \(b.kindName) have no order") }
        return order
    }

    private func dictsort(_ value: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        guard case .dictionary(let dictionary) = value else {
            throw fail("dictsort works on objects, not on \(value.kindName)")
        }
        let values = try bind(arguments, to: ["case_sensitive", "by", "reverse"], of: "the filter dictsort")
        let by = String(decoding: (values[1] ?? .text("key")).printed, as: UTF8.self)
        guard by == "key" || by == "value" else { throw fail("dictsort sorts by \"key\" or \"value\"") }
        let keys = dictionary.entries.map { by == "key" ? $0.key : $0.value }
        let folded = try foldedKeys(keys, caseSensitive: values[0]?.isTrue ?? false)
        let order = try sorted(folded, reverse: values[2]?.isTrue ?? false)
        var pairs: [RuntimeValue] = []
        for index in order {
            let entry = dictionary.entries[index]
            pairs.append(try list([entry.key, entry.value], isTuple: true))
        }
        return try list(pairs)
    }

    private func sum(
        _ items: [RuntimeValue], path: RuntimeValue?, start: RuntimeValue?
    ) throws(TemplateError) -> RuntimeValue {
        var total = start ?? .int(0)
        for value in try keys(items, path: path) { total = try binary(.add, total, value) }
        return total
    }
}
