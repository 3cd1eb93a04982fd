// SPDX-License-Identifier: Apache-2.0

/// The metadata of a GGUF file, looked up by key: one call a field, errors that name file, key and type.
///
/// Values stay in the mapped file and are decoded when asked for, so that a vocabulary of any size opens at once.
public struct GGUFMetadata: Sendable {
    /// Where a value is.
    private struct Entry {
        let type: GGUFValueType
        let bytes: Range<Int>
    }

    /// The keys in the order of the file.
    public private(set) var keys: [String] = []
    private var entries: [String: Entry] = [:]
    private let file: MappedFile

    /// Reads and checks `count` keys and values at the cursor.
    init(_ cursor: inout GGUFCursor, count: Int) throws(FormatError) {
        file = cursor.file
        for _ in 0..<count {
            let start = cursor.position
            let key = try cursor.text("a key")
            let type = try cursor.valueType(key)
            let valueStart = cursor.position
            try cursor.skipValue(type, key)
            let entry = Entry(type: type, bytes: valueStart..<cursor.position)
            guard entries.updateValue(entry, forKey: key) == nil else {
                throw cursor.malformed(start, "the key \(key) comes twice")
            }
            keys.append(key)
        }
    }

    /// The file, as errors name it.
    public var path: String { file.path }

    /// Whether `key` is there.
    public func has(_ key: String) -> Bool { entries[key] != nil }

    /// The type of the value under `key`, nil if absent.
    public func type(_ key: String) -> GGUFValueType? { entries[key]?.type }

    /// The whole value under `key`, nil if absent; large arrays are better read by their own accessors.
    public func value(_ key: String) throws(FormatError) -> GGUFValue? {
        guard let entry = entries[key] else { return nil }
        var cursor = GGUFCursor(file, at: entry.bytes.lowerBound)
        return try cursor.value(entry.type, key)
    }

    /// The value under `key` as it stands in the file, for writing it into another; nil if absent.
    package func field(_ key: String) -> GGUFField? {
        guard let entry = entries[key] else { return nil }
        defer { withExtendedLifetime(file) {} }
        return GGUFField(key, type: entry.type, encoded: Array(file.buffer[entry.bytes]))
    }

    // MARK: Single values

    /// An integer of any width; without a default the key must be there.
    public func int(_ key: String, default fallback: Int? = nil) throws(FormatError) -> Int {
        try required(key, try optionalInt(key) ?? fallback, "an integer")
    }

    /// An integer of any width, nil if absent.
    public func optionalInt(_ key: String) throws(FormatError) -> Int? {
        try single(key, "an integer", \.int)
    }

    /// An integer above 0; without a default the key must be there.
    package func positive(_ key: String, default fallback: Int? = nil) throws(FormatError) -> Int {
        let value = try int(key, default: fallback)
        guard value > 0 else { throw error(key, "expected an integer above 0, found \(value)") }
        return value
    }

    /// A number; without a default the key must be there.
    public func double(_ key: String, default fallback: Double? = nil) throws(FormatError) -> Double {
        try required(key, try optionalDouble(key) ?? fallback, "a number")
    }

    /// A number, nil if absent.
    public func optionalDouble(_ key: String) throws(FormatError) -> Double? {
        try single(key, "a number", \.double)
    }

    /// A finite number above 0; without a default the key must be there.
    package func positiveDouble(_ key: String, default fallback: Double? = nil) throws(FormatError) -> Double {
        let value = try double(key, default: fallback)
        guard value > 0, value.isFinite else { throw error(key, "expected a number above 0, found \(value)") }
        return value
    }

    /// True or false; without a default the key must be there.
    public func bool(_ key: String, default fallback: Bool? = nil) throws(FormatError) -> Bool {
        let found = try single(key, "true or false") { if case .bool(let truth) = $0 { truth } else { nil } }
        return try required(key, found ?? fallback, "true or false")
    }

    /// A string; without a default the key must be there.
    public func string(_ key: String, default fallback: String? = nil) throws(FormatError) -> String {
        try required(key, try optionalString(key) ?? fallback, "a string")
    }

    /// A string, nil if absent.
    public func optionalString(_ key: String) throws(FormatError) -> String? {
        try single(key, "a string") { if case .string(let text) = $0 { text } else { nil } }
    }

    // MARK: Arrays

    /// How many elements the array under `key` has, and their type; nil if there is none.
    public func array(_ key: String) -> (type: GGUFValueType, count: Int)? {
        guard let entry = entries[key], entry.type == .array else { return nil }
        var cursor = GGUFCursor(file, at: entry.bytes.lowerBound)
        guard let type = try? cursor.valueType(key), let count = try? cursor.number(UInt64.self) else { return nil }
        return (type, Int(count))
    }

    /// The first values of the array under `key`, for showing them; empty if there is none.
    package func prefix(_ key: String, _ limit: Int) throws(FormatError) -> [GGUFValue] {
        var values: [GGUFValue] = []
        try forEach(key) { cursor, type, index throws(FormatError) in
            if index < limit { values.append(try cursor.value(type, key)) }
            return index + 1 < limit
        }
        return values
    }

    /// A list of strings; empty if absent.
    public func strings(_ key: String) throws(FormatError) -> [String] {
        try list(key, "a string", .string) { if case .string(let text) = $0 { text } else { nil } }
    }

    /// A list of integers of any width, or one integer as a list of one; empty if absent.
    public func ints(_ key: String) throws(FormatError) -> [Int] {
        if let type = entries[key]?.type, type != .array { return [try int(key)] }
        return try list(key, "an integer", nil, \.int)
    }

    /// A list of numbers; empty if absent.
    public func doubles(_ key: String) throws(FormatError) -> [Double] { try list(key, "a number", nil, \.double) }

    /// A list of truth values; empty if absent.
    public func bools(_ key: String) throws(FormatError) -> [Bool] {
        try list(key, "true or false", .bool) { if case .bool(let truth) = $0 { truth } else { nil } }
    }

    /// Lends the bytes of every string of the list under `key`, in order, without making strings of them; none if
    /// absent.
    package func forEachString(_ key: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(FormatError) {
        defer { withExtendedLifetime(file) {} }
        let bytes = file.buffer
        try forEach(key) { cursor, type, index throws(FormatError) in
            guard type == .string else { throw error(key, "expected a list of strings, found one of \(type)") }
            body(UnsafeRawBufferPointer(rebasing: bytes[try cursor.string()]))
            return true
        }
    }

    // MARK: Parts

    /// The error "`path`: `key`: `why`", for checks of the caller's own.
    package func error(_ key: String, _ why: String) -> FormatError { .badKey(path: path, key: key, why: why) }

    private func required<Value>(_ key: String, _ value: Value?, _ expected: String) throws(FormatError) -> Value {
        guard let value else { throw error(key, "expected \(expected), but the key is missing") }
        return value
    }

    private func single<Value>(
        _ key: String, _ expected: String, _ convert: (GGUFValue) -> Value?
    ) throws(FormatError) -> Value? {
        guard let type = entries[key]?.type else { return nil }
        guard type != .array, let value = try value(key), let converted = convert(value) else {
            throw error(key, "expected \(expected), found a value of type \(type)")
        }
        return converted
    }

    /// Every element of a list, converted; those of another type than `only`, where one is given, are refused at once.
    private func list<Element>(
        _ key: String, _ expected: String, _ only: GGUFValueType?, _ convert: (GGUFValue) -> Element?
    ) throws(FormatError) -> [Element] {
        var result: [Element] = []
        result.reserveCapacity(array(key)?.count ?? 0)
        try forEach(key) { cursor, type, index throws(FormatError) in
            guard type != .array, only == nil || only == type,
                let converted = convert(try cursor.value(type, key))
            else { throw error("\(key)[\(index)]", "expected \(expected), found a value of type \(type)") }
            result.append(converted)
            return true
        }
        return result
    }

    /// Calls `body` with the cursor at each element of the list under `key` until it answers false.
    private func forEach(
        _ key: String, _ body: (inout GGUFCursor, GGUFValueType, Int) throws(FormatError) -> Bool
    ) throws(FormatError) {
        guard let entry = entries[key] else { return }
        guard entry.type == .array else { throw error(key, "expected a list, found a value of type \(entry.type)") }
        var cursor = GGUFCursor(file, at: entry.bytes.lowerBound)
        let type = try cursor.valueType(key)
        let count = try cursor.count(ofSize: type.leastSize)
        for index in 0..<count {
            guard try body(&cursor, type, index) else { return }
        }
    }
}
