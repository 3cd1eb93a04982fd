// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import TestSupport
import Testing

/// Damaged and contradictory model folders end in an error with a sentence, never in a crash.
@Suite struct DamagedFolderTests {
    @Test func truncatedConfigs() throws {
        try withTemporaryFolder { url in
            let whole = try write(to: url)
            for length in 0..<whole.count - 2 {
                try whole.prefix(length).write(to: url.appending(path: "config.json"))
                #expect(throws: (any Error).self, "\(length) bytes") { try ModelFolder(url).decoder() }
            }
        }
    }

    @Test(arguments: [
        ("num_hidden_layers", "0"), ("num_hidden_layers", "\"3\""), ("num_hidden_layers", "-1"),
        ("hidden_size", "1e400"), ("hidden_size", "99999999999"), ("vocab_size", "4"), ("hidden_act", "\"relu\""),
        ("model_type", "\"mamba\""), ("num_key_value_heads", "3"), ("num_attention_heads", "5"),
        ("intermediate_size", "65"), ("rope_theta", "0"),
        ("rope_parameters", "{\"rope_type\": \"yarn\", \"rope_theta\": 1}"),
    ])
    func badSettings(key: String, value: String) throws {
        try withTemporaryFolder { url in
            let whole = try write(to: url)
            var object = try #require(JSONSerialization.jsonObject(with: whole) as? [String: Any])
            object["rope_parameters"] = nil
            object[key] = "REPLACED"
            let text = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
                .replacingOccurrences(of: "\"REPLACED\"", with: value)
            try Data(text.utf8).write(to: url.appending(path: "config.json"))
            let error = #expect(throws: (any Error).self) { try ModelFolder(url).decoder() }
            #expect(error.map { String(describing: $0).count > 20 } == true)
        }
    }

    @Test func missingFiles() throws {
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            try withTemporaryFolder { url in
                _ = try write(to: url)
                try FileManager.default.removeItem(at: url.appending(path: name))
                let error = #expect(throws: (any Error).self) { try ModelFolder(url).decoder() }
                #expect(error.map { String(describing: $0).contains(name) } == true)
            }
        }
    }

    @Test func weightsOfAnotherShape() throws {
        try withTemporaryFolder { url in
            let whole = try write(to: url)
            let text = String(decoding: whole, as: UTF8.self)
                .replacingOccurrences(of: "\"intermediate_size\" : 128", with: "\"intermediate_size\" : 64")
            try Data(text.utf8).write(to: url.appending(path: "config.json"))
            #expect(
                throws: FormatError.shape("model.layers.0.mlp.gate_proj.weight", expected: [64, 32], got: [128, 32])
            ) {
                try ModelFolder(url).decoder()
            }
        }
    }

    /// Writes a sound folder; returns its config.
    private func write(to url: URL) throws -> Data {
        try ModelFolder.write(
            tinyDecoder(), ModelFiles(tokenizer: tinyTokenizer()), to: url, precision: .float32)
        return try Data(contentsOf: url.appending(path: "config.json"))
    }
}
