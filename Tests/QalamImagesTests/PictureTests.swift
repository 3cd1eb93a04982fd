// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamImages
import TestSupport
import Testing

/// What Pillow sees in the pictures under Fixtures/pictures (see make.py there).
struct ExpectedPicture: Decodable {
    var size: [Int]
    var tolerance: Int?
    /// Each x, y, red, green, blue, alpha.
    var points: [[Int]]?
    /// All bytes, colours multiplied by alpha.
    var bytes: [UInt8]?

    static func all() throws -> [String: ExpectedPicture] {
        let data = try Data(contentsOf: fixture("pictures/expected.json"))
        return try JSONDecoder().decode([String: ExpectedPicture].self, from: data)
    }
}

/// The bytes of a picture under Fixtures/pictures.
func pictureBytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: fixture("pictures/\(name)"))) }

/// Pictures to files and back.
struct PictureTests {
    @Test func `every kind of file is read as Pillow reads it`() throws {
        for (name, expected) in try ExpectedPicture.all() {
            guard let points = expected.points, let tolerance = expected.tolerance else { continue }
            let picture = try Picture(decoding: try pictureBytes(name))
            #expect([picture.width, picture.height] == expected.size, "\(name)")
            for point in points {
                let at = 4 * (point[1] * picture.width + point[0])
                for i in 0..<4 {
                    let found = Int(picture.pixels[at + i])
                    #expect(abs(found - point[2 + i]) <= tolerance, "\(name) at \(point[0]), \(point[1]): \(i)")
                }
            }
        }
    }

    @Test func `what loses nothing comes back as it was`() throws {
        let picture = gradient(width: 31, height: 17)
        for encoding in [PictureEncoding.png(text: ["Prompt": "قطة", "Seed": "1"]), .losslessWebP] {
            #expect(try Picture(decoding: try picture.encoded(as: encoding)) == picture)
        }
    }

    @Test(arguments: [PictureEncoding.jpeg(quality: 95), .webp(quality: 95)])
    func `what loses something comes back nearly as it was`(encoding: PictureEncoding) throws {
        let picture = gradient(width: 64, height: 48).composed()
        let back = try Picture(decoding: try picture.encoded(as: encoding))
        let error = zip(picture.pixels, back.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(error) / Double(picture.pixels.count) < 3)
    }

    @Test func `a JPEG of a transparent picture lies before white`() throws {
        let bytes = try Picture(width: 8, height: 8).encoded(as: .jpeg())
        #expect(try Picture(decoding: bytes).pixels.allSatisfy { $0 >= 254 })
    }

    @Test func `a PNG carries its texts, plain and in Arabic`() throws {
        let picture = gradient(width: 4, height: 4)
        let bytes = try picture.encoded(as: .png(text: ["Model": "qalam-draw-mini", "Title": "قطة"]))
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("tEXtModel\0qalam-draw-mini"))
        #expect(text.contains("iTXtTitle\0\0\0\0\0قطة"))
        #expect(throws: PictureError.self) { try picture.encoded(as: .png(text: ["": "x"])) }
        #expect(throws: PictureError.self) { try picture.encoded(as: .png(text: ["قطة": "x"])) }
    }

    @Test func `a picture before a ground is opaque`() {
        let picture = Picture(width: 1, height: 1, pixels: [200, 100, 0, 51]).composed(over: (0, 0, 255))
        #expect(picture.pixels == [40, 20, 204, 255])
    }

    @Test func `multiplying by alpha and back changes colours by rounding alone`() {
        let picture = gradient(width: 20, height: 20)
        let back = Picture(width: 20, height: 20, premultiplied: picture.premultiplied)
        #expect(back.premultiplied == picture.premultiplied)
    }

    @Test func `a sheet has its pictures in reading order`() {
        let red = Picture(width: 2, height: 2, filledWith: [255, 0, 0, 255])
        let blue = Picture(width: 2, height: 2, filledWith: [0, 0, 255, 255])
        let sheet = ContactSheet([red, red, blue], columns: 2, gap: 1).picture
        #expect(sheet.width == 7 && sheet.height == 7)
        #expect(Array(sheet.pixels[4 * (7 + 1)..<4 * (7 + 2)]) == [255, 0, 0, 255])
        #expect(Array(sheet.pixels[4 * (4 * 7 + 1)..<4 * (4 * 7 + 2)]) == [0, 0, 255, 255])
        #expect(Array(sheet.pixels[4 * (4 * 7 + 4)..<4 * (4 * 7 + 5)]) == [255, 255, 255, 255])
    }
}

/// A picture whose four channels all change.
func gradient(width: Int, height: Int) -> Picture {
    var pixels: [UInt8] = []
    for y in 0..<height {
        for x in 0..<width {
            pixels += [x * 255 / width, y * 255 / height, x * y * 255 / (width * height), 255 - x * 100 / width].map {
                UInt8($0)
            }
        }
    }
    return Picture(width: width, height: height, pixels: pixels)
}
