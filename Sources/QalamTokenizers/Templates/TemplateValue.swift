// SPDX-License-Identifier: Apache-2.0

/// A value given to a chat template: JSON's kinds, objects in their order.
public indirect enum TemplateValue: Sendable, Equatable {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([TemplateValue])
    case object([(key: String, value: TemplateValue)])

    /// Equal kinds with equal content; the order of an object's keys counts, since templates can show it.
    public static func == (a: TemplateValue, b: TemplateValue) -> Bool {
        switch (a, b) {
        case (.none, .none): true
        case (.bool(let x), .bool(let y)): x == y
        case (.int(let x), .int(let y)): x == y
        case (.double(let x), .double(let y)): x == y
        case (.string(let x), .string(let y)): x == y
        case (.array(let x), .array(let y)): x == y
        case (.object(let x), .object(let y)):
            x.count == y.count && zip(x, y).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }
}

extension TemplateValue {
    /// Reads JSON, objects in their order; numbers written without fraction and exponent become integers.
    package init(json: [UInt8]) throws(TokenizerError) {
        self.init(try JSONParser.parse(json, file: "JSON"))
    }

    private init(_ value: JSONValue) {
        switch value {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .string(let text): self = .string(text)
        case .array(let values): self = .array(values.map { TemplateValue($0) })
        case .object(let members): self = .object(members.map { ($0.key, TemplateValue($0.value)) })
        }
    }
}
