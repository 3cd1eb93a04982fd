// SPDX-License-Identifier: Apache-2.0

internal import CQalamImages

extension Picture {
    /// Decodes a PNG, JPEG or WebP file, which its first bytes name; of an animated PNG, the still picture in it.
    ///
    /// Grey, palettes, 16 bits, interlacing and CMYK (without its profile) become RGBA; a JPEG is turned as its EXIF
    /// orientation says. Memory is taken after the header has passed the limits.
    public init(decoding bytes: some Sequence<UInt8>, limits: PictureLimits = .standard) throws(PictureError) {
        try self.init(decoding: Array(bytes), limits: limits)
    }

    /// Decodes a PNG, JPEG or WebP file that is an array already.
    public init(decoding bytes: [UInt8], limits: PictureLimits = .standard) throws(PictureError) {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= limits.bytes else { throw .tooManyBytes(count: bytes.count, limit: limits.bytes) }
        guard let format = PictureFormat(magic: bytes) else { throw .unknownFormat }
        var info = k_picture_info()
        guard format.readHeader(bytes, &info) else { throw format.fault(info) }
        let (width, height) = (Int(info.width), Int(info.height))
        try limits.check(width: width, height: height)
        guard info.animated == 0 else {
            throw .unsupported(format, why: "animations are not read; save one frame as a still picture")
        }
        var decoded = false
        let pixels = [UInt8](unsafeUninitializedCapacity: 4 * width * height) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            decoded = format.decode(bytes, base, &info)
            count = decoded ? 4 * width * height : 0
        }
        guard decoded else { throw format.fault(info) }
        self.init(width: width, height: height, pixels: pixels)
        if format == .jpeg { self = turned(by: jpegOrientation(bytes)) }
    }

    /// Width and height that the header of a PNG, JPEG or WebP file names, which nothing has checked.
    public static func size(of bytes: [UInt8]) throws(PictureError) -> (width: Int, height: Int) {
        guard !bytes.isEmpty else { throw .empty }
        guard let format = PictureFormat(magic: bytes) else { throw .unknownFormat }
        var info = k_picture_info()
        guard format.readHeader(bytes, &info) else { throw format.fault(info) }
        return (Int(info.width), Int(info.height))
    }

    /// Draws an SVG, whole and centred in its own proportions, into `width` × `height` pixels.
    ///
    /// Nothing outside the file is loaded, and files that hold other pictures or entities are refused. SVG is a
    /// language: draw only files whose sender may use some seconds of this machine.
    public init(
        drawing svg: [UInt8], width: Int, height: Int, limits: PictureLimits = .standard
    ) throws(PictureError) {
        guard !svg.isEmpty else { throw .empty }
        guard svg.count <= limits.bytes else { throw .tooManyBytes(count: svg.count, limit: limits.bytes) }
        try limits.check(width: width, height: height)
        try checkSVG(svg)
        var info = k_picture_info()
        (info.width, info.height) = (UInt32(width), UInt32(height))
        var drawn = false
        let pixels = [UInt8](unsafeUninitializedCapacity: 4 * width * height) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            drawn = k_svg_draw(svg, svg.count, base, &info) == 1
            count = drawn ? 4 * width * height : 0
        }
        guard drawn else { throw PictureFormat.svg.fault(info) }
        self.init(width: width, height: height, premultiplied: pixels)
    }

    /// The picture as EXIF orientation 1...8 wants it seen; other numbers leave it.
    func turned(by orientation: Int) -> Picture {
        guard (2...8).contains(orientation) else { return self }
        let swaps = orientation >= 5
        let (w, h) = swaps ? (height, width) : (width, height)
        var result = [UInt8](repeating: 0, count: pixels.count)
        for y in 0..<h {
            for x in 0..<w {
                let (u, v) = swaps ? (y, x) : (x, y)
                let mirrorsX = [2, 3, 7, 8].contains(orientation)
                let mirrorsY = [3, 4, 6, 7].contains(orientation)
                let from = 4 * ((mirrorsY ? height - 1 - v : v) * width + (mirrorsX ? width - 1 - u : u))
                let to = 4 * (y * w + x)
                for i in 0..<4 { result[to + i] = pixels[from + i] }
            }
        }
        return Picture(width: w, height: h, pixels: result)
    }
}

extension PictureFormat {
    fileprivate func readHeader(_ bytes: [UInt8], _ info: inout k_picture_info) -> Bool {
        switch self {
        case .png: k_png_header(bytes, bytes.count, &info) == 1
        case .jpeg: k_jpeg_header(bytes, bytes.count, &info) == 1
        case .webp: k_webp_header(bytes, bytes.count, &info) == 1
        case .svg: false
        }
    }

    fileprivate func decode(
        _ bytes: [UInt8], _ pixels: UnsafeMutablePointer<UInt8>, _ info: inout k_picture_info
    ) -> Bool {
        switch self {
        case .png: k_png_decode(bytes, bytes.count, pixels, &info) == 1
        case .jpeg: k_jpeg_decode(bytes, bytes.count, pixels, &info) == 1
        case .webp: k_webp_decode(bytes, bytes.count, pixels, &info) == 1
        case .svg: false
        }
    }

    fileprivate func fault(_ info: k_picture_info) -> PictureError {
        if info.truncated == 1 { return .truncated(self, at: info.position) }
        let why = withUnsafeBytes(of: info.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return .malformed(self, at: info.position, why: why.isEmpty ? "it is damaged" : why)
    }
}

/// The EXIF orientation of a JPEG; 1 if there is none that can be read.
func jpegOrientation(_ bytes: [UInt8]) -> Int {
    var at = 2
    while at + 4 <= bytes.count, bytes[at] == 0xFF, bytes[at + 1] != 0xDA {
        let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
        let end = at + 2 + length
        guard length >= 2, end <= bytes.count else { return 1 }
        let content = bytes[at + 4..<end]
        if bytes[at + 1] == 0xE1, content.starts(with: Array("Exif\0\0".utf8)) {
            return tiffOrientation(Array(content.dropFirst(6)))
        }
        at = end
    }
    return 1
}

/// The orientation tag (0x0112) in the first directory of a TIFF header.
private func tiffOrientation(_ tiff: [UInt8]) -> Int {
    let isLittle = tiff.starts(with: Array("II".utf8))
    func number(_ at: Int, _ bytes: Int) -> Int? {
        guard at >= 0, at + bytes <= tiff.count else { return nil }
        return (0..<bytes).reduce(0) { $0 << 8 | Int(tiff[at + (isLittle ? bytes - 1 - $1 : $1)]) }
    }
    guard let directory = number(4, 4), let entries = number(directory, 2) else { return 1 }
    for i in 0..<entries {
        let entry = directory + 2 + 12 * i
        guard let tag = number(entry, 2) else { return 1 }
        if tag == 0x0112 { return number(entry + 8, 2) ?? 1 }
    }
    return 1
}

/// Refuses what would make an SVG more than a drawing: other pictures inside it (they could be of any size), included
/// documents, entities, and encodings in which these could hide.
private func checkSVG(_ svg: [UInt8]) throws(PictureError) {
    guard let text = String(validating: svg, as: UTF8.self) else {
        throw .unsupported(.svg, why: "only UTF-8 is read; save it in that encoding")
    }
    let lower = text.lowercased()
    guard lower.contains("<svg") || lower.contains(":svg") else { throw .unknownFormat }
    if let encoding = lower.firstRange(of: "encoding=") {
        let name = lower[encoding.upperBound...].dropFirst().prefix { !"\"'".contains($0) }
        guard lower.prefix(200).contains("encoding="), ["utf-8", "us-ascii", "utf8"].contains(name) else {
            throw .unsupported(.svg, why: "only UTF-8 is read; save it in that encoding")
        }
    }
    if lower.contains("<!entity") {
        throw .unsupported(.svg, why: "entities are not read; write their text where they are used")
    }
    for piece in lower.split(separator: "<").dropFirst(lower.hasPrefix("<") ? 0 : 1) {
        let tag = piece.prefix { $0.isLetter || $0 == ":" || $0 == "-" || $0 == "_" || $0.isNumber }
        let name = tag.split(separator: ":").last ?? tag
        if ["image", "feimage", "include", "foreignobject", "script"].contains(name) {
            throw .unsupported(.svg, why: "pictures, documents and programs inside it are not read; save paths only")
        }
    }
}
