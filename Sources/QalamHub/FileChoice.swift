// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Which of a model's files are wanted.
package enum FileChoice: Sendable, Equatable {
    /// What Qalam needs to run the model; of a GGUF model the quantization of this name.
    case model(quantization: String?)
    /// Every file that fits one of these patterns, in which `*` and `?` stand for any text and any character.
    case patterns([String])

    /// The files of `listing` that are wanted, sorted by path.
    package func files(of listing: HubListing) throws(HubError) -> [HubFile] {
        let chosen =
            switch self {
            case .patterns(let patterns): try Self.fitting(patterns, listing)
            case .model(let quantization): try Self.model(listing, quantization)
            }
        return chosen.filter { $0.path != ModelManifest.fileName }.sorted { $0.path < $1.path }
    }

    private static func fitting(_ patterns: [String], _ listing: HubListing) throws(HubError) -> [HubFile] {
        let chosen = listing.files.filter { file in patterns.contains { fnmatch($0, file.path, 0) == 0 } }
        guard !chosen.isEmpty else { throw .noFileMatches(patterns, model: listing.id) }
        return chosen
    }

    private static func model(_ listing: HubListing, _ quantization: String?) throws(HubError) -> [HubFile] {
        let groups = ggufGroups(listing.files) { $0.path }
        let weights = safetensors(listing.files)
        if quantization == nil, !weights.isEmpty, listing.files.contains(where: { $0.path == "config.json" }) {
            return weights + listing.files.filter { isBeside($0.path) || isCard($0.path) }
        }
        guard !groups.isEmpty else {
            if let quantization, !weights.isEmpty {
                throw .noSuchQuantization(quantization, model: listing.id, choices: ["the safetensors, without a name"])
            }
            throw .nothingToPull(
                listing.id, why: "it has neither GGUF files nor safetensors with a config.json, which Qalam reads")
        }
        let group = try chooseGroup(quantization, among: groups, model: listing.id) { group in
            group.files.reduce(0) { $0 &+ $1.size }
        }
        return group.files + listing.files.filter { isCard($0.path) }
    }

    /// The weights at the top of the folder: what the index speaks of, or the one file, or all.
    ///
    /// Weights in folders are other forms of the same model; `consolidated` files hold them once more under other
    /// names.
    private static func safetensors(_ files: [HubFile]) -> [HubFile] {
        let all = files.filter { !$0.path.contains("/") && $0.path.hasSuffix(".safetensors") }
        if files.contains(where: { $0.path == "model.safetensors.index.json" }) {
            let shards = all.filter { $0.path.hasPrefix("model-") }
            if !shards.isEmpty { return shards }
        }
        if let single = all.first(where: { $0.path == "model.safetensors" }) { return [single] }
        return all.filter { !$0.path.hasPrefix("consolidated") && !$0.path.hasPrefix("adapter_") }
    }

    /// The files beside safetensors that say what the model is and how text becomes ids.
    private static func isBeside(_ path: String) -> Bool {
        let names = [
            "config.json", "generation_config.json", "tokenizer.model", "chat_template.jinja", "chat_template.json",
            "special_tokens_map.json", "model.safetensors.index.json",
        ]
        return names.contains(path)
            || path.hasPrefix("tokenizer") && path.hasSuffix(".json") && !path.contains("/")
    }

    /// The model's card and licence, which say what may be done with it.
    private static func isCard(_ path: String) -> Bool {
        path == "README.md" || path.hasPrefix("LICENSE") && !path.contains("/")
    }
}
