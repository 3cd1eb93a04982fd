// SPDX-License-Identifier: Apache-2.0

/// How JSON is written: the pieces of RFC 8259 as expressions, and the white space that answers may have.
enum JSONText {
    /// Nothing, a space, or a line break with up to 20 spaces or 10 tabs: bounded, so that no answer is all blanks.
    static let space = GrammarNode.any([
        .empty, .text(" "),
        .all([.text("\n"), .any([GrammarNode.text(" ").repeated(0, 20), GrammarNode.text("\t").repeated(1, 10)])]),
    ])

    static let comma = GrammarNode.all([.text(","), space])

    /// What stands in a string without an escape.
    static let plain = ScalarSet([0...0x1F]).union(ScalarSet("\"\\")).inverted

    /// The bytes of `plain`, as ranges one after the other.
    static let plainBytes = plain.byteSequences

    /// One character of a string in any spelling; `\u` escapes of surrogates come in pairs.
    static let character: GrammarNode = {
        let hex = GrammarNode.scalars(ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66]))
        let basic = GrammarNode.any([
            .all([
                .scalars(ScalarSet([0x30...0x39, 0x41...0x43, 0x45...0x46, 0x61...0x63, 0x65...0x66])),
                hex.repeated(3, 3),
            ]),
            .all([.scalars(ScalarSet("Dd")), .scalars(ScalarSet([0x30...0x37])), hex.repeated(2, 2)]),
        ])
        let high = GrammarNode.all([.scalars(ScalarSet("Dd")), .scalars(ScalarSet("89ABab")), hex.repeated(2, 2)])
        let low = GrammarNode.all([.scalars(ScalarSet("Dd")), .scalars(ScalarSet("CDEFcdef")), hex.repeated(2, 2)])
        return .any([
            .scalars(plain),
            .all([
                .text("\\"),
                .any([
                    .scalars(ScalarSet("\"\\/bfnrt")), .all([.text("u"), basic]),
                    .all([.text("u"), high, .text("\\u"), low]),
                ]),
            ]),
        ])
    }()

    /// A string of `min` to `max` characters in any spelling.
    static func string(_ min: Int = 0, _ max: Int? = nil) -> GrammarNode {
        .all([.text("\""), character.repeated(min, max), .text("\"")])
    }

    static let digits = GrammarNode.scalars(ScalarSet([0x30...0x39]))

    /// Digits without a leading zero.
    static let natural = GrammarNode.any([
        .text("0"), .all([.scalars(ScalarSet([0x31...0x39])), digits.repeated(0, nil)]),
    ])

    static let integer = GrammarNode.all([GrammarNode.text("-").optional(), natural])

    /// A fraction after its whole part, or none.
    static let fraction = GrammarNode.all([.text("."), digits.repeated(1, nil)]).optional()

    static let number = GrammarNode.all([
        integer, fraction,
        GrammarNode.all([
            .scalars(ScalarSet("eE")), GrammarNode.scalars(ScalarSet("+-")).optional(), digits.repeated(1, nil),
        ]).optional(),
    ])

    /// One scalar of `set` in a string, spelled the one usual way: escaped only where it must be.
    static func escaped(_ set: ScalarSet) -> GrammarNode {
        let special = set.subtracting(plain)
        var parts = [GrammarNode.set(set.intersection(plain))]
        for range in special.ranges {
            for value in range { if let scalar = Unicode.Scalar(value) { parts.append(.text(escape(scalar))) } }
        }
        return .any(parts)
    }

    /// `text` as a JSON string, spelled the usual way.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if plain.contains(scalar.value) { result.unicodeScalars.append(scalar) } else { result += escape(scalar) }
        }
        return result + "\""
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{8}": return "\\b"
        case "\u{C}": return "\\f"
        default:
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }

    /// `open`, from `min` to `max` of `item` with commas between, when `before` items came already.
    static func list(_ item: GrammarNode, _ min: Int, _ max: Int?, before: Int) -> GrammarNode {
        let low = Swift.max(0, min - before)
        let high = max.map { $0 - before }
        if let high, high < low { return .never }
        let another = GrammarNode.all([comma, item])
        if before > 0 { return another.repeated(low, high) }
        if high == 0 { return .empty }
        let some = GrammarNode.all([item, another.repeated(Swift.max(low - 1, 0), high.map { $0 - 1 })])
        return low == 0 ? .any([.empty, some]) : some
    }

    /// `[…]` or `{…}` around `content`, with white space inside.
    static func enclosed(_ open: String, _ content: GrammarNode, _ close: String) -> GrammarNode {
        .all([.text(open), space, content, space, .text(close)])
    }

    /// Adds the rules of any JSON value.
    static func addValue(
        to rules: inout GrammarRules
    ) -> (value: GrammarNode, string: GrammarNode, object: GrammarNode) {
        let value = rules.reserve("value")
        let string = rules.add("string", Self.string())
        let number = rules.add("number", Self.number)
        let member = rules.add("member", .all([string, .text(":"), space, .rule(value)]))
        let object = rules.add("object", enclosed("{", list(member, 0, nil, before: 0), "}"))
        let array = rules.add("array", enclosed("[", list(.rule(value), 0, nil, before: 0), "]"))
        rules.define(value, .any([object, array, string, number, .text("true"), .text("false"), .text("null")]))
        return (.rule(value), string, object)
    }
}
