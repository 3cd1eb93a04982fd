/// What a character is to the patterns that cut text into pieces, as one bit each so that a pattern is a mask.
enum CharacterClass {
    /// `\p{Lu}` and `\p{Lt}`.
    static let upper: UInt8 = 1
    /// `\p{Ll}`.
    static let lower: UInt8 = 2
    /// `\p{Lm}` and `\p{Lo}`: letters without case.
    static let caseless: UInt8 = 4
    /// `\p{M}`.
    static let mark: UInt8 = 8
    /// `\p{N}`.
    static let number: UInt8 = 16
    /// `\s`, except CR and LF.
    static let blank: UInt8 = 32
    /// CR and LF.
    static let newline: UInt8 = 64
    /// Everything else, unassigned code points and bytes that are not UTF-8 included.
    static let symbol: UInt8 = 128

    /// `\p{L}`.
    static let letter = upper | lower | caseless
    /// `\s`.
    static let space = blank | newline
    /// `[^\s\p{L}\p{N}]`.
    static let other = mark | symbol
}

/// Character classes by code point: a table in two levels, made from the runs in `UnicodeClassData.swift` (Unicode 16).
struct UnicodeClasses: Sendable {
    /// The classes of all characters, made once.
    static let shared = UnicodeClasses()

    /// Page of 256 code points → where its classes start in `classes`.
    private let pages: Block<UInt16>
    private let classes: Block<UInt8>

    private init() {
        var table = [UInt8](repeating: CharacterClass.symbol, count: 0x110000)
        var point = 0
        var kind: UInt8 = 0
        var length = 0
        for byte in Self.runs.withUTF8Buffer({ [UInt8]($0) }) + [0] {
            if byte >= 0x30 && byte <= 0x39 {
                length = length * 10 + Int(byte - 0x30)
                continue
            }
            if kind != 0 { Self.fill(&table, &point, (kind, max(length, 1))) }
            (kind, length) = (byte, 0)
        }
        precondition(point == 0x110000, "runs cover \(point) code points against \(0x110000)")
        table[0x0A] = CharacterClass.newline
        table[0x0D] = CharacterClass.newline

        var known: [ArraySlice<UInt8>: Int] = [:]
        var distinct: [UInt8] = []
        pages = Block(count: 0x1100, repeating: 0)
        for page in 0..<0x1100 {
            let slice = table[page * 256..<page * 256 + 256]
            let index = known[slice] ?? known.count
            if index == known.count {
                known[slice] = index
                distinct += slice
            }
            pages[page] = UInt16(index)
        }
        classes = Block(count: distinct.count, repeating: 0)
        for (index, value) in distinct.enumerated() { classes[index] = value }
    }

    private static func fill(_ table: inout [UInt8], _ point: inout Int, _ run: (kind: UInt8, length: Int)) {
        let value =
            switch run.kind {
            case UInt8(ascii: "u"): CharacterClass.upper
            case UInt8(ascii: "l"): CharacterClass.lower
            case UInt8(ascii: "o"): CharacterClass.caseless
            case UInt8(ascii: "m"): CharacterClass.mark
            case UInt8(ascii: "n"): CharacterClass.number
            case UInt8(ascii: "s"): CharacterClass.blank
            default: CharacterClass.symbol
            }
        for _ in 0..<run.length {
            table[point] = value
            point += 1
        }
    }

    /// The class of an ASCII byte; page 0 comes first, so one load does.
    @inline(__always)
    func ascii(_ byte: UInt8) -> UInt8 { classes[Int(byte)] }

    /// The class of any code point below 0x110000.
    @inline(__always)
    subscript(point: UInt32) -> UInt8 {
        classes[Int(pages[Int(point &>> 8)]) &<< 8 | Int(point & 0xFF)]
    }
}
