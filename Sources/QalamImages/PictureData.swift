// SPDX-License-Identifier: Apache-2.0

public import Foundation
internal import QalamFormats

// A data folder of pictures:
//   data.json                      what it is: see PictureManifest
//   train.rgba, heldout.rgba       pictures one after another: size rows of size pixels of 4 bytes, colours
//                                  multiplied by alpha
//   train.jsonl, heldout.jsonl     a PictureRecord for each, in the same order

/// `data.json` of a data folder of pictures.
public struct PictureManifest: Codable, Sendable, Equatable {
    /// An input that went in.
    public struct Source: Codable, Sendable, Equatable {
        /// Its path as it was given.
        public var path: String
        /// How many of its pictures are in the data, without recoloured ones.
        public var pictures: Int
        /// SHA-256 of the paths and bytes of all its pictures, in order.
        public var sha256: String
    }

    /// "images".
    public var kind = "images"
    /// Side of the pictures in pixels.
    public var size: Int
    /// Pictures to train on.
    public var train: Int
    /// Pictures held out.
    public var heldout: Int
    /// What the split and the colours follow from.
    public var seed: UInt64
    /// The inputs.
    public var sources: [Source]
    /// How it was made.
    public var options: PicturePackOptions
}

/// A data folder of pictures, memory-mapped.
public struct PictureData: Sendable {
    /// What is in it.
    public let manifest: PictureManifest
    /// What is trained on.
    public let train: PictureSplit
    /// What is held out.
    public let heldout: PictureSplit

    /// Side of the pictures in pixels.
    public var size: Int { manifest.size }

    /// Opens a folder that `qalam data images` wrote.
    ///
    /// - Throws: `FormatError` if a file is missing, damaged or of the wrong length.
    public init(_ url: URL) throws {
        let file = url.appending(path: "data.json")
        let bytes = try MappedFile(file).withBytes { Data($0.withUnsafeBytes { Array($0) }) }
        do {
            manifest = try JSONDecoder().decode(PictureManifest.self, from: bytes)
        } catch {
            throw FormatError.malformed(path: file.path, at: 0, why: "it does not describe pictures: \(error)")
        }
        guard manifest.kind == "images", (1...4096).contains(manifest.size) else {
            throw FormatError.unsupported(
                path: file.path, why: "this is no data folder of pictures; make one with qalam data images.")
        }
        train = try PictureSplit(url, "train", count: manifest.train, size: manifest.size)
        heldout = try PictureSplit(url, "heldout", count: manifest.heldout, size: manifest.size)
    }
}

/// One half of a data folder of pictures.
public struct PictureSplit: Sendable {
    /// Side of the pictures in pixels.
    public let size: Int
    /// What is known of each.
    public let records: [PictureRecord]
    private let file: MappedFile

    /// How many there are.
    public var count: Int { records.count }

    init(_ url: URL, _ name: String, count: Int, size: Int) throws {
        self.size = size
        file = try MappedFile(url.appending(path: "\(name).rgba"))
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 4 * size * size)
        guard count >= 0, !overflow, file.count == bytes else {
            throw FormatError.truncated(path: file.path, at: file.count, expected: bytes)
        }
        let lines = url.appending(path: "\(name).jsonl")
        var reader = try JSONLinesReader([lines], lineLimit: 1 << 20)
        var records: [PictureRecord] = []
        records.reserveCapacity(min(count, 1 << 20))
        while let json = try reader.next() { records.append(try PictureRecord(json)) }
        guard records.count == count else {
            throw FormatError.badLine(
                path: lines.path, line: records.count, why: "it is the last, and data.json promises \(count)")
        }
        self.records = records
    }

    /// Lends the pixels of picture `index` to `body`: size · size · 4 bytes, colours multiplied by alpha.
    public func withPixels<Result, Failure: Error>(
        of index: Int, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(records.indices.contains(index), "picture \(index) of \(count)")
        let length = 4 * size * size
        defer { withExtendedLifetime(file) {} }
        let pixels = UnsafeRawBufferPointer(rebasing: file.buffer[index * length..<(index + 1) * length])
        return try body(pixels.bindMemory(to: UInt8.self).span)
    }

    /// Picture `index` with straight alpha, for people to look at.
    public func picture(_ index: Int) -> Picture {
        withPixels(of: index) { pixels in
            Picture(width: size, height: size, premultiplied: pixels.indices.map { pixels[$0] })
        }
    }
}
