// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamTensors
import TestSupport
import Testing

/// Files that lie: each must end in an error that says where, never in a crash or in numbers from elsewhere.
struct GGUFHostileTests {
    /// A file written by hand.
    private struct Draft {
        var bytes: [UInt8] = Array("GGUF".utf8)

        init(version: UInt32 = 3, tensors: UInt64 = 0, keys: UInt64 = 0) {
            put(version)
            put(tensors)
            put(keys)
        }

        mutating func put(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }

        mutating func put(_ text: String) {
            put(UInt64(text.utf8.count))
            bytes += text.utf8
        }

        mutating func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
            put(name)
            put(UInt32(dimensions.count))
            for size in dimensions { put(size) }
            put(type)
            put(offset)
        }

        /// Pads and appends `count` zeros as numbers.
        mutating func data(_ count: Int) { bytes += [UInt8](repeating: 0, count: -bytes.count & 31 + count) }
    }

    /// What opening `draft` says; nil if it opens.
    private func open(_ draft: Draft) throws -> String? {
        try withTemporaryFolder { folder in
            let url = folder.file("x.gguf")
            try url.put(draft.bytes)
            return message { _ = try GGUF(url) }
        }
    }

    /// Opens a file of `count` bytes and touches everything; true if all that opened is consistent.
    private func survives(_ url: URL, count: Int) -> Bool {
        guard let model = try? GGUF(url) else { return true }
        for key in model.metadata.keys {
            _ = try? model.metadata.value(key)
            _ = try? model.metadata.strings(key)
            _ = try? model.metadata.ints(key)
        }
        return model.tensors.allSatisfy { tensor in
            guard tensor.bytes.upperBound <= count else { return false }
            let sum = model.withBytes(of: tensor) { $0.reduce(0) { $0 &+ Int($1) } }
            return sum >= 0 && GGUF.byteCount(tensor.shape, tensor.type) == tensor.bytes.count
        }
    }

    @Test func `A file cut at any byte is refused`() throws {
        let whole = try fixtures.file("gguf/all_types.gguf").bytes
        let last = try #require(GGUF(fixtures.file("gguf/all_types.gguf")).tensors.map(\.bytes.upperBound).max())
        try withTemporaryFolder { folder in
            let url = folder.file("cut.gguf")
            try url.put(whole)
            let file = try FileHandle(forUpdating: url)
            for length in (0..<last).reversed() {
                try file.truncate(atOffset: UInt64(length))
                let text = message { _ = try GGUF(url) }
                #expect(text?.contains("the file ends at byte \(length)") == true, "\(length): \(text ?? "opened")")
            }
        }
    }

    @Test(arguments: ["all_types", "aligned", "split-00001-of-00003"])
    func `A file with a flipped bit opens consistently or not at all`(name: String) throws {
        let whole = try fixtures.file("gguf/\(name).gguf").bytes
        var random = SplitMix(state: 11)
        try withTemporaryFolder { folder in
            let url = folder.file("flipped.gguf")
            try url.put(whole)
            let file = try FileHandle(forUpdating: url)
            func put(_ byte: UInt8, at index: Int) throws {
                try file.seek(toOffset: UInt64(index))
                try file.write(contentsOf: [byte])
            }
            for _ in 0..<1000 {
                let (index, bit) = Int.random(in: 0..<whole.count * 8, using: &random).quotientAndRemainder(
                    dividingBy: 8)
                try put(whole[index] ^ 1 << bit, at: index)
                let isConsistent = survives(url, count: whole.count)
                #expect(isConsistent, "bit \(bit) of byte \(index)")
                try put(whole[index], at: index)
            }
        }
    }

    @Test func `Other versions, byte orders and formats are refused by name`() throws {
        #expect(try open(Draft()) == nil)
        #expect(try open(Draft(version: 2)) == nil)
        #expect(try open(Draft(version: 1))?.contains("GGUF version 1 is not supported") == true)
        #expect(try open(Draft(version: 3 << 24))?.contains("this GGUF file is big-endian") == true)
        var other = Draft()
        other.bytes[0] = 0
        #expect(try open(other)?.contains("byte 0: a GGUF file starts with") == true)
    }

    @Test(arguments: [1, 1 << 32, 1 << 62, UInt64.max])
    func `Counts that the file can't hold are refused`(count: UInt64) throws {
        #expect(try open(Draft(tensors: count))?.contains("the file ends at byte 24") == true)
        #expect(try open(Draft(keys: count))?.contains("the file ends at byte 24") == true)
        for type in GGUFValueType.allCases {
            var draft = Draft(keys: 1)
            draft.put("k")
            draft.put(GGUFValueType.array.rawValue)
            draft.put(type.rawValue)
            draft.put(count)
            #expect(try open(draft)?.contains("the file ends at byte 49") == true, "\(type)")
        }
        var draft = Draft(keys: 1)
        draft.put(count)
        #expect(try open(draft)?.contains("the file ends at byte 32") == true)
    }

    @Test func `Arrays that lie too deep are refused`() throws {
        var draft = Draft(keys: 1)
        draft.put("k")
        draft.put(GGUFValueType.array.rawValue)
        for _ in 0..<100_000 {
            draft.put(GGUFValueType.array.rawValue)
            draft.put(UInt64(1))
        }
        #expect(try open(draft)?.contains("k: arrays lie more than 8 deep") == true)
    }

    @Test func `Repeated keys, unknown types and odd values are refused`() throws {
        var draft = Draft(keys: 2)
        for _ in 0..<2 {
            draft.put("k")
            draft.put(GGUFValueType.uint8.rawValue)
            draft.put(UInt8(1))
        }
        #expect(try open(draft)?.contains("the key k comes twice") == true)
        draft = Draft(keys: 1)
        draft.put("k")
        draft.put(UInt32(13))
        #expect(try open(draft)?.contains("byte 33: k: unknown type of value 13") == true)
        draft = Draft(keys: 1)
        draft.put("k")
        draft.put(GGUFValueType.bool.rawValue)
        draft.put(UInt8(2))
        #expect(try open(draft)?.contains("k: a truth value is 2") == true)
        draft = Draft(keys: 1)
        draft.put(UInt64(1))
        draft.bytes += [0xFF, 0, 0, 0, 0, 0]
        #expect(try open(draft)?.contains("byte 24: a key is not valid UTF-8") == true)
        for alignment in [0, 24, UInt32.max] {
            draft = Draft(keys: 1)
            draft.put("general.alignment")
            draft.put(GGUFValueType.uint32.rawValue)
            draft.put(alignment)
            #expect(try open(draft)?.contains("general.alignment: expected a power of two") == true)
        }
    }

    @Test(
        arguments: [
            ([4], 0, 0, 16, nil),
            ([4], 0, 0, 15, "the file ends at byte"),
            ([4], 0, 16, 64, "its offset is no multiple of the alignment 32"),
            ([4], 0, 64, 64, "the file ends at byte"),
            ([4], 0, 1 << 63, 64, "its offset is no multiple"),
            ([4], 0, 1 << 62, 64, "the file ends at byte"),
            ([4], 0, (1 << 63) - 32, 64, "the file ends at byte"),
            ([8], 0, (1 << 63) - 32, 64, "is beyond any file"),
            ([1, 1, 1, 1, 1], 0, 0, 64, "5 dimensions are more than 4"),
            ([1 << 63], 0, 0, 64, "a dimension is too large"),
            ([1 << 61], 0, 0, 64, "is impossible for type F32"),
            ([1 << 31, 1 << 31, 1 << 31], 0, 0, 64, "is impossible"),
            ([1 << 62, 4], 1, 0, 64, "is impossible"),
            ([0, 1 << 40], 0, 0, 0, "a dimension is 0"),
            ([33], 8, 0, 64, "is impossible for type Q8_0"),
            ([32], 8, 0, 34, nil),
            ([4], 99, 0, 64, "unknown type 99"),
            ([256], 18, 0, 640, "numbers of type IQ3_XXS can't be used"),
        ] as [([UInt64], UInt32, UInt64, Int, String?)])
    func `Shapes, types and offsets that disagree with the file are refused`(
        dimensions: [UInt64], type: UInt32, offset: UInt64, data: Int, why: String?
    ) throws {
        var draft = Draft(tensors: 1)
        draft.tensor("t", dimensions, type: type, offset: offset)
        draft.data(data)
        let text = try open(draft)
        if let why { #expect(text?.contains(why) == true, "\(text ?? "opened")") } else { #expect(text == nil) }
    }

    @Test func `Overlaps and repeated tensors are refused`() throws {
        func two(_ second: String, at offset: UInt64) -> Draft {
            var draft = Draft(tensors: 2)
            draft.tensor("a", [16])
            draft.tensor(second, [16], offset: offset)
            draft.data(256)
            return draft
        }
        #expect(try open(two("b", at: 64)) == nil)
        #expect(try open(two("b", at: 128)) == nil)
        #expect(try open(two("b", at: 32))?.contains("the numbers of tensor b overlap") == true)
        #expect(try open(two("a", at: 64))?.contains("the tensor a comes twice") == true)
    }

    @Test func `Split counts that make no sense are refused`() throws {
        func part(_ number: UInt32, of count: UInt32) -> Draft {
            var draft = Draft(keys: 2)
            for (key, value) in [("split.no", number), ("split.count", count)] {
                draft.put(key)
                draft.put(GGUFValueType.uint32.rawValue)
                draft.put(value)
            }
            return draft
        }
        #expect(try open(part(0, of: 1)) == nil)
        #expect(try open(part(0, of: .max))?.contains("split.count: expected at most 65535") == true)
        #expect(try open(part(3, of: 3))?.contains("split.no: expected 0 to 2, found 3") == true)
        #expect(try open(part(0, of: 65535))?.contains("its name must end in -00001-of-65535.gguf") == true)
    }
}
