// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import TestSupport
import Testing

/// Reading what the reference implementation wrote, and what our writer wrote.
struct SafetensorsTests {
    private struct Expected: Decodable {
        let shape: [Int]
        let bits: [UInt32]?
        let integers: [String]?
    }

    private let folder = fixtures.file("safetensors")

    @Test func `Every type that the reference implementation writes is read exactly`() throws {
        let file = try Safetensors(folder.file("all_types.safetensors"))
        let expected = try JSONDecoder().decode(
            [String: Expected].self, from: Data(contentsOf: folder.file("expected.json")))
        #expect(file.names == expected.keys.sorted())
        #expect(file.metadata == ["made by": "make.py", "note": "كلمة \"quoted\"\n"])
        for (name, wanted) in expected {
            let entry = try #require(file.entry(name))
            #expect(entry.shape == wanted.shape, "\(name)")
            if let bits = wanted.bits {
                #expect(try file.floats(name).map(\.bitPattern) == bits, "\(name)")
            } else {
                #expect(try file.integers(name).map { "\($0)" } == wanted.integers, "\(name)")
            }
        }
    }

    @Test func `A sharded folder reads as one`() throws {
        let file = try Safetensors(folder.file("sharded"))
        #expect(file.names == ["a", "b", "c"])
        #expect(try file.floats("a") == [0, 1, 2, 3, 4, 5])
        #expect(try file.floats("b") == [0, 1, 2, 3])
        #expect(try file.integers("c") == [9])
        #expect(file.metadata == ["format": "np"])
    }

    @Test func `An index may not lead outside its folder, nor name what is not there`() throws {
        try withTemporaryFolder { folder in
            let index = folder.file("model.safetensors.index.json")
            try index.put(#"{"weight_map": {"a": "../x.safetensors"}}"#.utf8)
            #expect(
                message { _ = try Safetensors(folder) }?.contains("weight_map.a: expected the name of a file") == true)
            try index.put(#"{"weight_map": {"a": "x.safetensors"}}"#.utf8)
            #expect(message { _ = try Safetensors(folder) }?.contains("x.safetensors: can't be read") == true)
            try Safetensors.write([], to: folder.file("x.safetensors"))
            #expect(message { _ = try Safetensors(folder) }?.contains("x.safetensors: there is no tensor a;") == true)
        }
    }

    @Test func `Wrong names and types are refused by name`() throws {
        let file = try Safetensors(folder.file("all_types.safetensors"))
        #expect(throws: FormatError.missing("nope", in: file.path)) { try file.floats("nope") }
        #expect(throws: FormatError.elementType("u8", supported: ["F32", "BF16", "F16", "F64"], got: "U8")) {
            try file.floats("u8")
        }
        #expect(message { _ = try file.integers("f32") }?.hasPrefix("f32: numbers of type F32") == true)
    }

    @Test func `What is written is read back, aligned and in one order whatever the order given`() throws {
        try withTemporaryFolder { folder in
            let values: [Float] = [1, -0.5, 3.25, 1e-3, -1e6, 0.1]
            func tensor(_ name: String, _ type: ElementType, _ shape: [Int]) -> TensorToWrite {
                TensorToWrite.floats(name, shape: shape, type: type) { try values.withUnsafeBufferPointer($0) }
            }
            let raw = TensorToWrite("raw \"u8\"", shape: [3], type: .uint8) { writer in
                try writer.write([1])
                try writer.write([2, 3])
            }
            let tensors = [
                raw, tensor("h", .float16, [6]), tensor("b", .bfloat16, [3, 2]), tensor("قلم", .float32, [2, 3]),
                TensorToWrite("none", shape: [0, 7], type: .float32) { _ in },
            ]
            let (one, two) = (folder.file("1.safetensors"), folder.file("2.safetensors"))
            let metadata = ["b": "2\n\u{1}", "a": "\\\""]
            try Safetensors.write(tensors, metadata: metadata, to: one)
            try Safetensors.write(tensors.reversed(), metadata: metadata, to: two)
            #expect(try one.bytes == two.bytes)
            let file = try Safetensors(one)
            #expect(file.names == ["b", "h", "none", "raw \"u8\"", "قلم"])
            #expect(file.metadata == metadata)
            #expect(try file.floats("قلم") == values)
            #expect(try file.floats("none") == [])
            #expect(try file.floats("h") == values.map { Float(Float16($0)) })
            #expect(zip(try file.floats("b"), values).allSatisfy { abs($0 - $1) <= abs($1) / 256 })
            #expect(try file.withBytes(of: "raw \"u8\"") { Array($0) } == [1, 2, 3])
            for entry in file.tensors.values { #expect(entry.bytes.lowerBound % entry.type.size == 0) }
        }
    }

    @Test func `All half-precision numbers convert both ways as the processor's own do`() throws {
        let all = (0...UInt16.max).map { $0 }
        try withTemporaryFolder { folder in
            let url = folder.file("halves.safetensors")
            let raw = TensorToWrite("h", shape: [all.count], type: .float16) { writer in
                try all.withUnsafeBytes { try writer.write($0) }
            }
            try Safetensors.write([raw], to: url)
            let floats = try Safetensors(url).floats("h")
            for (bits, value) in zip(all, floats) {
                let exact = Float(Float16(bitPattern: bits))
                #expect(value.bitPattern == exact.bitPattern || (value.isNaN && exact.isNaN))
            }
            // Halves themselves, points halfway between neighbours, and their own neighbours.
            let finite = floats.filter(\.isFinite).sorted()
            let middles = zip(finite, finite.dropFirst()).map { ($0 + $1) / 2 }
            let trials =
                floats + middles + middles.map(\.nextUp) + middles.map(\.nextDown)
                + [65519.99, 65520, 1e10, -1e10, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
            try write(trials, .float16, to: url)
            let bits = try Safetensors(url).withBytes(of: "x") { Array($0.bindMemory(to: UInt16.self)) }
            for (value, got) in zip(trials, bits) where !value.isNaN {
                #expect(got == Float16(value).bitPattern, "\(value)")
            }
            for (value, got) in zip(trials, bits) where value.isNaN { #expect(Float16(bitPattern: got).isNaN) }
        }
    }

    @Test func `bfloat16 rounds to the nearest, ties to even`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("b.safetensors")
            var random = SplitMix(state: 3)
            let trials =
                [
                    1, 1.00390625, 1.01171875, -1.00390625, .infinity, -.infinity, .nan, 0, -0.0,
                    .greatestFiniteMagnitude,
                ]
                + (0..<2000).map { _ in Float(bitPattern: UInt32.random(in: 0 ... .max, using: &random)) }
            try write(trials, .bfloat16, to: url)
            let read = try Safetensors(url).floats("x")
            #expect(read[1] == 1 && read[2] == 1.015625 && read[9] == .infinity)
            for (value, got) in zip(trials, read) {
                if value.isNaN {
                    #expect(got.isNaN)
                    continue
                }
                let down = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
                let up = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
                let (toDown, toUp) = (abs(value - down), up.isFinite ? abs(up - value) : .infinity)
                if up.isFinite { #expect(abs(got - value) == min(toDown, toUp), "\(value)") }
            }
        }
    }

    @Test func `Long tensors pass through the pieces of the writer whole`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("long.safetensors")
            let values = (0..<400_003).map { Float($0) }
            try write(values, .float32, to: url)
            #expect(try Safetensors(url).floats("x") == values)
            try write(values, .bfloat16, to: url)
            #expect(try Safetensors(url).floats("x")[400_002] == 399_360)
        }
    }

    private func write(_ values: [Float], _ type: ElementType, to url: URL) throws {
        let tensor = TensorToWrite.floats("x", shape: [values.count], type: type) {
            try values.withUnsafeBufferPointer($0)
        }
        try Safetensors.write([tensor], to: url)
    }
}
