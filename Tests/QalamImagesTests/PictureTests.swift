// SPDX-License-Identifier: Apache-2.0
import QalamImages
import Testing

/// Pictures to files and back.
struct PictureTests {
    @Test func `what loses nothing comes back as it was`() throws {
        let picture = Picture(width: 3, height: 2, pixels: (0..<24).map { UInt8($0 * 10) })
        for encoding in [PictureEncoding.png(text: ["Prompt": "قطة", "Seed": "1"]), .losslessWebP] {
            #expect(try Picture(decoding: try picture.encoded(as: encoding)) == picture)
        }
    }
}
