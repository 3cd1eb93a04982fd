// SPDX-License-Identifier: Apache-2.0

internal import CQalamImages

/// How a picture is written.
public enum PictureEncoding: Sendable, Equatable {
    /// PNG with text that programs can read: keyword (1 to 79 Latin letters) to text.
    case png(text: [String: String] = [:])
    /// JPEG, quality 1...100; it knows no alpha, so the picture is put before white.
    case jpeg(quality: Int = 90)
    /// WebP, quality 0...100.
    case webp(quality: Double = 85)
    /// WebP without loss.
    case losslessWebP

    /// The format that comes out.
    public var format: PictureFormat {
        switch self {
        case .png: .png
        case .jpeg: .jpeg
        case .webp, .losslessWebP: .webp
        }
    }
}

extension Picture {
    /// The bytes of a file that holds this picture.
    public func encoded(as encoding: PictureEncoding) throws(PictureError) -> [UInt8] {
        var out = k_picture_bytes()
        let (width, height) = (UInt32(width), UInt32(height))
        let done: Int32 =
            switch encoding {
            case .png(let text): try encodePNG(text, &out)
            case .jpeg(let quality):
                k_jpeg_encode(composed().withoutAlpha, width, height, Int32(min(100, max(1, quality))), &out)
            case .webp(let quality):
                k_webp_encode(pixels, width, height, Float(min(100, max(0, quality))), 0, &out)
            case .losslessWebP: k_webp_encode(pixels, width, height, 0, 1, &out)
            }
        guard done == 1, let bytes = out.bytes else {
            throw .unwritable(encoding.format, why: "\(width)×\(height) pixels are too many, or memory is short")
        }
        defer { k_picture_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: out.count))
    }

    private func encodePNG(_ text: [String: String], _ out: inout k_picture_bytes) throws(PictureError) -> Int32 {
        for key in text.keys {
            guard (1...79).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw .unwritable(.png, why: "\"\(key)\" is no keyword of 1 to 79 plain letters")
            }
        }
        let sorted = text.sorted { $0.key < $1.key }
        return withCStrings(sorted.map(\.key)) { keys in
            withCStrings(sorted.map(\.value)) { values in
                k_png_encode(pixels, UInt32(width), UInt32(height), keys, values, text.count, &out)
            }
        }
    }

    private var withoutAlpha: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(3 * width * height)
        for i in stride(from: 0, to: pixels.count, by: 4) { result += pixels[i..<i + 3] }
        return result
    }
}

/// Lends strings to C, in one block, for the time of `body`.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>>?) -> Result
) -> Result {
    var offsets: [Int] = []
    var block: [CChar] = []
    for string in strings {
        offsets.append(block.count)
        block += string.utf8.filter { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }
    return block.withUnsafeBufferPointer { block in
        guard let base = block.baseAddress else { return body(nil) }
        let pointers = offsets.map { base + $0 }
        return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
