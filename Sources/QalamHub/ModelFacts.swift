// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import QalamFormats

/// What a model's files say about it; nil where they say nothing.
package struct ModelFacts: Sendable, Equatable {
    /// The name of its kind, such as `LlamaForCausalLM` or `llama`.
    package var architecture: String?
    /// Numbers in all tensors.
    package var parameters: Int?
    /// Tokens that it was made to see at once.
    package var contextLength: Int?
    /// How its numbers are stored, such as `bfloat16` or `Q4_K_M`.
    package var quantization: String?
    /// What may be done with it, as a short name such as `apache-2.0`.
    package var licence: String?
    /// Whether it says how conversations are written for it.
    package var hasChatTemplate = false

    /// What a folder of safetensors says: `config.json`, the heads of the weights, the card.
    ///
    /// - Throws: `FormatError` if `config.json` or the weights can't be read.
    package init(folder: URL) throws(FormatError) {
        let config = try JSONReader(contentsOf: folder.appending(path: "config.json"))
        let text = try config.optionalObject("text_config") ?? config
        architecture = try config.strings("architectures").first
        if architecture == nil { architecture = try config.optionalString("model_type") }
        for key in ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"] where contextLength == nil {
            contextLength = try text.optionalInt(key)
        }
        quantization = try config.optionalObject("quantization_config")?.optionalString("quant_method")
        for reader in [text, config] {
            for key in ["dtype", "torch_dtype"] where quantization == nil {
                quantization = try reader.optionalString(key)
            }
        }
        parameters = try Safetensors(folder).tensors.values.reduce(0) { $0 &+ $1.count }
        licence = cardLicence(in: folder)
        hasChatTemplate = try Self.hasTemplate(folder)
    }

    /// What the metadata of a `.gguf` file say, of several parts those of the first.
    ///
    /// - Throws: `FormatError` if the file or one of its parts can't be read.
    package init(gguf url: URL) throws(FormatError) {
        let model = try GGUF(url)
        architecture = try model.metadata.optionalString("general.architecture")
        parameters = model.tensors.reduce(0) { $0 &+ $1.count }
        if let architecture { contextLength = try model.metadata.optionalInt("\(architecture).context_length") }
        quantization = quantizationLabel(url.deletingPathExtension().path)
        licence = try model.metadata.optionalString("general.license")
        hasChatTemplate = model.metadata.has("tokenizer.chat_template")
    }

    private static func hasTemplate(_ folder: URL) throws(FormatError) -> Bool {
        let names = QalamHub.names(in: folder)
        if names.contains("chat_template.jinja") || names.contains("chat_template.json") { return true }
        guard names.contains("tokenizer_config.json") else { return false }
        return try JSONReader(contentsOf: folder.appending(path: "tokenizer_config.json")).has("chat_template")
    }
}

/// The licence in the head of `README.md` (YAML between two lines of three dashes); nil if it names none.
func cardLicence(in folder: URL) -> String? {
    let file = try? FileHandle(forReadingFrom: folder.appending(path: "README.md"))
    guard let data = try? file?.read(upToCount: 1 << 16) else { return nil }
    // Not at "\n": in a file from Windows that is half of a character.
    var lines = String(decoding: data, as: UTF8.self).split(
        omittingEmptySubsequences: false, whereSeparator: \.isNewline)[...]
    guard lines.popFirst()?.trimmingCharacters(in: .whitespaces) == "---" else { return nil }
    let head = lines.prefix { $0.trimmingCharacters(in: .whitespacesAndNewlines) != "---" }
    func value(_ key: String) -> String? {
        guard let index = head.firstIndex(where: { $0.hasPrefix(key + ":") }) else { return nil }
        var text = head[index].dropFirst(key.count + 1).trimmingCharacters(in: .whitespaces)
        if text.isEmpty, let next = head[(index + 1)...].first?.trimmingCharacters(in: .whitespaces),
            next.hasPrefix("- ")
        {
            text = String(next.dropFirst(2))
        }
        text = text.trimmingCharacters(in: CharacterSet(charactersIn: "\"'[] \r"))
        return text.isEmpty ? nil : text
    }
    let name = value("license")
    return name == nil || name == "other" ? value("license_name") ?? name : name
}
