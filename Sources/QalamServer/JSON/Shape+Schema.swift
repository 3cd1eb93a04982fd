// SPDX-License-Identifier: Apache-2.0

extension Shape {
    /// The shape as JSON Schema (2020-12, as in OpenAPI 3.1); shapes with names go into `names` and are referred to.
    func schema(_ names: inout [String: JSONValue]) -> JSONValue {
        switch self {
        case .string(let range):
            return Self.typed("string", range, ("minLength", "maxLength"))
        case .oneOf(let values): return ["type": "string", "enum": .array(values.map(JSONValue.string))]
        case .integer(let range):
            return Self.typed("integer", range, ("minimum", "maximum"))
        case .number(let range):
            return ["type": "number", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
        case .bool: return ["type": "boolean"]
        case .array(let shape, let range):
            return Self.typed("array", range, ("minItems", "maxItems")).setting("items", shape.schema(&names))
        case .object(let members): return Self.object(members, &names)
        case .map(let shape, let most):
            var schema: JSONValue = ["type": "object", "additionalProperties": shape.orNull(&names)]
            if most < .max { schema = schema.setting("maxProperties", .integer(most)) }
            return schema
        case .anything: return [:]
        case .anyObject: return ["type": "object"]
        case .either(let shapes):
            return ["anyOf": .array(shapes.filter { !$0.isRefusal }.map { $0.schema(&names) })]
        case .tagged(let name, let fallback, let variants):
            let choices = variants.filter { $0.refusal == nil }.map { variant in
                let tag = Member(name, .oneOf([variant.tag]), required: variant.tag != fallback)
                return Self.ruled(Self.object([tag] + variant.members, &names), by: variant.rules)
            }
            return ["anyOf": .array(choices)]
        case .only(let values, _): return ["enum": .array(values)]
        case .refused: return ["type": "null"]
        case .named(let name, let shape):
            if names[name] == nil {
                names[name] = [:]  // before its members, which may refer to it
                names[name] = shape.schema(&names)
            }
            return ["$ref": .string("#/components/schemas/\(name)")]
        case .ruled(let shape, let rules): return Self.ruled(shape.schema(&names), by: rules)
        case .distinct(let shape): return shape.schema(&names).setting("uniqueItems", true)
        case .nullable(let shape): return shape.orNull(&names)
        }
    }

    private var isRefusal: Bool {
        if case .refused = self { true } else { false }
    }

    private func orNull(_ names: inout [String: JSONValue]) -> JSONValue {
        if case .anything = self { return [:] }
        if case .refused = self { return ["type": "null"] }
        if case .nullable(let shape) = self { return shape.orNull(&names) }
        return ["anyOf": [schema(&names), ["type": "null"]]]
    }

    /// An object of these members; what may be left out may be null, except in forms, which have no null.
    static func object(
        _ members: [Member], _ names: inout [String: JSONValue], inForm isForm: Bool = false
    ) -> JSONValue {
        var properties: [JSONValue.Member] = []
        for member in members where !(isForm && member.shape.isRefusal) {
            let schema = member.isRequired || isForm ? member.shape.schema(&names) : member.shape.orNull(&names)
            properties.append(.init(member.name, schema))
        }
        let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
        return [
            "type": "object", "properties": .object(properties), "required": .array(required),
            "additionalProperties": false,
        ]
    }

    private static func typed(
        _ type: String, _ range: ClosedRange<Int>, _ limits: (low: String, high: String)
    ) -> JSONValue {
        var schema: JSONValue = ["type": .string(type)]
        let isCount = type != "integer"
        if range.lowerBound > (isCount ? 0 : .min) { schema = schema.setting(limits.low, .integer(range.lowerBound)) }
        if range.upperBound < .max { schema = schema.setting(limits.high, .integer(range.upperBound)) }
        return schema
    }
}
