/// Counter-based random numbers (SplitMix64): a seed, a name and an index give the same text on every machine.
struct Random {
    private var state: UInt64

    /// A stream of its own for item `index` of the part called `name`.
    init(seed: UInt64, name: String, index: Int) {
        state = Random.hash(name) ^ (seed &* 0x9E37_79B9_7F4A_7C15) &+ UInt64(index) &* 0xD134_2543_DE82_EF95
        _ = next()
    }

    /// FNV-1a over the UTF-8 bytes.
    static func hash(_ text: String) -> UInt64 {
        var h: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { h = (h ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return h
    }

    /// The next 64 bits.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 to `n` - 1.
    mutating func below(_ n: Int) -> Int {
        precondition(n > 0, "below(\(n)): needs at least one choice")
        return Int((next() >> 11) % UInt64(n))
    }

    /// One element.
    mutating func pick<Element>(_ items: [Element]) -> Element { items[below(items.count)] }

    /// True in `percent` of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// The elements in a new order (Fisher-Yates).
    mutating func shuffled<Element>(_ items: [Element]) -> [Element] {
        var result = items
        for i in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(i, below(i + 1)) }
        return result
    }
}
