// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamImages
import QalamTensors
import TestSupport
import Testing

/// Data folders: what goes in, how it is split, and what is said of it.
struct PictureDataTests {
    @Test func `no concept is on both sides`() throws {
        try withTemporaryFolder { folder in
            let result = try pack(emoji(in: folder), to: folder) { $0.heldout = 0.4 }
            #expect(result.concepts == 12)
            let data = try PictureData(folder.appending(path: "data"))
            let (train, heldout) = (Set(data.train.records.map(\.concept)), Set(data.heldout.records.map(\.concept)))
            #expect(!train.isEmpty && !heldout.isEmpty && train.isDisjoint(with: heldout))
            #expect(train.count + heldout.count == 12)
            // Two styles of everything, and the tones and genders of a waving hand and a cook.
            #expect(data.train.count + data.heldout.count == 2 * 10 + 2 * 3 + 2 * 3)
            for record in data.train.records + data.heldout.records {
                if record.name.contains("cook") { #expect(record.concept == "cook") }
                if record.name.contains("waving") { #expect(record.concept == "waving hand") }
            }
        }
    }

    @Test func `pictures that look alike are one concept`() throws {
        try withTemporaryFolder { folder in
            let input = folder.appending(path: "in")
            try write(disc(.init(40, 40, 200)), "norway.png", in: input)
            try write(disc(.init(41, 40, 200)), "bouvet island.png", in: input)
            try write(disc(.init(200, 40, 40)), "other.png", in: input)
            #expect(try pack([input], to: folder).concepts == 2)
        }
    }

    @Test func `the same seed gives the same bytes, another one another split`() throws {
        try withTemporaryFolder { folder in
            let inputs = try emoji(in: folder)
            let names = ["data.json", "train.rgba", "train.jsonl", "heldout.rgba", "heldout.jsonl"]
            func bytes(seed: UInt64) throws -> [Data] {
                try pack(inputs, to: folder, seed: seed) { ($0.heldout, $0.recolor) = (0.4, 2) }
                return try names.map { try Data(contentsOf: folder.appending(path: "data/\($0)")) }
            }
            let first = try bytes(seed: 1)
            #expect(try bytes(seed: 1) == first)
            #expect(try bytes(seed: 2) != first)
        }
    }

    @Test func `pixels, captions and keywords come back`() throws {
        try withTemporaryFolder { folder in
            let input = folder.appending(path: "in")
            try write(Picture(width: 4, height: 4, filledWith: [200, 100, 50, 128]), "a.png", in: input)
            let line =
                #"{"file": "a.png", "captions": {"en": ["a square"], "ar": "مربع"}, "tags": ["shape"], "style": "x"}"#
            try Data(line.utf8).write(to: input.appending(path: "captions.jsonl"))
            try pack([input], to: folder) { ($0.size, $0.heldout) = (4, 0) }
            let data = try PictureData(folder.appending(path: "data"))
            let record = try #require(data.train.records.first)
            #expect(record.captions == ["en": ["a square"], "ar": ["مربع"]])
            #expect(record.keywords == ["en": ["shape"]] && record.style == "x" && record.color == nil)
            data.train.withPixels(of: 0) { pixels in
                #expect(pixels.count == 64)
                #expect((0..<4).map { pixels[$0] } == [100, 50, 25, 128])
            }
            #expect(data.manifest.sources.map(\.pictures) == [1] && data.size == 4)
        }
    }

    @Test func `an archive is read without unpacking it, with the tags beside its drawings`() throws {
        try withTemporaryFolder { folder in
            try pack([fixture("pictures/icons.tar.xz")], to: folder) { $0.heldout = 0 }
            let records = try PictureData(folder.appending(path: "data")).train.records
            #expect(records.map(\.name) == ["cat face", "dog"])
            #expect(records.map(\.keywords) == [["en": ["pet", "kitten"]], [:]])
            #expect(records.map(\.style) == ["icons", "icons"])
        }
    }

    @Test func `one style's captions serve another's files`() throws {
        try withTemporaryFolder { folder in
            let input = folder.appending(path: "in")
            try write(disc(.init(10, 200, 10)), "1f34f_flat.png", in: input)
            try Data(#"{"file": "1f34f_3d.png", "en": "green apple", "style": "fluent3d"}"#.utf8)
                .write(to: input.appending(path: "captions_en.jsonl"))
            try pack([input], to: folder) { $0.heldout = 0 }
            let record = try #require(try PictureData(folder.appending(path: "data")).train.records.first)
            #expect(record.name == "green apple" && record.style == "flat")
        }
    }

    @Test func `pictures that can't be read are named and left out`() throws {
        try withTemporaryFolder { folder in
            let input = folder.appending(path: "in")
            try write(disc(.init(10, 200, 10)), "good.png", in: input)
            try Data("no picture".utf8).write(to: input.appending(path: "bad.png"))
            let result = try pack([input], to: folder) { $0.heldout = 0 }
            #expect(result.faults.map(\.path) == ["bad.png"])
            #expect(result.manifest.train == 1)
        }
    }

    @Test func `inputs without pictures are an error that says so`() throws {
        try withTemporaryFolder { folder in
            #expect(throws: FormatError.self) { try pack([folder.appending(path: "none")], to: folder) }
            try FileManager.default.createDirectory(at: folder.appending(path: "in"), withIntermediateDirectories: true)
            #expect(throws: FormatError.self) { try pack([folder.appending(path: "in")], to: folder) }
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "data").path))
        }
    }

    @Test func `a damaged folder is refused, with the file that is damaged`() throws {
        try withTemporaryFolder { folder in
            try pack(emoji(in: folder), to: folder) { $0.heldout = 0.4 }
            let data = folder.appending(path: "data")
            for name in ["train.rgba", "heldout.jsonl", "data.json"] {
                let file = data.appending(path: name)
                let whole = try Data(contentsOf: file)
                try whole.dropLast(20).write(to: file)
                let error = #expect(throws: FormatError.self) { try PictureData(data) }
                #expect(error?.description.contains(name) == true)
                try whole.write(to: file)
            }
            _ = try PictureData(data)
        }
    }

    @Test func `colours are turned, and the captions say so in both languages`() throws {
        try withTemporaryFolder { folder in
            let input = folder.appending(path: "in")
            try write(disc(.init(250, 200, 40)), "ball.png", in: input)
            try write(disc(.init(250, 200, 50)), "golden cup.png", in: input)
            try write(disc(.init(250, 190, 60)), "person.png", in: input)
            try Data(#"{"file": "ball.png", "en": "ball", "ar": "كرة"}"#.utf8)
                .write(to: input.appending(path: "captions.jsonl"))
            try pack([input], to: folder) { ($0.heldout, $0.recolor, $0.size) = (0, 10, 32) }
            let split = try PictureData(folder.appending(path: "data")).train
            let colored = split.records.indices.filter { split.records[$0].color != nil }
            #expect(colored.count == 10)
            let blue = try #require(colored.first { split.records[$0].color == "blue" })
            #expect(split.records[blue].captions == ["en": ["blue ball"], "ar": ["كرة زرقاء"]])
            #expect(split.records[blue].name == "blue ball" && split.records[blue].concept == "ball")
            let center = 4 * (16 * 32 + 16)
            let pixel = split.picture(blue).pixels[center..<center + 4].map { Int($0) }
            #expect(pixel[2] > pixel[0] + 60 && pixel[3] == 255)
        }
    }

    // MARK: Parts

    @discardableResult
    private func pack(
        _ inputs: [URL], to folder: URL, seed: UInt64 = 1, _ change: (inout PicturePackOptions) -> Void = { _ in }
    ) throws -> PicturePackResult {
        var options = PicturePackOptions()
        options.size = 16
        change(&options)
        return try packPictures(inputs, to: folder.appending(path: "data"), options, seed: seed)
    }

    /// Two styles of ten things, of a hand in three tones and of a cook of three genders.
    private func emoji(in folder: URL) throws -> [URL] {
        try ["old", "new"].map { style in
            let input = folder.appending(path: style)
            var lines = ""
            var names = (0..<10).map { ("thing \($0 * 7)", "🍎\($0)") }
            names += [("waving hand", "👋"), ("waving hand: light skin tone", "👋🏻")]
            names += [("waving hand: dark skin tone", "👋🏿")]
            names += [("cook", "🧑‍🍳"), ("man cook", "👨‍🍳"), ("woman cook", "👩‍🍳")]
            for (index, (name, character)) in names.enumerated() {
                let color = SIMD3<UInt8>(UInt8(index * 15), UInt8(255 - index * 12), style == "old" ? 0 : 255)
                try write(disc(color), "\(index).png", in: input)
                lines += #"{"file": "\#(index).png", "en": "\#(name)", "char": "\#(character)"}"# + "\n"
            }
            try Data(lines.utf8).write(to: input.appending(path: "captions_en.jsonl"))
            return input
        }
    }

    private func write(_ picture: Picture, _ name: String, in folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(try picture.encoded(as: .png())).write(to: folder.appending(path: name))
    }

    /// A disc of one colour on nothing.
    private func disc(_ color: SIMD3<UInt8>) -> Picture {
        var picture = Picture(width: 24, height: 24)
        for y in 0..<24 {
            for x in 0..<24 where (x - 12) * (x - 12) + (y - 12) * (y - 12) < 121 {
                let at = 4 * (24 * y + x)
                picture.pixels.replaceSubrange(at..<at + 4, with: [color.x, color.y, color.z, 255])
            }
        }
        return picture
    }
}

/// The captions that are drawn for training.
struct CaptionSamplerTests {
    private var record: PictureRecord {
        var record = PictureRecord(name: "blue cat face", concept: "cat face", style: "fluent3d")
        record.captions = ["en": ["blue cat face"], "ar": ["وجه قطّة أزرق"]]
        record.keywords = ["en": ["pet", "cat", "whiskers"], "ar": ["قطة", "حيوان"]]
        record.color = "blue"
        return record
    }

    private func captions(_ count: Int, of record: PictureRecord, seed: UInt64 = 1) -> [String] {
        var random = CounterRandom(seed: seed)
        return (0..<count).map { _ in CaptionSampler().caption(for: record, using: &random) }
    }

    @Test func `the same numbers draw the same captions`() {
        #expect(captions(50, of: record) == captions(50, of: record))
        #expect(captions(50, of: record) != captions(50, of: record, seed: 2))
    }

    @Test func `both languages, all forms and the style are drawn, and none is empty`() {
        let drawn = captions(2000, of: record)
        let arabic = drawn.count { $0.unicodeScalars.contains { $0.value >= 0x0600 } }
        #expect((850...1150).contains(arabic))
        #expect(drawn.contains("blue cat face") && drawn.contains("وجه قطة أزرق"))
        #expect(drawn.contains { $0.hasPrefix("blue cat face, ") })
        #expect(drawn.contains("blue pet") && drawn.contains("قطة زرقاء") && drawn.contains("حيوان أزرق"))
        #expect(drawn.contains("3d blue cat face") && drawn.contains("وجه قطة أزرق ثلاثي الأبعاد"))
        #expect(drawn.allSatisfy { text in ["blue", "أزرق", "زرقاء"].contains { text.contains($0) } })
    }

    @Test func `a picture without captions in a language is spoken of in the other`() {
        var record = record
        record.captions["ar"] = nil
        record.keywords = [:]
        #expect(captions(100, of: record).allSatisfy { $0.contains("blue cat face") })
        record.captions = [:]
        #expect(captions(1, of: record) == [""])
    }

    @Test func `prompts are written as captions are`() {
        #expect(CaptionSampler.normalized("  A  Cat\nFACE ") == "a cat face")
        #expect(CaptionSampler.normalized("المُربّعـ") == "المربع")
    }
}
