// SPDX-License-Identifier: Apache-2.0

/// A token of a template.
struct TemplateToken: Sendable {
    enum Kind: Sendable, Equatable {
        case text([UInt8])
        case blockBegin, blockEnd
        case outputBegin, outputEnd
        case name(String)
        case string([UInt8])
        case integer(Int)
        case float(Double)
        case symbol(String)
        case end
    }

    let kind: Kind
    let line: Int
}

/// Cuts a template into tokens as Jinja does with `trim_blocks` and `lstrip_blocks`, the settings chat templates are
/// made for.
///
/// The first newline after a block or comment is dropped, and so is white space before one at the start of a line; `-`
/// at either side of a tag strips all white space there, `+` keeps it.
struct TemplateLexer {
    private let source: [UInt8]
    private var position = 0
    private var line = 1
    /// Whether the last tag took a newline with it, so that text now begins a line.
    private var atLineStart = true
    private var tokens: [TemplateToken] = []

    /// All tokens of `text`, the last one `.end`.
    static func tokens(of text: String) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(text)
        try lexer.run()
        return lexer.tokens
    }

    private init(_ text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte == 0x0D {
                bytes.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                bytes.append(byte)
            }
            previous = byte
        }
        // Jinja drops one newline at the end of a template.
        if bytes.last == 0x0A { bytes.removeLast() }
        source = bytes
    }

    private mutating func run() throws(TemplateError) {
        while position < source.count {
            let begin = nextTag(from: position)
            guard begin < source.count else {
                add(text: source[position...])
                break
            }
            let isOutput = source[begin + 1] == UInt8(ascii: "{")
            let sign = begin + 2 < source.count ? source[begin + 2] : 0
            add(text: stripped(source[position..<begin], sign: sign, isOutput: isOutput))
            move(to: begin)
            let start = begin + (sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") ? 3 : 2)
            switch source[begin + 1] {
            case UInt8(ascii: "#"): try comment(from: start)
            case UInt8(ascii: "%"):
                if let content = rawContent(from: start) {
                    try raw(from: content)
                } else {
                    try tag(from: start, isOutput: false)
                }
            default: try tag(from: start, isOutput: true)
            }
        }
        tokens.append(TemplateToken(kind: .end, line: line))
    }

    // MARK: Text

    /// Where the next `{{`, `{%` or `{#` is; the end of the source if there is none.
    private func nextTag(from start: Int) -> Int {
        var index = start
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "{"), "{%#".utf8.contains(source[index + 1]) { return index }
            index += 1
        }
        return source.count
    }

    private mutating func add(text: ArraySlice<UInt8>) {
        if !text.isEmpty { tokens.append(TemplateToken(kind: .text(Array(text)), line: line)) }
    }

    /// The text before a tag, without the white space that the tag takes away.
    private func stripped(_ text: ArraySlice<UInt8>, sign: UInt8, isOutput: Bool) -> ArraySlice<UInt8> {
        if sign == UInt8(ascii: "-") { return PythonText.trimmedEnd(text) }
        if sign == UInt8(ascii: "+") || isOutput { return text }
        let lineStart = text.lastIndex(of: 0x0A).map { $0 + 1 } ?? text.startIndex
        guard lineStart > text.startIndex || atLineStart else { return text }
        let isBlank = text[lineStart...].allSatisfy { $0 == 0x20 || $0 == 0x09 }
        return isBlank ? text[..<lineStart] : text
    }

    /// Goes to `index`, counting lines.
    private mutating func move(to index: Int) {
        for byte in source[position..<index] where byte == 0x0A { line += 1 }
        position = index
    }

    // MARK: Ends of tags

    private func has(_ text: String, at index: Int) -> Bool { source[index...].starts(with: text.utf8) }

    /// Where a tag that ends at `index` with `mark`, signs included, leaves off; nil if it does not end there.
    private func afterEnd(_ mark: String, at index: Int, trimsNewline: Bool) -> Int? {
        if has("-" + mark, at: index) { return skippingSpace(from: index + 3) }
        if has(mark, at: index) {
            let after = index + 2
            return trimsNewline && after < source.count && source[after] == 0x0A ? after + 1 : after
        }
        return trimsNewline && has("+" + mark, at: index) ? index + 3 : nil
    }

    private func skippingSpace(from index: Int) -> Int {
        source.count - PythonText.trimmedStart(source[index...]).count
    }

    private mutating func finish(at index: Int) {
        move(to: index)
        atLineStart = source[index - 1] == 0x0A
    }

    private mutating func comment(from start: Int) throws(TemplateError) {
        for index in start..<max(start, source.count) {
            if let after = afterEnd("#}", at: index, trimsNewline: true) { return finish(at: after) }
        }
        throw .syntax(line: line, why: "the comment has no end \"#}\"")
    }

    /// If a block that starts at `index` is `raw`, where its content begins.
    private func rawContent(from index: Int) -> Int? {
        let word = skippingSpace(from: index)
        guard has("raw", at: word) else { return nil }
        let end = skippingSpace(from: word + 3)
        if has("%}", at: end) { return end + 2 }
        return has("-%}", at: end) ? skippingSpace(from: end + 3) : nil
    }

    private mutating func raw(from start: Int) throws(TemplateError) {
        var index = start
        while index + 1 < source.count {
            defer { index += 1 }
            guard has("{%", at: index) else { continue }
            let sign = index + 2 < source.count ? source[index + 2] : 0
            let isSigned = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
            let word = skippingSpace(from: index + (isSigned ? 3 : 2))
            guard has("endraw", at: word) else { continue }
            guard let after = afterEnd("%}", at: skippingSpace(from: word + 6), trimsNewline: true) else { continue }
            atLineStart = source[start - 1] == 0x0A
            add(text: stripped(source[start..<index], sign: sign, isOutput: false))
            return finish(at: after)
        }
        throw .syntax(line: line, why: "the raw block has no end")
    }

    // MARK: Inside tags

    private mutating func tag(from start: Int, isOutput: Bool) throws(TemplateError) {
        let beginLine = line
        tokens.append(TemplateToken(kind: isOutput ? .outputBegin : .blockBegin, line: line))
        move(to: start)
        var open: [UInt8] = []
        while true {
            move(to: skippingSpace(from: position))
            guard position < source.count else {
                throw .syntax(line: beginLine, why: "the tag has no end \"\(isOutput ? "}}" : "%}")\"")
            }
            if open.isEmpty, let after = afterEnd(isOutput ? "}}" : "%}", at: position, trimsNewline: !isOutput) {
                tokens.append(TemplateToken(kind: isOutput ? .outputEnd : .blockEnd, line: line))
                return finish(at: after)
            }
            try token(&open)
        }
    }

    private mutating func token(_ open: inout [UInt8]) throws(TemplateError) {
        let byte = source[position]
        let startLine = line
        let kind: TemplateToken.Kind
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): kind = .string(try string(quote: byte))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): kind = try number()
        case _ where Self.isNamePart(byte):
            let end = source[position...].firstIndex { !Self.isNamePart($0) } ?? source.count
            kind = .name(String(decoding: source[position..<end], as: UTF8.self))
            position = end
        default: kind = .symbol(try symbol(&open))
        }
        tokens.append(TemplateToken(kind: kind, line: startLine))
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte)
            || (0x41...0x5A).contains(byte & 0xDF)
    }

    private mutating func symbol(_ open: inout [UInt8]) throws(TemplateError) -> String {
        for pair in ["//", "**", "==", "!=", ">=", "<="] where has(pair, at: position) {
            position += 2
            return pair
        }
        let byte = source[position]
        let character = String(UnicodeScalar(byte))
        guard "+-/*%~[](){}><=.:|,".contains(character) else {
            throw .syntax(line: line, why: "unexpected character \"\(character)\"")
        }
        switch character {
        case "(": open.append(UInt8(ascii: ")"))
        case "[": open.append(UInt8(ascii: "]"))
        case "{": open.append(UInt8(ascii: "}"))
        case ")", "]", "}":
            guard open.popLast() == byte else { throw .syntax(line: line, why: "unexpected \"\(character)\"") }
        default: break
        }
        position += 1
        return character
    }

    /// Digits, with underscores between them; a fraction or an exponent makes it a float.
    private mutating func number() throws(TemplateError) -> TemplateToken.Kind {
        if let value = try prefixedNumber() { return .integer(value) }
        let start = position
        let afterDot = start > 0 && source[start - 1] == UInt8(ascii: ".")
        takeDigits()
        var isFloat = false
        if !afterDot {
            if position + 1 < source.count, source[position] == UInt8(ascii: "."), isDigit(position + 1) {
                isFloat = true
                position += 1
                takeDigits()
            }
            if position < source.count, source[position] | 0x20 == UInt8(ascii: "e") {
                let sign = position + 1 < source.count && "+-".utf8.contains(source[position + 1])
                let digits = position + (sign ? 2 : 1)
                if isDigit(digits) {
                    isFloat = true
                    position = digits
                    takeDigits()
                }
            }
        }
        let text = String(decoding: source[start..<position].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        if isFloat, let value = Double(text) { return .float(value) }
        if source[start] == UInt8(ascii: "0"), text.contains(where: { $0 != "0" }) {
            throw .syntax(line: line, why: "the number \(text) begins with 0")
        }
        guard let value = Int(text) else { throw .syntax(line: line, why: "the number \(text) is too large") }
        return .integer(value)
    }

    /// A number such as `0x1F`, `0o17` or `0b101`; nil if none comes here.
    private mutating func prefixedNumber() throws(TemplateError) -> Int? {
        let radixes: [UInt8: Int] = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2]
        guard source[position] == UInt8(ascii: "0"), position + 1 < source.count,
            let radix = radixes[source[position + 1] | 0x20]
        else { return nil }
        let digits = source[(position + 2)...].prefix(while: Self.isNamePart)
        let text = String(decoding: digits.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        guard let value = Int(text, radix: radix) else {
            throw .syntax(line: line, why: "\"0\(text)\" is no number, or too large")
        }
        position = digits.endIndex
        return value
    }

    private func isDigit(_ index: Int) -> Bool { index < source.count && (0x30...0x39).contains(source[index]) }

    private mutating func takeDigits() {
        while isDigit(position) || (position < source.count && source[position] == 0x5F && isDigit(position + 1)) {
            position += 1
        }
    }

    /// A string with Python's escapes resolved; unknown ones stay as they are.
    private mutating func string(quote: UInt8) throws(TemplateError) -> [UInt8] {
        let startLine = line
        var text: [UInt8] = []
        var index = position + 1
        while index < source.count, source[index] != quote {
            guard source[index] == 0x5C, index + 1 < source.count else {
                text.append(source[index])
                index += 1
                continue
            }
            let (bytes, length) = try escape(at: index + 1)
            text += bytes
            index += 1 + length
        }
        guard index < source.count else { throw .syntax(line: startLine, why: "the string has no closing quote") }
        move(to: index + 1)
        return text
    }

    /// The meaning of an escape, and how many bytes it takes after the backslash.
    private func escape(at index: Int) throws(TemplateError) -> ([UInt8], Int) {
        let byte = source[index]
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "n"): 0x0A, UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "a"): 0x07,
            UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "v"): 0x0B, 0x5C: 0x5C, 0x22: 0x22,
            0x27: 0x27,
        ]
        if let value = simple[byte] { return ([value], 1) }
        if byte == 0x0A { return ([], 1) }
        if (0x30...0x37).contains(byte) {
            let digits = source[index...].prefix(3).prefix { (0x30...0x37).contains($0) }
            return (try scalar(digits, radix: 8), digits.count)
        }
        let lengths: [UInt8: Int] = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]
        guard let length = lengths[byte] else { return ([0x5C, byte], 1) }
        let digits = source[(index + 1)...].prefix(length)
        guard digits.count == length else { throw .syntax(line: line, why: "the string has a bad escape") }
        return (try scalar(digits, radix: 16), length + 1)
    }

    private func scalar(_ digits: ArraySlice<UInt8>, radix: Int) throws(TemplateError) -> [UInt8] {
        let text = String(decoding: digits, as: UTF8.self)
        guard let value = UInt32(text, radix: radix), let scalar = UnicodeScalar(value) else {
            throw .syntax(line: line, why: "the string has a bad escape")
        }
        return Array(String(Character(scalar)).utf8)
    }
}
