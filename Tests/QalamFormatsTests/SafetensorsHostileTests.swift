// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import TestSupport
import Testing

/// Files that lie: each must end in an error that says where, never in a crash or in numbers.
struct SafetensorsHostileTests {
    /// Opens a file of `header` and `data` zero bytes; returns the error's text, nil if it opens.
    private func open(_ header: String, data: Int, length: UInt64? = nil) throws -> String? {
        try withTemporaryFolder { folder in
            let url = folder.file("x.safetensors")
            let count = length ?? UInt64(header.utf8.count)
            try url.put(
                withUnsafeBytes(of: count.littleEndian, Array.init) + header.utf8 + [UInt8](repeating: 0, count: data))
            return message { _ = try Safetensors(url) }
        }
    }

    private func tensor(_ name: String, _ shape: String, _ offsets: String, type: String = "F32") -> String {
        #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    @Test func `A file cut at any byte is refused`() throws {
        let whole = try fixtures.file("safetensors/all_types.safetensors").bytes
        try withTemporaryFolder { folder in
            let url = folder.file("cut.safetensors")
            for length in 0..<whole.count {
                try url.put(whole[..<length])
                let text = message { _ = try Safetensors(url) }
                #expect(text?.contains("the file ends at byte \(length)") == true, "\(length): \(text ?? "opened")")
            }
            try url.put(whole + [0])
            #expect(message { _ = try Safetensors(url) }?.contains("byte \(whole.count): bytes after") == true)
        }
    }

    @Test func `A file with a flipped bit in its head opens correctly or not at all`() throws {
        let whole = try fixtures.file("safetensors/all_types.safetensors").bytes
        let head = 8 + Int(whole[0]) + Int(whole[1]) << 8
        try withTemporaryFolder { folder in
            let url = folder.file("flipped.safetensors")
            for index in 0..<head {
                var bytes = whole
                bytes[index] ^= 1 << (index % 8)
                try url.put(bytes)
                guard let file = try? Safetensors(url) else { continue }
                // It still opens (a letter of a name, two types of one size): every tensor must be inside the file.
                let consistent = try file.tensors.allSatisfy { name, entry in
                    try entry.bytes.upperBound <= bytes.count
                        && file.withBytes(of: name) { $0.count } == entry.shape.reduce(entry.type.size, *)
                }
                #expect(consistent, "bit \(index % 8) of byte \(index)")
            }
        }
    }

    @Test func `Lengths that reach beyond the file are refused`() throws {
        #expect(try open("{}", data: 0, length: 3)?.contains("must reach byte 11") == true)
        for length: UInt64 in [100_000_001, 1 << 62, 1 << 63, .max] {
            #expect(try open("{}", data: 0, length: length)?.contains("a header of \(length) bytes is longer") == true)
        }
        #expect(try open("{}", data: 0, length: 0)?.contains("byte 8: in the header: expected \"{\"") == true)
        #expect(try open(" {}", data: 0)?.contains("expected \"{\"") == true)
        #expect(try open("{}  ", data: 0) == nil)
    }

    @Test(arguments: [
        ("[4]", "[0,16]", 12, "the file ends at byte"),
        ("[4]", "[0,15]", 15, "does not fill"),
        ("[4]", "[16,0]", 16, "bad data_offsets"),
        ("[4]", "[0,16,16]", 16, "bad data_offsets"),
        ("[4]", "[-16,0]", 16, "expected an integer of 0 or more"),
        ("[-4]", "[0,16]", 16, "expected an integer of 0 or more"),
        ("[2.0]", "[0,8]", 8, "expected an integer of 0 or more"),
        ("[\"4\"]", "[0,16]", 16, "expected a value"),
        ("4", "[0,16]", 16, "expected \"[\""),
        ("[4611686018427387904,4]", "[0,0]", 0, "does not fill"),
        ("[9223372036854775807,9223372036854775807]", "[0,4]", 4, "does not fill"),
        ("[99999999999999999999]", "[0,4]", 4, "expected an integer of 0 or more"),
        ("[1]", "[9223372036854775803,9223372036854775807]", 4, "bad data_offsets"),
        ("[0,9223372036854775807]", "[0,4]", 4, "does not fill"),
    ])
    func `Shapes and offsets that disagree are refused`(shape: String, offsets: String, data: Int, why: String) throws {
        let text = try open("{\(tensor("t", shape, offsets))}", data: data)
        #expect(text?.contains(why) == true, "\(text ?? "opened")")
    }

    @Test func `Overlaps, gaps and repeated names are refused`() throws {
        let a = tensor("a", "[2]", "[0,8]")
        #expect(try open("{\(a),\(tensor("b", "[2]", "[8,16]"))}", data: 16) == nil)
        #expect(try open("{\(a),\(tensor("b", "[2]", "[4,12]"))}", data: 12)?.contains("tensor b overlaps") == true)
        #expect(try open("{\(a),\(tensor("b", "[2]", "[0,8]"))}", data: 8)?.contains("tensor b overlaps") == true)
        #expect(try open("{\(a),\(tensor("b", "[2]", "[12,20]"))}", data: 20)?.contains("belong to no tensor") == true)
        #expect(try open("{\(a),\(tensor("a", "[2]", "[8,16]"))}", data: 16)?.contains("\"a\" comes twice") == true)
        #expect(try open(#"{"__metadata__":{"k":"1","k":"2"}}"#, data: 0)?.contains("\"k\" comes twice") == true)
        #expect(try open(#"{"__metadata__":{},"__metadata__":{}}"#, data: 0)?.contains("comes twice") == true)
        let doubled = #"{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}"#
        #expect(try open(doubled, data: 4)?.contains("field \"dtype\" is unknown or comes twice") == true)
    }

    @Test func `Bad JSON and unknown types are refused`() throws {
        #expect(
            try open("{\(tensor("a", "[2]", "[0,8]", type: "F33"))}", data: 8)?.contains("unknown dtype \"F33\"")
                == true)
        #expect(try open(#"{"a":{"dtype":"F32","shape":[]}}"#, data: 4)?.contains("needs dtype, shape") == true)
        #expect(try open(#"{"a":1}"#, data: 0)?.contains("expected \"{\"") == true)
        #expect(try open(#"{"__metadata__":{"k":1}}"#, data: 0)?.contains("expected \"\"\"") == true)
        #expect(try open("{} x", data: 0)?.contains("more after the end") == true)
        #expect(try open("{\"a", data: 0)?.contains("no closing quote") == true)
        let deep = String(repeating: "[", count: 50_000)
        #expect(try open("{\"a\":\(deep)", data: 0) != nil)
    }

    @Test func `What is not a file is refused`() throws {
        try withTemporaryFolder { folder in
            #expect(message { _ = try Safetensors(folder) }?.contains("model.safetensors: can't be read") == true)
            #expect(message { _ = try MappedFile(folder) }?.contains("it is not a file") == true)
            let empty = folder.file("empty")
            try empty.put([])
            #expect(try MappedFile(empty).withBytes { $0.byteCount } == 0)
            #expect(message { _ = try Safetensors(empty) }?.contains("the file ends at byte 0") == true)
        }
    }
}
