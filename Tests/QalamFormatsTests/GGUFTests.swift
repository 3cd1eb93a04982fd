// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamTensors
import TestSupport
import Testing

/// Reading what the reference implementation wrote.
struct GGUFTests {
    private struct Expected: Decodable {
        let type: String
        let shape: [Int]
        let bytes: String
    }

    private let folder = fixtures.file("gguf")

    @Test func `Every type of tensor is found with its shape and bytes`() throws {
        let model = try GGUF(folder.file("all_types.gguf"))
        let expected = try JSONDecoder().decode(
            [String: Expected].self, from: Data(contentsOf: folder.file("expected.json")))
        #expect(Set(model.tensors.map(\.name)) == Set(expected.keys))
        #expect(Set(model.tensors.map(\.type)) == Set(BlockType.allCases))
        for (name, wanted) in expected {
            let tensor = try #require(model.tensor(named: name))
            #expect(tensor.type.name == wanted.type)
            #expect(tensor.shape == wanted.shape)
            let hex = model.withBytes(of: tensor) { bytes in
                bytes.map { String(repeating: "0", count: $0 < 16 ? 1 : 0) + String($0, radix: 16) }.joined()
            }
            #expect(hex == wanted.bytes, "\(name)")
            let (file, bytes) = model.mapped(tensor)
            #expect(file.withBytes { $0.byteCount } >= bytes.upperBound && bytes.lowerBound % 32 == 0)
        }
        #expect(model.tensor(named: "t.none") == nil)
    }

    @Test func `Every type of metadata is read`() throws {
        let metadata = try GGUF(folder.file("all_types.gguf")).metadata
        #expect(metadata.keys.first == "general.architecture")
        #expect(try metadata.string("general.architecture") == "llama")
        #expect(try metadata.int("v.uint8") == 250)
        #expect(try metadata.int("v.int8") == -5)
        #expect(try metadata.int("v.uint16") == 65000)
        #expect(try metadata.int("v.int16") == -30000)
        #expect(try metadata.int("v.uint32") == 4_000_000_000)
        #expect(try metadata.int("v.int32") == -2_000_000_000)
        #expect(try metadata.int("v.int64") == -(1 << 62))
        #expect(try metadata.value("v.uint64") == .uint64(1 << 63 + 1))
        #expect(try metadata.double("v.float32") == 1.5)
        #expect(try metadata.double("v.float64") == 0.1)
        #expect(try metadata.double("v.uint8") == 250)
        #expect(try metadata.bool("v.bool"))
        #expect(try metadata.string("v.string") == "قلم \"pen\"")
        #expect(try metadata.strings("a.strings") == ["a", "", "كلمة", "Ġthe"])
        #expect(try metadata.ints("a.ints") == [1, -2, 3])
        #expect(try metadata.ints("v.int8") == [-5])
        #expect(try metadata.ints("a.bytes") == [1, 255])
        #expect(try metadata.doubles("a.floats") == [0.5, -1.25])
        #expect(try metadata.bools("a.bools") == [true, false])
        #expect(
            try metadata.value("a.nested")
                == .array(
                    .array, [.int32s([1, 2]), .int32s([3]), .int32s([4, 5, 6])]))
        #expect(metadata.array("a.strings")?.count == 4 && metadata.array("a.strings")?.type == .string)
        #expect(try metadata.prefix("a.strings", 2) == [.string("a"), .string("")])
        var lengths: [Int] = []
        try metadata.forEachString("a.strings") { lengths.append($0.count) }
        #expect(lengths == [1, 0, 8, 5])
    }

    @Test func `Missing keys and other types are refused by name`() throws {
        let metadata = try GGUF(folder.file("all_types.gguf")).metadata
        #expect(try metadata.int("nope", default: 3) == 3)
        #expect(try metadata.optionalString("nope") == nil)
        #expect(try metadata.strings("nope") == [])
        #expect(!metadata.has("nope") && metadata.type("nope") == nil)
        #expect(message { _ = try metadata.int("nope") }?.contains("nope: expected an integer, but the key") == true)
        #expect(
            message { _ = try metadata.int("v.string") }?.contains("v.string: expected an integer, found a value of")
                == true)
        #expect(message { _ = try metadata.int("v.uint64") }?.contains("v.uint64: expected an integer") == true)
        #expect(message { _ = try metadata.string("a.strings") }?.contains("expected a string, found a v") == true)
        #expect(message { _ = try metadata.strings("a.ints") }?.contains("a.ints[0]: expected a string") == true)
        #expect(message { _ = try metadata.strings("v.int8") }?.contains("v.int8: expected a list") == true)
        #expect(message { _ = try metadata.ints("a.nested") }?.contains("a.nested[0]: expected an integer") == true)
        #expect(message { _ = try metadata.bool("v.int8") }?.contains("v.int8: expected true or false") == true)
    }

    @Test func `Another alignment is honoured`() throws {
        let model = try GGUF(folder.file("aligned.gguf"))
        for tensor in model.tensors {
            #expect(tensor.bytes.lowerBound % 64 == 0)
            let first = model.withBytes(of: tensor) { $0.loadUnaligned(as: Float.self) }
            #expect(Character(UnicodeScalar(UInt8(first))) == Character(tensor.name))
        }
    }

    @Test(arguments: 1...3)
    func `Any part of a split model opens all of it`(part: Int) throws {
        let model = try GGUF(folder.file("split-0000\(part)-of-00003.gguf"))
        #expect(model.tensors.map(\.name) == ["t0", "t1", "t2", "t3", "t4"])
        #expect(try model.metadata.string("general.name") == "split model")
        for (index, tensor) in model.tensors.enumerated() {
            #expect(tensor.shape == [2, 3])
            let numbers = model.withBytes(of: tensor) { bytes in
                (0..<6).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
            #expect(numbers == Array(repeating: Float(index), count: 6))
        }
    }

    @Test func `Missing, renamed and exchanged parts are named`() throws {
        try withTemporaryFolder { empty in
            let names = (1...3).map { "split-0000\($0)-of-00003.gguf" }
            func copy(_ from: Int, as name: String) throws {
                try empty.file(name).put(folder.file(names[from]).bytes)
            }
            try copy(1, as: names[1])
            let text = message { _ = try GGUF(empty.file(names[1])) }
            #expect(text?.contains("2 of its 3 parts are missing beside it: \(names[0]), \(names[2])") == true)
            try copy(1, as: "mine.gguf")
            #expect(message { _ = try GGUF(empty.file("mine.gguf")) }?.contains("part 2 of 3, so its name") == true)
            try copy(0, as: names[0])
            try copy(1, as: names[2])
            #expect(
                message { _ = try GGUF(empty.file(names[0])) }?.contains("split.no: the file's name says 2") == true)
        }
    }
}
