// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamHub
import Testing

/// The folder of models: names, lists, removals.
struct StoreTests {
    /// Files and their bytes under an empty folder.
    private func withStore(_ files: [String: String], _ test: (ModelStore, URL) throws -> Void) async throws {
        try await withFolder { folder in
            for (path, text) in files {
                let url = folder.appending(path: path)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            try test(
                ModelStore(root: folder.appending(path: "store"), shipped: folder.appending(path: "models")), folder)
        }
    }

    private let files = [
        "store/one/llama/config.json": "{}", "store/one/llama/model.safetensors": "12345678",
        "store/two/llama/m-Q4_K_M.gguf": "1234", "store/two/llama/m-Q8_0.gguf": "12345678",
        "store/two/qwen/q-Q6_K-00001-of-00002.gguf": "1", "store/two/qwen/q-Q6_K-00002-of-00002.gguf": "2",
        "store/loose-Q4_0.gguf": "1", "store/two/notes/text.txt": "no model",
        "store/two/.half.pull/m.gguf.part": "123", "models/mini/config.json": "{}",
        "models/mini/model.safetensors": "1",
    ]

    @Test func `Every model is listed, each quantization by itself`() async throws {
        try await withStore(files) { (store, folder) throws in
            let models = store.list()
            #expect(
                models.map(\.name) == [
                    "loose-Q4_0.gguf", "one/llama", "two/half", "two/llama:Q4_K_M", "two/llama:Q8_0", "two/qwen:Q6_K",
                    "\(folder.path)/models/mini",
                ])
            #expect(models.map(\.kind) == [.gguf, .safetensors, .incomplete, .gguf, .gguf, .gguf, .safetensors])
            #expect(models.map(\.size) == [1, 10, 3, 4, 8, 2, 3])
            #expect(models[5].quantization == "Q6_K" && models[5].files.count == 2)
            #expect(abs(models[0].modified.timeIntervalSinceNow) < 3600)
        }
    }

    @Test func `An empty or missing folder has no models`() async throws {
        try await withStore([:]) { store, _ in #expect(store.list() == []) }
    }

    @Test func `A folder that is both its own and the repository's is listed once`() async throws {
        try await withStore(files) { (store, _) throws in
            let twice = ModelStore(root: store.root, shipped: store.root)
            #expect(twice.list().count == 6)
            #expect(try twice.resolve("qwen").lastPathComponent == "q-Q6_K-00001-of-00002.gguf")
        }
    }

    @Test func `Names lead to folders and files`() async throws {
        try await withStore(files) { (store, folder) throws in
            func path(_ text: String) throws -> String {
                String(try store.resolve(text).path.dropFirst(folder.path.count + 1))
            }
            #expect(try path("one/llama") == "store/one/llama")
            #expect(try path("ONE/Llama") == "store/one/llama")
            #expect(try path("two/llama") == "store/two/llama/m-Q4_K_M.gguf")
            #expect(try path("two/llama:q8_0") == "store/two/llama/m-Q8_0.gguf")
            #expect(try path("qwen") == "store/two/qwen/q-Q6_K-00001-of-00002.gguf")
            #expect(try path("loose-Q4_0.gguf") == "store/loose-Q4_0.gguf")
            #expect(try path("mini") == "models/mini")
            #expect(try path("\(folder.path)/store/two/llama:Q8_0") == "store/two/llama/m-Q8_0.gguf")
            let second = "\(folder.path)/store/two/qwen/q-Q6_K-00002-of-00002.gguf"
            #expect(try path(second) == "store/two/qwen/q-Q6_K-00001-of-00002.gguf")
            #expect(try path("\(folder.path)/models/mini") == "models/mini")
        }
    }

    @Test func `What is not here is told with what is alike and how to get it`() async throws {
        try await withStore(files) { (store, folder) throws in
            func message(_ text: String) -> String {
                do { return try store.resolve(text).path } catch { return "\(error)" }
            }
            let miss = message("two/qwem")
            #expect(miss.contains("did you mean two/qwen?") && miss.contains("`qalam pull two/qwem`"), "\(miss)")
            #expect(!message("something-else").contains("qalam pull"))
            #expect(message("llama") == "llama can be one/llama or two/llama; write the whole name.")
            #expect(message("two/llama:Q2_K").contains("there is no Q2_K; choose from: Q4_K_M (4 bytes), Q8_0"))
            #expect(message("one/llama:Q2_K").contains("there is no Q2_K"))
            #expect(message("/no/such").contains("there is no such file"))
            #expect(message("\(folder.path)/store/two/notes").contains("a model is a .gguf file or a folder"))
            #expect(message("two/half").contains("no such model"))
            #expect(message("").contains("no such model") && message(":").contains("no such model"))
        }
    }

    @Test func `A removal takes the model, its halves and an owner's empty folder`() async throws {
        try await withStore(files) { (store, folder) throws in
            let one = try store.removal(of: "two/llama:Q8_0")
            #expect(one.size == 8 && one.paths.map(\.lastPathComponent) == ["m-Q8_0.gguf"])
            #expect(try store.remove(one) == 8)
            #expect(try store.resolve("two/llama").lastPathComponent == "m-Q4_K_M.gguf")
            #expect(try store.remove(store.removal(of: "one/llama")) == 10)
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "store/one").path))
            #expect(try store.remove(store.removal(of: "two/half")) == 3)
            #expect(try store.remove(store.removal(of: "loose-Q4_0.gguf")) == 1)
            #expect(try store.remove(store.removal(of: "two/llama")) == 4)
            #expect(store.list().map(\.name) == ["two/qwen:Q6_K", "\(folder.path)/models/mini"])
            #expect(FileManager.default.fileExists(atPath: folder.appending(path: "store/two/notes/text.txt").path))
        }
    }

    @Test func `Nothing outside the folder of models is removed`() async throws {
        try await withStore(files) { (store, folder) throws in
            let manager = FileManager.default
            let kept = folder.appending(path: "kept")
            try manager.moveItem(at: folder.appending(path: "store/one/llama"), to: kept)
            try manager.createSymbolicLink(at: folder.appending(path: "store/one/llama"), withDestinationURL: kept)
            try manager.createDirectory(at: folder.appending(path: "far"), withIntermediateDirectories: true)
            try manager.moveItem(at: folder.appending(path: "store/two/qwen"), to: folder.appending(path: "far/qwen"))
            try manager.createSymbolicLink(
                at: folder.appending(path: "store/three"), withDestinationURL: folder.appending(path: "far"))
            // A link to a model goes, the model stays.
            #expect(try store.remove(store.removal(of: "one/llama")) == 0)
            #expect(manager.fileExists(atPath: kept.appending(path: "model.safetensors").path))
            for name in ["three/qwen", "\(folder.path)/models/mini", "mini"] {
                do {
                    _ = try store.removal(of: name)
                    Issue.record("\(name) would be removed")
                } catch let error as HubError {
                    guard case .outside = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
            #expect(throws: HubError.self) { try store.removal(of: "../kept") }
        }
    }

    @Test func `What a folder says of itself`() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let mini = try ModelStore(root: root.appending(path: "none")).find(
            root.appending(path: "models/qalam-mini").path)
        let summary = try ModelSummary(mini)
        #expect(summary.facts.architecture == "LlamaForCausalLM" && summary.facts.contextLength == 512)
        #expect(summary.facts.parameters == 4_262_144, "\(summary.facts)")
        #expect(summary.facts.quantization == "bfloat16" && summary.facts.licence == "cc-by-sa-4.0")
        #expect(summary.facts.hasChatTemplate && summary.files.contains { $0.path == "model.safetensors" })
        #expect(summary.manifest == nil)
    }

    @Test(arguments: [
        ("---\nlicense: mit\n---\n", "mit"), ("---\nlanguage: en\nlicense:\n- apache-2.0\n---\n", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: \"llama3.2\"\n---\n", "llama3.2"), ("---\r\nlicense: [mit]\r\n---", "mit"),
        ("license: mit\n", nil), ("---\nname: x\n---\nlicense: mit\n", nil), ("", nil),
    ])
    func `The licence is in the card`(card: String, licence: String?) async throws {
        try await withStore(["store/a/b/README.md": card]) { (store, folder) throws in
            let fields = [
                GGUFField("general.architecture", .string("llama")), GGUFField("llama.context_length", .uint32(4096)),
                GGUFField("tokenizer.chat_template", .string("{{ messages }}")),
            ]
            let file = folder.appending(path: "store/a/b/m-Q8_0.gguf")
            try GGUF.write([], metadata: fields, to: file)
            let facts = try ModelSummary(store.find("a/b")).facts
            #expect(facts.licence == licence && facts.architecture == "llama" && facts.contextLength == 4096)
            #expect(facts.quantization == "Q8_0" && facts.hasChatTemplate && facts.parameters == 0)
            try GGUF.write([], metadata: fields + [GGUFField("general.license", .string("own"))], to: file)
            #expect(try ModelSummary(store.find("a/b")).facts.licence == "own")
            try Data("GGUF".utf8).write(to: file)
            #expect(throws: FormatError.self) { try ModelSummary(store.find("a/b")) }
        }
    }
}
