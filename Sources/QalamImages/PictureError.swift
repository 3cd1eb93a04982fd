// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a picture; each case says where and what to do.
public enum PictureError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There are no bytes.
    case empty
    /// The bytes begin like no picture that is read.
    case unknownFormat
    /// The data ends at byte `at`, before the picture does.
    case truncated(PictureFormat, at: Int)
    /// The data is damaged near byte `at`; 0 where that is not known.
    case malformed(PictureFormat, at: Int, why: String)
    /// The picture has more pixels than are taken.
    case tooLarge(width: Int, height: Int, limits: PictureLimits)
    /// There are more bytes than are taken.
    case tooManyBytes(count: Int, limit: Int)
    /// The picture is of a kind that is not read.
    case unsupported(PictureFormat, why: String)
    /// The picture can't be written.
    case unwritable(PictureFormat, why: String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .empty: "the picture has no bytes; give a PNG, JPEG or WebP file."
        case .unknownFormat: "this is no picture that can be read; give a PNG, JPEG or WebP file."
        case .truncated(let format, let at):
            "\(format.name): the data ends at byte \(at), too early; send it again whole."
        case .malformed(let format, let at, let why):
            "\(format.name): \(at > 0 ? "near byte \(at): " : "")\(why); save the picture again."
        case .tooLarge(let width, let height, let limits):
            "the picture has \(width)×\(height) pixels; at most \(limits.side) a side and \(limits.pixels) in all are "
                + "taken, so make it smaller."
        case .tooManyBytes(let count, let limit):
            "the picture has \(count) bytes; at most \(limit) are taken, so make it smaller."
        case .unsupported(let format, let why): "\(format.name): \(why)."
        case .unwritable(let format, let why): "\(format.name): the picture can't be written: \(why)."
        }
    }
}

/// The kinds of files that hold pictures.
public enum PictureFormat: String, Sendable, Equatable, CaseIterable {
    /// Portable Network Graphics.
    case png
    /// JPEG.
    case jpeg
    /// WebP.
    case webp
    /// Scalable Vector Graphics: drawn, not decoded.
    case svg

    /// Its name as people write it.
    public var name: String {
        switch self {
        case .png: "PNG"
        case .jpeg: "JPEG"
        case .webp: "WebP"
        case .svg: "SVG"
        }
    }

    /// The type of its content in HTTP.
    public var mediaType: String { self == .svg ? "image/svg+xml" : "image/\(rawValue)" }

    /// What the first bytes say; nil if they begin no PNG, JPEG or WebP.
    public init?(magic bytes: some Collection<UInt8>) {
        let start = Array(bytes.prefix(12))
        if start.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if start.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if start.starts(with: Array("RIFF".utf8)), start.dropFirst(8).elementsEqual(Array("WEBP".utf8)) {
            self = .webp
        } else {
            return nil
        }
    }
}

/// How much of a picture is taken; checked against the header, before memory is.
public struct PictureLimits: Sendable, Equatable {
    /// Pixels of the longer side.
    public var side: Int
    /// Pixels in all.
    public var pixels: Int
    /// Bytes of the file.
    public var bytes: Int

    /// 16,384 a side, 32 million in all, 64 MB of file.
    public static let standard = PictureLimits(side: 16384, pixels: 1 << 25, bytes: 1 << 26)

    /// Limits of one's own.
    public init(side: Int, pixels: Int, bytes: Int) {
        self.side = side
        self.pixels = pixels
        self.bytes = bytes
    }

    /// Fails if a picture of this size is not taken.
    func check(width: Int, height: Int) throws(PictureError) {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, max(width, height) <= side, !overflow, pixels <= self.pixels else {
            throw .tooLarge(width: width, height: height, limits: self)
        }
    }
}
