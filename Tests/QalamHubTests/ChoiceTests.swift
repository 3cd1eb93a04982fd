// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamHub
import Testing

/// Names of models, and which files they stand for.
struct ChoiceTests {
    @Test(arguments: [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"), ("qwen2.5-0.5b-instruct-q8_0.gguf", "Q8_0"),
        ("model.Q5_K_S.gguf", "Q5_K_S"), ("gemma-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"), ("phi-3-mini-4k-fp16.gguf", "FP16"),
        ("a/b-BF16-00001-of-00002.gguf", "BF16"), ("m-IQ2_XXS.gguf", "IQ2_XXS"), ("m-TQ1_0.gguf", "TQ1_0"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"), ("Q4_K_M.gguf", "Q4_K_M"), ("plain.gguf", nil), ("Quiet-IQ.gguf", nil),
        ("m-Q9_0.gguf", nil), ("m-q4_0-v2.gguf", "Q4_0"),
    ])
    func `The quantization is read from the name`(path: String, label: String?) {
        let groups = ggufGroups([path]) { $0 }
        #expect(groups.map(\.quantization) == [label])
    }

    private func listing(_ files: [String: Int]) throws -> HubListing {
        HubListing(
            id: "o/m", commit: "c",
            files: try files.map { try HubFile(path: $0.key, size: $0.value, checksum: nil) })
    }

    private func choose(_ files: [String: Int], _ quantization: String? = nil) throws -> [String] {
        try FileChoice.model(quantization: quantization).files(of: listing(files)).map(\.path)
    }

    @Test func `The usual quantizations come first, then the smallest`() throws {
        #expect(try choose(["a-Q8_0.gguf": 8, "a-Q4_K_M.gguf": 4, "a-Q2_K.gguf": 2]) == ["a-Q4_K_M.gguf"])
        #expect(try choose(["a-Q8_0.gguf": 8, "a-F16.gguf": 16, "a-Q2_K.gguf": 2]) == ["a-Q8_0.gguf"])
        #expect(try choose(["a-Q6_K.gguf": 6, "a-F16.gguf": 16, "a-Q2_K.gguf": 2]) == ["a-Q2_K.gguf"])
        #expect(try choose(["a.gguf": 6, "imatrix.gguf": 1, "mmproj-F16.gguf": 1]) == ["a.gguf"])
    }

    @Test func `A quantization is found in any case, with or without UD`() throws {
        let files = ["a-Q8_0.gguf": 8, "a-UD-Q4_K_XL.gguf": 4, "README.md": 1]
        #expect(try choose(files, "q8_0") == ["README.md", "a-Q8_0.gguf"])
        #expect(try choose(files, "q4_k_xl") == ["README.md", "a-UD-Q4_K_XL.gguf"])
        #expect(try choose(files, "A-Q8_0") == ["README.md", "a-Q8_0.gguf"])
    }

    @Test func `What fits several models, or none, is an error with the choices`() throws {
        let files = ["a-Q4_K_M.gguf": 4_000_000, "b-Q4_K_M.gguf": 5_000_000, "b-Q8_0.gguf": 8_000_000_000]
        #expect(
            throws: HubError.ambiguousQuantization(
                nil, model: "o/m", choices: ["a-Q4_K_M.gguf (4.0 MB)", "b-Q4_K_M.gguf (5.0 MB)"])
        ) { try choose(files) }
        #expect(
            throws: HubError.noSuchQuantization(
                "Q5_0", model: "o/m", choices: ["Q4_K_M (4.0 MB)", "Q4_K_M (5.0 MB)", "Q8_0 (8.0 GB)"])
        ) { try choose(files, "Q5_0") }
        #expect(throws: HubError.self) { try choose(["model.bin": 1, "config.json": 1]) }
        #expect(throws: HubError.self) { try choose(["model.safetensors": 1, "config.json": 1], "Q4_0") }
    }

    @Test func `All parts of a split model are wanted, and none may be missing`() throws {
        let parts = (1...3).map { "m-Q4_K_M-0000\($0)-of-00003.gguf" }
        #expect(try choose([parts[0]: 1, parts[1]: 1, parts[2]: 1]) == parts)
        #expect(throws: HubError.incompleteSplit("m-Q4_K_M", have: 2, of: 3)) {
            try choose([parts[0]: 1, parts[2]: 1])
        }
        // Numbers that are none of a split are part of the name.
        #expect(try choose(["m-Q4_K_M-00009-of-00003.gguf": 1]) == ["m-Q4_K_M-00009-of-00003.gguf"])
    }

    @Test func `Of safetensors the index says which are meant`() throws {
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        let files = [
            "config.json", "consolidated.safetensors", "model.safetensors.index.json", "tokenizer.json",
            "tokenizer_config.json", "LICENSE.txt", "onnx/config.json",
        ]
        let all = Dictionary(uniqueKeysWithValues: (files + shards).map { ($0, 1) })
        #expect(
            try choose(all) == [
                "LICENSE.txt", "config.json", shards[0], shards[1], "model.safetensors.index.json", "tokenizer.json",
                "tokenizer_config.json",
            ])
    }

    @Test(arguments: [
        "", "a", "a/b/c", "a/", "/b", "a/..", "../b", "a/.b", "a/b:", "a/b:c d", "a b/c", "a/b.partial", "-a/b",
        "a/b\\c", "a/\u{0}", String(repeating: "a", count: 97) + "/b",
    ])
    func `What is no name is refused`(text: String) {
        #expect(throws: HubError.self) { try ModelName(text) }
    }

    @Test func `A name has an owner, a name and perhaps a quantization`() throws {
        let name = try ModelName("Some-Owner/Model_1.5-GGUF:Q4_K_M")
        #expect(name.owner == "Some-Owner" && name.name == "Model_1.5-GGUF" && name.variant == "Q4_K_M")
        #expect(name.id == "Some-Owner/Model_1.5-GGUF" && "\(name)" == "Some-Owner/Model_1.5-GGUF:Q4_K_M")
    }

    @Test func `The environment names hub and token`() throws {
        let usual = try HubConfiguration(environment: ["HF_TOKEN": ""])
        #expect(usual.endpoint.absoluteString == "https://huggingface.co" && usual.token == nil)
        let other = try HubConfiguration(
            token: "own", environment: ["HF_ENDPOINT": "http://hub.example:8080/", "HF_TOKEN": "t"])
        #expect(other.endpoint.absoluteString == "http://hub.example:8080" && other.token == "own")
        #expect(throws: HubError.self) { try HubConfiguration(environment: ["HF_ENDPOINT": "hub"]) }
    }

    @Test func `Sizes are written short`() {
        #expect(
            [0, 999, 1000, 4_900_000_000, 1 << 60].map(byteText) == [
                "0 bytes", "999 bytes", "1.0 kB", "4.9 GB", "1152921.5 TB",
            ])
    }
}
