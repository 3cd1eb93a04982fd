/// Memory for the hot tables and buffers of this target: the one file that names pointers.
///
/// Indices are checked in debug builds only; each user states why its indices are in range.

/// A view of UTF-8 bytes that lives no longer than the closure that handed it out.
///
/// `@unchecked Sendable`: it only reads, and nobody writes the bytes while a view of them lives.
struct ByteView: @unchecked Sendable {
    fileprivate let base: UnsafePointer<UInt8>
    /// Bytes in view.
    let count: Int
    /// Bytes that may be read from the first one on; at least `count`, because a segment may sit inside a longer text.
    private let readable: Int

    fileprivate init(base: UnsafePointer<UInt8>, count: Int, readable: Int) {
        self.base = base
        self.count = count
        self.readable = readable
    }

    /// Calls `body` with a view of `bytes`.
    static func with<R>(_ bytes: [UInt8], _ body: (ByteView) throws -> R) rethrows -> R {
        try bytes.withUnsafeBufferPointer { try with($0, body) }
    }

    /// Calls `body` with a view of the UTF-8 of `text`.
    static func with<R>(_ text: String, _ body: (ByteView) throws -> R) rethrows -> R {
        var text = text
        return try text.withUTF8 { try with($0, body) }
    }

    /// Calls `body` with a view of `bytes`.
    static func with<R>(_ bytes: UnsafeRawBufferPointer, _ body: (ByteView) throws -> R) rethrows -> R {
        try with(bytes.assumingMemoryBound(to: UInt8.self), body)
    }

    private static func with<R>(_ buffer: UnsafeBufferPointer<UInt8>, _ body: (ByteView) throws -> R) rethrows -> R {
        guard let base = buffer.baseAddress else {
            return try withUnsafePointer(to: 0) { try body(ByteView(base: $0, count: 0, readable: 0)) }
        }
        return try body(ByteView(base: base, count: buffer.count, readable: buffer.count))
    }

    /// The bytes `start ..< end` as a view of their own, which patterns see as the whole text.
    @inline(__always)
    func slice(_ start: Int, _ end: Int) -> ByteView {
        assert(start >= 0 && start <= end && end <= count, "slice \(start)..<\(end) of \(count)")
        return ByteView(base: base + start, count: end - start, readable: readable - start)
    }

    /// The byte at `index`, which must be less than `count`.
    @inline(__always)
    subscript(index: Int) -> UInt8 {
        assert(index >= 0 && index < count, "byte \(index) of \(count)")
        return base[index]
    }

    /// Whether `length` bytes may be loaded at `index`, in view or just behind it.
    @inline(__always)
    func canLoad(_ length: Int, at index: Int) -> Bool { index &+ length <= readable }

    /// Eight bytes from `index`, the first one lowest.
    ///
    /// `canLoad(8, at: index)` must hold.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        assert(index >= 0 && index + 8 <= readable, "word at \(index) of \(readable)")
        return UInt64(littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
    }

    /// Up to eight bytes from `index`, the rest zero.
    @inline(__always)
    func partialWord(at index: Int, _ length: Int) -> UInt64 {
        var word: UInt64 = 0
        for k in 0..<min(length, 8) {
            word |= UInt64(self[index &+ k]) &<< UInt64(8 &* k)
        }
        return word
    }

    /// The bytes `start ..< end`, copied.
    func array(_ start: Int, _ end: Int) -> [UInt8] {
        assert(start >= 0 && start <= end && end <= count, "bytes \(start)..<\(end) of \(count)")
        return [UInt8](UnsafeBufferPointer(start: base + start, count: end - start))
    }

    /// The bytes as text, with U+FFFD for what is not UTF-8.
    func string(_ start: Int, _ end: Int) -> String {
        String(decoding: UnsafeBufferPointer(start: base + start, count: end - start), as: UTF8.self)
    }

    /// The code point of the `length` bytes at `index`; U+FFFD where they are not UTF-8.
    func scalar(_ index: Int, _ length: Int) -> Unicode.Scalar {
        let lead = UInt32(self[index])
        guard length > 1 else { return Unicode.Scalar(lead < 0x80 ? lead : 0xFFFD) ?? "\u{FFFD}" }
        var point = lead & (0x7F &>> UInt32(length))
        for k in 1..<length { point = point &<< 6 | UInt32(self[index &+ k] & 0x3F) }
        return Unicode.Scalar(point) ?? "\u{FFFD}"
    }

    /// Whether `start ..< start + other.count` holds the bytes of `other`.
    ///
    /// Both must be in view.
    @inline(__always)
    func equals(at start: Int, _ other: ByteView) -> Bool {
        for k in 0..<other.count where base[start &+ k] != other.base[k] { return false }
        return true
    }

    /// The first place of `byte` from `start` on, `count` where there is none; eight bytes at a time.
    func firstIndex(of byte: UInt8, from start: Int) -> Int {
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        var index = start
        while index &+ 8 <= count {
            let difference = word(at: index) ^ pattern
            // The lowest top bit set marks the first zero byte (Warren, Hacker's Delight, 6-1).
            let zeros = (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
            if zeros != 0 { return index &+ zeros.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < count && base[index] != byte { index &+= 1 }
        return index
    }

    /// Whether characters from U+0300 up are here; below that every character is its own composed form (NFC).
    func mayNeedComposing() -> Bool {
        for index in 0..<count where base[index] >= 0xCC { return true }
        return false
    }

    /// A hash of the whole view; the same on every run.
    func hash() -> UInt64 {
        var state = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index &+ 8 <= count {
            state = foldedProduct(state ^ word(at: index), 0xE703_7ED1_A0B4_28DB)
            index &+= 8
        }
        return foldedProduct(state ^ partialWord(at: index, count &- index), 0x8EBC_6AF0_9C88_C6E3)
    }
}

/// High and low half of a 128-bit product, mixed into one well-spread word.
@inline(__always)
func foldedProduct(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
}

/// A heap block of plain elements with a fixed size, without bounds checks in release builds.
///
/// `@unchecked Sendable`: a `Block` is written only by its one owner, which either finishes before it shares the block
/// (tables) or never shares it (scratch buffers handed over under a lock).
final class Block<Element: BitwiseCopyable>: @unchecked Sendable {
    fileprivate let base: UnsafeMutablePointer<Element>
    /// Elements in the block.
    let count: Int

    /// A block of `count` elements, all `value`.
    init(count: Int, repeating value: Element) {
        self.count = count
        base = .allocate(capacity: max(count, 1))
        base.initialize(repeating: value, count: count)
    }

    /// A block of the elements of `array`.
    convenience init(_ array: [Element]) {
        self.init(unwritten: array.count)
        for (index, element) in array.enumerated() { base[index] = element }
    }

    /// A block of `count` elements whose values are not set: each must be written before it is read.
    init(unwritten count: Int) {
        self.count = count
        base = .allocate(capacity: max(count, 1))
    }

    deinit { base.deallocate() }

    /// The element at `index`, which must be less than `count`.
    @inline(__always)
    subscript(index: Int) -> Element {
        get {
            assert(index >= 0 && index < count, "element \(index) of \(count)")
            return base[index]
        }
        set {
            assert(index >= 0 && index < count, "element \(index) of \(count)")
            base[index] = newValue
        }
    }

    /// The first `length` elements as an array.
    func array(_ length: Int) -> [Element] {
        assert(length <= count, "\(length) elements of \(count)")
        return [Element](UnsafeBufferPointer(start: base, count: length))
    }

    /// Copies the first `length` elements of `other` to the front.
    func copy(from other: Block<Element>, _ length: Int) {
        assert(length <= count && length <= other.count, "\(length) elements of \(other.count) into \(count)")
        base.update(from: other.base, count: length)
    }
}

extension Block where Element == UInt8 {
    /// A view of the bytes `start ..< end`, good as long as the block lives.
    @inline(__always)
    func view(_ start: Int, _ end: Int) -> ByteView {
        assert(start >= 0 && start <= end && end <= count, "bytes \(start)..<\(end) of \(count)")
        return ByteView(base: base + start, count: end - start, readable: count - start)
    }

    /// Copies `length` bytes at `source` of `other` to `start`; both need 16 bytes of room behind them.
    @inline(__always)
    func copy(_ other: Block<UInt8>, _ source: Int, _ length: Int, to start: Int) {
        assert(source + max(length, 16) <= other.count && start + max(length, 16) <= count, "\(length) at \(start)")
        let words = UnsafeRawPointer(other.base + source).loadUnaligned(as: SIMD2<UInt64>.self)
        UnsafeMutableRawPointer(base + start).storeBytes(of: words, as: SIMD2<UInt64>.self)
        if length > 16 { (base + start + 16).update(from: other.base + source + 16, count: length - 16) }
    }

    /// Copies `bytes` to `start` on; there must be room.
    func write(_ bytes: ByteView, at start: Int) {
        assert(start >= 0 && start + bytes.count <= count, "\(bytes.count) bytes at \(start) of \(count)")
        (base + start).update(from: bytes.base, count: bytes.count)
    }
}
