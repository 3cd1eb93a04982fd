// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub

/// `qalam list`: the models on this machine.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the models on this machine.")

    @Flag(help: "Print one JSON object a model.")
    var json = false

    func run() throws {
        let store = ModelStore()
        let models = store.list()
        if json {
            for model in models { try printJSON(model.json) }
            return
        }
        guard !models.isEmpty else {
            write("There is no model in \(store.root.path). Get one with `qalam pull owner/name`.\n")
            return
        }
        let rows = models.map { model in
            [
                model.name, byteText(model.size), model.kind.rawValue, model.quantization ?? "-",
                model.modified.formatted(.iso8601.year().month().day()),
            ]
        }
        write(table([["name", "size", "kind", "quantization", "modified"]] + rows))
        write("Models are in \(store.root.path)\n")
    }
}

extension StoredModel {
    /// The model as one JSON object.
    var json: [String: Any] {
        var object: [String: Any] = [
            "name": name, "path": url.path, "kind": kind.rawValue, "size": size,
            "modified": modified.formatted(.iso8601),
        ]
        object["quantization"] = quantization
        return object
    }
}

/// Rows in columns as wide as their longest text.
func table(_ rows: [[String]]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
        rows.compactMap { $0.count > column ? $0[column].count : nil }.max() ?? 0
    }
    return rows.map { row in
        let cells = zip(row, widths).map { $0.padding(toLength: max($0.count, $1), withPad: " ", startingAt: 0) }
        let line = cells.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
}
