// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamTensors
import TestSupport
import Testing

/// What is written is what is read, and what the reference implementation writes.
struct GGUFWriterTests {
    private let folder = fixtures.file("gguf")

    /// The tensors of `model` as they would be written again.
    private func copies(of model: GGUF) -> [GGUF.TensorToWrite] {
        model.tensors.map { tensor in
            GGUF.TensorToWrite(tensor.name, shape: tensor.shape, type: tensor.type) { writer in
                try model.withBytes(of: tensor) { try writer.write($0) }
            }
        }
    }

    @Test(arguments: ["all_types.gguf", "aligned.gguf"])
    func `A file of the reference implementation is written again byte for byte`(name: String) throws {
        let original = folder.file(name)
        let model = try GGUF(original)
        try withTemporaryFolder { folder in
            let copy = folder.file("copy.gguf")
            try GGUF.write(copies(of: model), metadata: model.metadata.keys.compactMap(model.metadata.field), to: copy)
            #expect(try copy.bytes == original.bytes)
        }
    }

    @Test func `Values are encoded as they are decoded`() throws {
        let metadata = try GGUF(folder.file("all_types.gguf")).metadata
        for key in metadata.keys {
            let value = try #require(try metadata.value(key))
            #expect(GGUFField(key, value) == metadata.field(key), "\(key)")
        }
    }

    @Test func `A split model is written in parts that open as one`() throws {
        let model = try GGUF(folder.file("all_types.gguf"))
        let fields = model.metadata.keys.compactMap(model.metadata.field)
        try withTemporaryFolder { folder in
            let urls = try GGUF.write(
                copies(of: model), metadata: fields, to: folder.file("m.gguf"), splitSize: 1000)
            #expect(urls.count > 2)
            #expect(urls[1].lastPathComponent == "m-00002-of-0000\(urls.count).gguf")
            let again = try GGUF(urls[1])
            #expect(again.tensors.map(\.name) == model.tensors.map(\.name))
            #expect(try again.metadata.string("v.string") == "قلم \"pen\"")
            for (old, new) in zip(model.tensors, again.tensors) {
                #expect(model.withBytes(of: old) { Array($0) } == again.withBytes(of: new) { Array($0) })
            }
        }
    }

    @Test func `An error while writing leaves the old file`() throws {
        struct Stop: Error {}
        try withTemporaryFolder { folder in
            let url = folder.file("m.gguf")
            try url.put([1, 2, 3])
            let tensor = GGUF.TensorToWrite("t", shape: [4], type: .f32) { _ in throw Stop() }
            #expect(throws: Stop.self) { try GGUF.write([tensor], metadata: [], to: url) }
            #expect(try url.bytes == [1, 2, 3])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["m.gguf"])
        }
    }
}
