// SPDX-License-Identifier: Apache-2.0

extension Shape {
    /// Checks a value that came from outside.
    /// - Throws: `APIError` with status 400 that names the first member at fault
    func check(_ field: RequestField) throws(APIError) {
        switch self {
        case .string(let range): try Self.check(field, length: range)
        case .oneOf(let values):
            let text = try field.string()
            guard values.contains(text) else {
                throw field.error("must be one of \(Self.list(values)), but is \"\(text.prefix(80))\".")
            }
        case .integer(let range): _ = try field.integer(in: range)
        case .number(let range): _ = try field.number(in: range)
        case .bool: _ = try field.bool()
        case .array(let shape, let range):
            let elements = try field.elements()
            guard elements.count >= range.lowerBound else {
                throw field.error("must hold at least \(counted(range.lowerBound)).", code: "empty_array")
            }
            guard elements.count <= range.upperBound else {
                throw field.error("must hold at most \(range.upperBound) elements, but holds \(elements.count).")
            }
            for element in elements { try shape.check(element) }
        case .object(let members): try Self.check(members, field)
        case .map(let shape, let most):
            let members = try field.members()
            guard members.count <= most else {
                throw field.error("must have at most \(most) members, but has \(members.count).")
            }
            for (_, field) in members { try shape.check(field) }
        case .anything: break
        case .anyObject: _ = try field.members()
        case .either(let shapes): try Self.check(field, either: shapes)
        case .tagged(let name, let fallback, let variants):
            try Self.check(field, taggedBy: name, fallback: fallback, variants)
        case .only(let values, let why):
            guard values.contains(field.value) else { throw field.unsupported(why) }
        case .refused(let why): throw field.unsupported(why)
        case .named(_, let shape): try shape.check(field)
        case .ruled(let shape, let rules):
            try shape.check(field)
            for rule in rules { try rule.check(field) }
        case .distinct(let shape):
            try shape.check(field)
            var known: Set<String> = []
            for element in field.value.elements ?? [] where !known.insert(element.encoded).inserted {
                throw field.error("names \(element.encoded.prefix(80)) twice.")
            }
        case .nullable(let shape):
            if field.value != .null { try shape.check(field) }
        }
    }

    private static func check(_ field: RequestField, length range: ClosedRange<Int>) throws(APIError) {
        let text = try field.string()
        if range.lowerBound > 0, text.isEmpty { throw field.error("must not be empty.") }
        guard range.upperBound == .max || text.count <= range.upperBound else {
            throw field.error("must have at most \(range.upperBound) characters.")
        }
    }

    private static func check(_ members: [Member], _ field: RequestField) throws(APIError) {
        let present = try field.members()
        if case .object(let all) = field.value, all.count != present.count {
            // A null is fine where the member is known.
            for member in all where member.value == .null && !members.contains(where: { $0.name == member.name }) {
                throw field.member(member.name, .null).unrecognized
            }
        }
        for (name, field) in present {
            guard let member = members.first(where: { $0.name == name }) else { throw field.unrecognized }
            try member.shape.check(field)
        }
        for member in members where member.isRequired {
            guard !present.contains(where: { $0.name == member.name }) else { continue }
            if case .nullable = member.shape { continue }
            let missing = field.member(member.name, .null)
            throw missing.missing(member.shape.wanted)
        }
    }

    private static func check(_ field: RequestField, either shapes: [Shape]) throws(APIError) {
        let fitting = shapes.filter { $0.fits(field.value) }
        guard let shape = fitting.first else {
            // A shape that only refuses says best why.
            for case .refused(let why) in shapes { throw field.unsupported(why) }
            throw field.expected(shapes.map(\.wanted).joined(separator: " or "))
        }
        var firstError: APIError?
        for shape in fitting {
            do throws(APIError) {
                try shape.check(field)
                return
            } catch {
                firstError = firstError ?? error
            }
        }
        if let firstError { throw firstError }
        try shape.check(field)
    }

    private static func check(
        _ field: RequestField, taggedBy name: String, fallback: String?, _ variants: [Variant]
    ) throws(APIError) {
        guard case .object = field.value else { throw field.expected("an object") }
        let tags = variants.filter { $0.refusal == nil }.map(\.tag)
        let tag: String
        let given = field.value.given(name)
        if let given {
            tag = try field.member(name, given).string()
        } else if let fallback {
            tag = fallback
        } else {
            throw field.member(name, .null).missing("one of \(list(tags))")
        }
        guard let variant = variants.first(where: { $0.tag == tag }) else {
            throw field.member(name, .null).error("must be one of \(list(tags)), but is \"\(tag.prefix(80))\".")
        }
        if let why = variant.refusal { throw field.member(name, .null).unsupported(why) }
        try check(variant.members + [.may(name, .text)], field)
        for rule in variant.rules { try rule.check(field) }
    }

    /// Whether a value has the kind that this shape wants.
    private func fits(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.string, .string), (.oneOf, .string), (.bool, .bool), (.integer, .integer), (.number, .integer),
            (.number, .number), (.array, .array), (.object, .object), (.map, .object), (.anything, _),
            (.anyObject, .object), (.tagged, .object):
            true
        case (.integer, .number(let number)): Int(exactly: number) != nil
        case (.either(let shapes), _): shapes.contains { $0.fits(value) }
        case (.only(let values, _), _): values.contains(value)
        case (.named(_, let shape), _), (.ruled(let shape, _), _), (.distinct(let shape), _): shape.fits(value)
        case (.nullable(let shape), _): value == .null || shape.fits(value)
        default: false
        }
    }

    /// "a string", "an array" …: for messages.
    var wanted: String {
        switch self {
        case .string: "a string"
        case .oneOf(let values): "one of \(Self.list(values))"
        case .integer: "an integer"
        case .number: "a number"
        case .bool: "a boolean"
        case .array: "an array"
        case .object, .map, .anyObject, .tagged: "an object"
        case .anything: "a value"
        case .either(let shapes): shapes.map(\.wanted).joined(separator: " or ")
        case .only(let values, _): values.map(\.encoded).joined(separator: " or ")
        case .refused: "nothing"
        case .named(_, let shape), .nullable(let shape), .ruled(let shape, _), .distinct(let shape): shape.wanted
        }
    }

    private static func list(_ values: [String]) -> String { values.map { "\"\($0)\"" }.joined(separator: ", ") }
}

private func counted(_ count: Int) -> String { count == 1 ? "one element" : "\(count) elements" }
