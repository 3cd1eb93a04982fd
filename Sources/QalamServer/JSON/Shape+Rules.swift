// SPDX-License-Identifier: Apache-2.0

extension Shape {
    /// What an object's members have to do with each other: one of several things must be so.
    package struct Rule: Sendable {
        /// One of the things.
        package enum Term: Sendable {
            /// The member has one of these values; null stands for one that isn't there.
            case value(String, [JSONValue])
            /// The member is there, and not null.
            case given(String)
        }

        private let terms: [Term]
        /// The member to blame.
        private let param: String
        private let why: String
        /// Whether what is wrong is that `param` isn't there; `why` then says what it should be.
        private let isMissing: Bool

        /// One of `terms` must be so; otherwise `param` is to blame, for the reason given.
        package init(_ terms: [Term], blame param: String, _ why: String) {
            self.init(terms, param, why, isMissing: false)
        }

        private init(_ terms: [Term], _ param: String, _ why: String, isMissing: Bool) {
            self.terms = terms
            self.param = param
            self.why = why
            self.isMissing = isMissing
        }

        /// One of these members must be there; the first is asked for, as `wanted`.
        static func some(of names: [String], wanted: String) -> Rule {
            Rule(names.map { .given($0) }, names[0], wanted, isMissing: true)
        }

        /// Streams alone have options for streams.
        static let streamOptions = Rule(
            [.value("stream_options", [.null]), .value("stream", [true])], blame: "stream_options",
            "stream_options is only allowed when stream is true.")

        /// Only one of two members may be there.
        static func either(_ first: String, _ second: String, _ why: String) -> Rule {
            Rule([.value(first, [.null]), .value(second, [.null])], blame: first, why)
        }

        /// Checks an object.
        func check(_ field: RequestField) throws(APIError) {
            let holds = terms.contains { term in
                switch term {
                case .value(let name, let values): values.contains(field.value[name] ?? .null)
                case .given(let name): field.value.given(name) != nil
                }
            }
            guard !holds else { return }
            let blamed = field.member(param, .null)
            if isMissing { throw blamed.missing(why) }
            throw APIError(why, param: blamed.path, code: "invalid_parameter_combination")
        }

        /// The rule as JSON Schema.
        var schema: JSONValue {
            ["anyOf": .array(terms.map(Self.schema))]
        }

        private static func schema(_ term: Term) -> JSONValue {
            switch term {
            case .value(let name, let values):
                let properties = JSONValue.object([.init(name, ["enum": .array(values)])])
                // What isn't there has any value.
                return values.contains(.null)
                    ? ["properties": properties] : ["properties": properties, "required": [.string(name)]]
            case .given(let name):
                let isGiven: JSONValue = ["not": ["type": "null"]]
                return ["properties": .object([.init(name, isGiven)]), "required": [.string(name)]]
            }
        }
    }

    /// A schema with rules.
    static func ruled(_ schema: JSONValue, by rules: [Rule]) -> JSONValue {
        rules.isEmpty ? schema : schema.setting("allOf", .array(rules.map(\.schema)))
    }
}
