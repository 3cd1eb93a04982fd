// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamImages
import QalamTensors
import TestSupport
import Testing

/// Damaged and malicious files: an error or a picture, never a crash, and no memory for empty promises.
struct HostileTests {
    static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture("pictures").path).sorted().filter {
            ["png", "jpg", "webp"].contains(URL(filePath: $0).pathExtension)
        }
    }

    @Test func `no picture that ends early passes for a whole one`() throws {
        for name in try Self.names() where !name.hasPrefix("huge") {
            let bytes = try pictureBytes(name)
            // A JPEG is whole without its last marker; the last chunk of an animated or padded file may be missed.
            for count in 0..<bytes.count {
                let picture = try? Picture(decoding: bytes[..<count])
                if name.hasSuffix("png") || count < bytes.count * 9 / 10 {
                    #expect(picture == nil, "\(name) cut at \(count)")
                }
            }
        }
    }

    @Test func `flipped bits give an error or a picture`() throws {
        let limits = PictureLimits(side: 4096, pixels: 1 << 20, bytes: 1 << 20)
        for name in try Self.names() {
            let bytes = try pictureBytes(name)
            var random = CounterRandom(seed: 1, stream: UInt64(bytes.count))
            for _ in 0..<2000 {
                var damaged = bytes
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    let bit = Int.random(in: 0..<8 * bytes.count, using: &random)
                    damaged[bit / 8] ^= 1 << (bit % 8)
                }
                if let picture = try? Picture(decoding: damaged, limits: limits) {
                    #expect(picture.pixels.count == 4 * picture.width * picture.height)
                }
            }
        }
    }

    @Test(arguments: ["huge.png", "huge.jpg", "huge.webp"])
    func `a header that promises too much is refused before memory is taken`(name: String) throws {
        let bytes = try pictureBytes(name)
        let side = name == "huge.webp" ? 16384 : 50000
        let error = PictureError.tooLarge(width: side, height: side, limits: .standard)
        #expect(throws: error) { try Picture(decoding: bytes) }
        #expect(error.description.contains("\(side)×\(side)"))
    }

    @Test func `memory stays bounded`() throws {
        let before = peakMemory()
        for name in ["huge.png", "huge.jpg", "huge.webp", "text-bomb.png"] {
            for _ in 0..<50 { _ = try? Picture(decoding: try pictureBytes(name)) }
        }
        #expect(peakMemory() - before < 64 << 20)
    }

    @Test func `animations are refused by name`() throws {
        let bytes = try pictureBytes("animated.webp")
        let error = #expect(throws: PictureError.self) { try Picture(decoding: bytes) }
        #expect(error?.description.contains("animations") == true)
    }

    @Test func `what is no picture is said to be none`() {
        #expect(throws: PictureError.empty) { try Picture(decoding: []) }
        #expect(throws: PictureError.unknownFormat) { try Picture(decoding: Array("GIF89a and so on".utf8)) }
        let limits = PictureLimits(side: 10, pixels: 100, bytes: 4)
        #expect(throws: PictureError.tooManyBytes(count: 5, limit: 4)) {
            try Picture(decoding: [1, 2, 3, 4, 5], limits: limits)
        }
    }

    /// The most memory this process has held, in bytes.
    private func peakMemory() -> Int {
        var usage = rusage()
        #if canImport(Darwin)
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #else
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss << 10
        #endif
    }
}

/// Drawings.
struct SVGTests {
    @Test func `a drawing fills its square, and the rest stays transparent`() throws {
        let svg =
            #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 4"><rect width="8" height="4" fill="red"/></svg>"#
        let picture = try Picture(drawing: Array(svg.utf8), width: 16, height: 16)
        let rows = (0..<16).map { Array(picture.pixels[64 * $0..<64 * $0 + 4]) }
        #expect(rows[0] == [0, 0, 0, 0] && rows[15] == [0, 0, 0, 0])
        #expect(rows[8] == [255, 0, 0, 255])
    }

    @Test func `half-transparent colours come out straight`() throws {
        let svg =
            #"<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M0 0h4v4H0z" "#
            + #"fill="rgb(0,136,255)" fill-opacity=".5"/></svg>"#
        let picture = try Picture(drawing: Array(svg.utf8), width: 4, height: 4)
        for (found, expected) in zip(picture.pixels, [0, 136, 255, 128]) { #expect(abs(Int(found) - expected) <= 1) }
    }

    @Test func `nothing outside the file is drawn`() throws {
        try withTemporaryFolder { folder in
            let other = folder.appending(path: "other.svg")
            try Data(#"<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><rect width="9" height="9"/></g></svg>"#.utf8)
                .write(to: other)
            for reference in [other.absoluteString, other.path, "other.svg"] {
                let svg =
                    #"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" "#
                    + #"height="9"><use xlink:href="\#(reference)#a"/><use href="\#(reference)#a"/></svg>"#
                let picture = try? Picture(drawing: Array(svg.utf8), width: 9, height: 9)
                #expect(picture?.pixels.allSatisfy { $0 == 0 } != false)
            }
        }
    }

    @Test(arguments: [
        #"<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png;base64,AAAA"/></svg>"#,
        #"<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:image href="a.png"/></s:svg>"#,
        #"<svg xmlns="http://www.w3.org/2000/svg"><filter><feImage href="data:,"/></filter></svg>"#,
        #"<svg xmlns="http://www.w3.org/2000/svg"><x:include xmlns:x="a" href="/etc/passwd"/></svg>"#,
        #"<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>"#,
        #"<?xml version="1.0" encoding="utf-16"?><svg xmlns="http://www.w3.org/2000/svg"/>"#,
    ])
    func `pictures, documents and entities inside are refused by name`(svg: String) {
        let error = #expect(throws: PictureError.self) {
            try Picture(drawing: Array(svg.utf8), width: 8, height: 8)
        }
        guard case .unsupported(.svg, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `broken drawings give errors`() {
        let svg = #"<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M0 0h4v4H0z"/></svg>"#
        for count in 0..<svg.utf8.count {
            #expect(throws: PictureError.self) {
                try Picture(drawing: Array(svg.utf8.prefix(count)), width: 4, height: 4)
            }
        }
        #expect(throws: PictureError.self) { try Picture(drawing: Array(svg.utf8), width: 50000, height: 50000) }
    }
}
