// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// A cursor over one object of a JSON file: one call a field, errors that name file and key.
///
///     let layers = try json.positive("num_hidden_layers")
///     let kvHeads = try json.positive("num_key_value_heads", default: heads)
///
/// A key whose value is `null` counts as absent, as in the files of Hugging Face.
package struct JSONReader: Sendable {
    /// The file, as errors name it.
    package let file: String
    /// Keys from the top of the file down to this object, joined by dots; empty at the top.
    package let keyPath: String
    private let members: [String: JSONValue]

    /// Reads the file at `url`, whose top must be an object.
    package init(contentsOf url: URL) throws(FormatError) {
        let mapped = try MappedFile(url)
        try self.init(Array(mapped.buffer), file: url.lastPathComponent)
    }

    /// Reads `bytes`, whose top must be an object; errors call them `file`.
    package init(_ bytes: [UInt8], file: String) throws(FormatError) {
        do throws(JSONFault) {
            var scanner = JSONScanner(bytes)
            let value = try scanner.value()
            try scanner.finish()
            guard case .object(let members) = value else {
                throw JSONFault(at: 0, why: "expected an object, found \(value)")
            }
            self.init(file: file, keyPath: "", members: members)
        } catch {
            throw .malformed(path: file, at: error.at, why: error.why)
        }
    }

    /// Reads `bytes`, whose top must be a list of objects.
    package static func objects(_ bytes: [UInt8], file: String) throws(FormatError) -> [JSONReader] {
        let list: JSONValue
        do throws(JSONFault) {
            var scanner = JSONScanner(bytes)
            list = try scanner.value()
            try scanner.finish()
        } catch {
            throw .malformed(path: file, at: error.at, why: error.why)
        }
        return try JSONReader(file: file, keyPath: "", members: ["": list]).objects("")
    }

    /// An object of these members, for settings that come from other files; errors call it `file`.
    package init(members: [String: JSONValue], file: String) {
        self.init(file: file, keyPath: "", members: members)
    }

    private init(file: String, keyPath: String, members: [String: JSONValue]) {
        self.file = file
        self.keyPath = keyPath
        self.members = members
    }

    /// The keys, sorted.
    package var keys: [String] { members.keys.sorted() }

    /// Whether `key` is there and not `null`.
    package func has(_ key: String) -> Bool { self[key] != nil }

    /// The raw value under `key`; nil if absent or `null`.
    package subscript(_ key: String) -> JSONValue? {
        guard let value = members[key], value != .null else { return nil }
        return value
    }

    // MARK: Numbers

    /// An integer, in `range` where one is given; without a default the key must be there.
    package func int(_ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>? = nil) throws(FormatError)
        -> Int
    {
        let value = try required(key, try optionalInt(key) ?? fallback, "an integer")
        if let range, !range.contains(value) {
            throw error(key, "expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
        return value
    }

    /// An integer, nil if absent.
    package func optionalInt(_ key: String) throws(FormatError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let int = Self.int(value) else { throw mismatch(key, "an integer", value) }
        return int
    }

    /// An integer above 0; without a default the key must be there.
    package func positive(_ key: String, default fallback: Int? = nil) throws(FormatError) -> Int {
        let value = try int(key, default: fallback)
        guard value > 0 else { throw error(key, "expected an integer above 0, found \(value)") }
        return value
    }

    /// A number; without a default the key must be there.
    package func double(_ key: String, default fallback: Double? = nil) throws(FormatError) -> Double {
        try required(key, try optionalDouble(key) ?? fallback, "a number")
    }

    /// A number, nil if absent.
    package func optionalDouble(_ key: String) throws(FormatError) -> Double? {
        guard let value = self[key] else { return nil }
        guard let double = Self.double(value) else { throw mismatch(key, "a number", value) }
        return double
    }

    /// A finite number above 0; without a default the key must be there.
    package func positiveDouble(_ key: String, default fallback: Double? = nil) throws(FormatError) -> Double {
        let value = try double(key, default: fallback)
        guard value > 0, value.isFinite else { throw error(key, "expected a number above 0, found \(value)") }
        return value
    }

    // MARK: Other values

    /// True or false; without a default the key must be there.
    package func bool(_ key: String, default fallback: Bool? = nil) throws(FormatError) -> Bool {
        var found = fallback
        if let value = self[key] {
            guard case .bool(let bool) = value else { throw mismatch(key, "true or false", value) }
            found = bool
        }
        return try required(key, found, "true or false")
    }

    /// A string; without a default the key must be there.
    package func string(_ key: String, default fallback: String? = nil) throws(FormatError) -> String {
        try required(key, try optionalString(key) ?? fallback, "a string")
    }

    /// A string, nil if absent.
    package func optionalString(_ key: String) throws(FormatError) -> String? {
        guard let value = self[key] else { return nil }
        guard case .string(let string) = value else { throw mismatch(key, "a string", value) }
        return string
    }

    /// A list of integers, or one integer as a list of one (`eos_token_id` comes in both forms); empty if absent.
    package func ints(_ key: String) throws(FormatError) -> [Int] {
        if let value = self[key], let single = Self.int(value) { return [single] }
        return try list(key, "an integer", Self.int)
    }

    /// A list of numbers; empty if absent.
    package func doubles(_ key: String) throws(FormatError) -> [Double] { try list(key, "a number", Self.double) }

    /// A list of strings; empty if absent.
    package func strings(_ key: String) throws(FormatError) -> [String] {
        try list(key, "a string") { if case .string(let string) = $0 { string } else { nil } }
    }

    /// The object under `key`, which must be there.
    package func object(_ key: String) throws(FormatError) -> JSONReader {
        try required(key, try optionalObject(key), "an object")
    }

    /// The object under `key`, nil if absent.
    package func optionalObject(_ key: String) throws(FormatError) -> JSONReader? {
        guard let value = self[key] else { return nil }
        guard case .object(let members) = value else { throw mismatch(key, "an object", value) }
        return JSONReader(file: file, keyPath: path(key), members: members)
    }

    /// A list of objects; empty if absent.
    package func objects(_ key: String) throws(FormatError) -> [JSONReader] {
        var index = -1
        return try list(key, "an object") { value in
            index += 1
            guard case .object(let members) = value else { return nil }
            return JSONReader(file: file, keyPath: "\(path(key))[\(index)]", members: members)
        }
    }

    /// The error "`file`: `key`: `why`", for checks of the caller's own.
    package func error(_ key: String, _ why: String) -> FormatError {
        .badKey(path: file, key: path(key), why: why)
    }

    // MARK: Parts

    private func path(_ key: String) -> String { keyPath.isEmpty ? key : "\(keyPath).\(key)" }

    private func mismatch(_ key: String, _ expected: String, _ found: JSONValue) -> FormatError {
        error(key, "expected \(expected), found \(found)")
    }

    private func required<Value>(_ key: String, _ value: Value?, _ expected: String) throws(FormatError) -> Value {
        guard let value else { throw error(key, "expected \(expected), but the key is missing") }
        return value
    }

    private func list<Element>(
        _ key: String, _ expected: String, _ convert: (JSONValue) -> Element?
    ) throws(FormatError) -> [Element] {
        guard let value = self[key] else { return [] }
        guard case .array(let elements) = value else { throw mismatch(key, "a list", value) }
        var result: [Element] = []
        for (index, element) in elements.enumerated() {
            guard let converted = convert(element) else { throw mismatch("\(key)[\(index)]", expected, element) }
            result.append(converted)
        }
        return result
    }

    private static func int(_ value: JSONValue) -> Int? {
        switch value {
        case .int(let int): int
        case .double(let double): Int(exactly: double)
        default: nil
        }
    }

    private static func double(_ value: JSONValue) -> Double? {
        switch value {
        case .int(let int): Double(int)
        case .double(let double): double
        default: nil
        }
    }
}
