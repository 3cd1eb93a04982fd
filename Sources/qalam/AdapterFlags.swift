// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation

/// The adapters that a model is opened with, as flags.
struct AdapterFlags: ParsableArguments {
    @Option(
        name: .customLong("lora"),
        help: "An adapter as name=path, a PEFT folder or a .gguf file; may be given several times.")
    var adapters: [String] = []

    func validate() throws { try Self.check(adapters) }

    /// The adapters by name.
    var urls: [String: URL] { Self.urls(adapters) }

    /// Refuses what is not `name=path`.
    static func check(_ adapters: [String]) throws {
        for adapter in adapters where parts(adapter) == nil {
            throw ValidationError("--lora must be name=path, not \(adapter).")
        }
    }

    /// Adapters by name.
    static func urls(_ adapters: [String]) -> [String: URL] {
        Dictionary(adapters.compactMap(parts).map { ($0.name, URL(filePath: $0.path)) }) { $1 }
    }

    private static func parts(_ text: String) -> (name: String, path: String)? {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}
