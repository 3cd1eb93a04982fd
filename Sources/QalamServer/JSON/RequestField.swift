// SPDX-License-Identifier: Apache-2.0

/// A value in a request together with where it stands, so that every complaint can name it.
struct RequestField {
    /// Where it stands, such as `messages[1].content`; empty for the body itself.
    let path: String
    /// What was sent.
    let value: JSONValue

    /// The whole body.
    init(body: JSONValue) {
        path = ""
        value = body
    }

    /// `value`, which stands at `path`.
    init(path: String, value: JSONValue) {
        self.path = path
        self.value = value
    }

    /// The member `name` of this.
    func member(_ name: String, _ value: JSONValue) -> RequestField {
        RequestField(path: path.isEmpty ? name : "\(path).\(name)", value: value)
    }

    /// An error that blames this field.
    func error(_ why: String, code: String = "invalid_value") -> APIError {
        APIError(
            path.isEmpty ? "The body \(why)" : "\(path): \(why)", param: path.isEmpty ? nil : path, code: code)
    }

    /// An error for a value of the wrong kind.
    func expected(_ what: String) -> APIError {
        path.isEmpty
            ? error("must be \(what), but is \(value.kind).", code: "invalid_type")
            : error("expected \(what), but got \(value.kind).", code: "invalid_type")
    }

    /// An error for something OpenAI has and this server doesn't.
    func unsupported(_ why: String) -> APIError {
        error("\(why)", code: "unsupported_value")
    }

    /// An error for a member that must be there and isn't.
    func missing(_ wanted: String) -> APIError {
        APIError(
            "Missing required parameter: '\(path)' (expected \(wanted)).", param: path,
            code: "missing_required_parameter")
    }

    /// An error for a field that nobody knows.
    var unrecognized: APIError {
        APIError("Unrecognized request argument supplied: \(path)", param: path, code: "unknown_parameter")
    }

    /// The text.
    func string() throws(APIError) -> String {
        guard case .string(let text) = value else { throw expected("a string") }
        return text
    }

    /// The truth value.
    func bool() throws(APIError) -> Bool {
        guard case .bool(let flag) = value else { throw expected("a boolean") }
        return flag
    }

    /// A whole number, which must lie in `range`; 3.0 is one too, as in JSON Schema.
    func integer(in range: ClosedRange<Int>) throws(APIError) -> Int {
        let number: Int
        switch value {
        case .integer(let value): number = value
        case .number(let value):
            guard let exact = Int(exactly: value) else { throw expected("an integer of at most 64 bits") }
            number = exact
        default: throw expected("an integer")
        }
        guard range.contains(number) else {
            let limits = range.upperBound == .max ? "" : " and at most \(range.upperBound)"
            throw error("must be at least \(range.lowerBound)\(limits), but is \(number).")
        }
        return number
    }

    /// A number, which must lie in `range`.
    func number(in range: ClosedRange<Double>) throws(APIError) -> Double {
        guard let number = value.double else { throw expected("a number") }
        guard range.contains(number) else {
            let (low, high) = (Self.short(range.lowerBound), Self.short(range.upperBound))
            throw error("must be at least \(low) and at most \(high), but is \(Self.short(number)).")
        }
        return number
    }

    /// The elements, each with its place.
    func elements() throws(APIError) -> [RequestField] {
        guard case .array(let elements) = value else { throw expected("an array") }
        return elements.enumerated().map { RequestField(path: "\(path)[\($0.offset)]", value: $0.element) }
    }

    /// The members that aren't null, each with its place.
    func members() throws(APIError) -> [(name: String, field: RequestField)] {
        guard case .object(let members) = value else { throw expected(path.isEmpty ? "a JSON object" : "an object") }
        return members.compactMap { $0.value == .null ? nil : ($0.name, member($0.name, $0.value)) }
    }

    /// 2 rather than 2.0.
    private static func short(_ number: Double) -> String {
        Int(exactly: number).map(String.init) ?? number.description
    }
}
