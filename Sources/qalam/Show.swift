// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub

/// `qalam show`: what is known of a model.
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what is known of a model.")

    @Argument(help: "A path, or a name: owner/name or owner/name:Q4_K_M.")
    var name: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let summary = try ModelSummary(ModelStore().find(name))
        if json { try printJSON(summary.json) } else { write(summary.text) }
    }
}

extension ModelSummary {
    /// The rows for people.
    fileprivate var text: String {
        let facts = facts
        var rows = [["name", model.name], ["path", model.url.path], ["kind", model.kind.rawValue]]
        rows.append(["architecture", facts.architecture ?? "not known"])
        rows.append(["parameters", facts.parameters.map(count) ?? "not known"])
        rows.append(["context length", facts.contextLength.map { "\($0) tokens" } ?? "not known"])
        rows.append(["quantization", facts.quantization ?? "not known"])
        rows.append(["licence", facts.licence ?? "not known"])
        rows.append(["chat template", facts.hasChatTemplate ? "yes" : "no"])
        if let manifest {
            rows.append(["from", "\(manifest.hub)/\(manifest.repository) at \(manifest.commit.prefix(12))"])
        }
        rows.append(["size", "\(byteText(model.size)) in \(files.count) files"])
        return table(rows) + table(files.map { ["  " + byteText($0.size), $0.path] })
    }

    /// The same as one JSON object.
    fileprivate var json: [String: Any] {
        var object = model.json
        object["quantization"] = facts.quantization
        object["architecture"] = facts.architecture
        object["parameters"] = facts.parameters
        object["context_length"] = facts.contextLength
        object["licence"] = facts.licence
        object["chat_template"] = facts.hasChatTemplate
        object["files"] = files.map { ["path": $0.path, "size": $0.size] as [String: Any] }
        object["repository"] = manifest?.repository
        object["revision"] = manifest?.revision
        object["commit"] = manifest?.commit
        return object
    }

    /// "4.3 M" or "7.2 B".
    private func count(_ number: Int) -> String {
        let units = [(1e9, "B"), (1e6, "M"), (1e3, "K")]
        guard let (size, name) = units.first(where: { Double(number) >= $0.0 }) else { return "\(number)" }
        let tenths = Int((Double(number) / size * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(name)"
    }
}
