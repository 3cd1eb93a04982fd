// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation

/// The adapters that a model is opened with, as flags.
struct AdapterFlags: ParsableArguments {
    @Option(
        name: .customLong("lora"),
        help: "An adapter as name=path, a PEFT folder or a .gguf file; may be given several times.")
    var adapters: [String] = []

    func validate() throws {
        for adapter in adapters where Self.parts(adapter) == nil {
            throw ValidationError("--lora must be name=path, not \(adapter).")
        }
    }

    /// The adapters by name.
    var urls: [String: URL] {
        Dictionary(adapters.compactMap(Self.parts).map { ($0.name, URL(filePath: $0.path)) }) { $1 }
    }

    private static func parts(_ text: String) -> (name: String, path: String)? {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}
