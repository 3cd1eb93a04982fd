// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamHub
import Synchronization
import Testing

/// A model as it comes over a good line, and what a second pull does.
@Suite(.timeLimit(.minutes(1)))
struct PullTests {
    private let llama: [String: [UInt8]] = [
        "config.json": Array("{}".utf8), "tokenizer.json": Array("{}".utf8), "model.safetensors": noise(700_000),
        "README.md": Array("# Model".utf8), "pytorch_model.bin": noise(10), "onnx/model.onnx": noise(10),
        "original/consolidated.safetensors": noise(10), ".gitattributes": [], "empty.safetensors": [],
    ]

    @Test(arguments: [true, false])
    func `A folder of safetensors comes whole, with a manifest and nothing else`(isLarge: Bool) async throws {
        var model = FakeModel(llama)
        model.isLarge = isLarge
        try await withBench({ [model] in model.answer($0) }) { bench in
            let events = Events()
            let manifest = try await bench.pull(events: events)
            let wanted = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
            #expect(manifest.files.map(\.path) == wanted)
            #expect(bench.files == (wanted + ["qalam.lock.json"]).sorted().map { "owner/model/\($0)" })
            for file in manifest.files {
                let bytes = try #require(llama[file.path])
                #expect(try bench.bytes(file.path) == bytes)
                #expect(file.sha256 == sha256(bytes) && file.size == bytes.count)
            }
            #expect(manifest.commit == "c0ffee" && manifest.repository == "owner/model")
            #expect(ModelManifest.of(bench.folder)?.files == manifest.files)
            #expect(events.fetched == wanted.compactMap { llama[$0]?.count }.reduce(0, +))
            let ranges = bench.server.requests.filter { $0.path.hasSuffix("model.safetensors") }.compactMap(\.range)
            #expect(ranges.count > 4 && ranges.reduce(0) { $0 + $1.count } == 700_000)
        }
    }

    @Test func `A second pull fetches nothing`() async throws {
        let model = FakeModel(llama)
        try await withBench({ model.answer($0) }) { bench in
            try await bench.pull()
            let count = bench.server.requests.count
            let events = Events()
            try await bench.pull(events: events)
            #expect(events.fetched == 0)
            #expect(bench.server.requests.count == count + 2)
        }
    }

    @Test func `The tree may come in pages`() async throws {
        var model = FakeModel(llama)
        model.pageSize = 2
        try await withBench({ [model] in model.answer($0) }) { bench in
            let manifest = try await bench.pull()
            #expect(manifest.files.count == 4)
            #expect(bench.server.requests.filter { $0.uri.contains("cursor=") }.count == 4)
        }
    }

    @Test func `Patterns choose files`() async throws {
        let model = FakeModel(llama)
        try await withBench({ model.answer($0) }) { bench in
            let files = try await bench.pull(patterns: ["*.bin", "onnx/*", "empty*"]).files
            #expect(files.map(\.path) == ["empty.safetensors", "onnx/model.onnx", "pytorch_model.bin"])
            #expect(try bench.bytes("onnx/model.onnx") == noise(10))
            let error = try await hubError { try await bench.pull(patterns: ["*.zip"]) }
            #expect(error == .noFileMatches(["*.zip"], model: "owner/model"))
        }
    }

    @Test func `Quantizations of one model share its folder`() async throws {
        let model = FakeModel([
            "m-Q4_K_M.gguf": noise(100_000), "m-Q8_0.gguf": noise(200_000, seed: 2), "mmproj-m-F16.gguf": noise(9),
            "big/m-F16-00001-of-00002.gguf": noise(70_000, seed: 3),
            "big/m-F16-00002-of-00002.gguf": noise(80_000, seed: 4),
        ])
        try await withBench({ model.answer($0) }) { bench in
            #expect(try await bench.pull().files.map(\.path) == ["m-Q4_K_M.gguf"])
            #expect(try await bench.pull("owner/model:f16").files.count == 3)
            #expect(try bench.bytes("big/m-F16-00002-of-00002.gguf") == noise(80_000, seed: 4))
            #expect(bench.store.list().map(\.name) == ["owner/model:F16", "owner/model:Q4_K_M"])
            #expect(try bench.store.resolve("owner/model").lastPathComponent == "m-Q4_K_M.gguf")
            #expect(try bench.store.resolve("model:F16").lastPathComponent == "m-F16-00001-of-00002.gguf")
            let error = try await hubError { try await bench.pull("owner/model:Q2_K") }
            #expect("\(error)".contains("Q4_K_M (100.0 kB), F16 (150.0 kB), Q8_0 (200.0 kB)"), "\(error)")
        }
    }

    @Test func `A new version replaces the old one, and drops what the hub no longer has`() async throws {
        let versions = Mutex(FakeModel(["config.json": [1], "model.safetensors": noise(90_000)]))
        try await withBench({ request in versions.withLock { $0 }.answer(request) }) { bench in
            try await bench.pull()
            try Data([7]).write(to: bench.folder.appending(path: "notes.txt"))
            versions.withLock {
                $0.commit = "beef"
                $0.files = [
                    "config.json": [2], "model-00001-of-00001.safetensors": noise(80_000, seed: 5),
                    "model.safetensors.index.json": [3],
                ]
            }
            let manifest = try await bench.pull()
            #expect(manifest.commit == "beef")
            #expect(
                bench.files
                    == [
                        "config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json", "notes.txt",
                        "qalam.lock.json",
                    ].map { "owner/model/\($0)" })
            #expect(try bench.bytes("config.json") == [2])
        }
    }

    @Test func `Two pulls at once do no work twice`() async throws {
        let model = FakeModel(llama)
        try await withBench({ model.answer($0) }) { bench in
            async let first = bench.pull()
            async let second = bench.pull()
            let manifests = try await [first, second]
            #expect(manifests[0].files == manifests[1].files)
            let ranges = bench.server.requests.filter { $0.path.hasSuffix("model.safetensors") }.compactMap(\.range)
            #expect(ranges.reduce(0) { $0 + $1.count } == 700_000)
            #expect(bench.files.count == 5)
        }
    }

    @Test func `A folder that no pull has made is left alone`() async throws {
        let model = FakeModel(llama)
        try await withBench({ model.answer($0) }) { bench in
            try FileManager.default.createDirectory(at: bench.folder, withIntermediateDirectories: true)
            try Data([1]).write(to: bench.folder.appending(path: "mine"))
            let error = try await hubError { try await bench.pull() }
            #expect(error == .foreignFolder(path: bench.folder.path))
            #expect(bench.files == ["owner/model/mine"])
        }
    }
}
