// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamTensors

/// `qalam inspect`: what is in a model's files, without loading it.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is in a model's files.",
        discussion: "Reads a .gguf file (any part of a split one), a .safetensors file, or a folder of these.")

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "List every tensor.")
    var tensors = false

    @Argument(help: "The file or folder.")
    var path: String

    func run() throws {
        let url = URL(filePath: path)
        let found =
            url.pathExtension == "gguf" ? try Inspection(GGUF(url)) : try Inspection(Safetensors(url), at: url)
        if json { try printJSON(found.json(withTensors: tensors)) } else { write(found.text(withTensors: tensors)) }
    }
}

/// A model's files as they are shown.
private struct Inspection {
    /// One tensor.
    struct Tensor {
        let name: String
        let type: String
        let shape: [Int]
        let bytes: Int

        var count: Int { shape.reduce(1, *) }
    }

    /// One key; `text` is short, `value` whole but for long lists.
    struct Field {
        let key: String
        let text: String
        let value: Any
    }

    /// All tensors of one type.
    struct Total {
        let type: String
        var tensors = 0
        var parameters = 0
        var bytes = 0
    }

    let path: String
    let format: String
    let files: [String]
    let architecture: String?
    let contextLength: Int?
    let fields: [Field]
    let tensors: [Tensor]

    /// How many elements of a list are shown.
    private static let shownElements = 4

    init(_ model: GGUF) throws {
        path = model.path
        format = "gguf"
        files = model.paths
        let metadata = model.metadata
        let architecture = try metadata.optionalString("general.architecture")
        self.architecture = architecture
        contextLength = try architecture.flatMap { try metadata.optionalInt("\($0).context_length") }
        fields = try metadata.keys.map { try Self.field($0, metadata) }
        tensors = model.tensors.map { tensor in
            Tensor(name: tensor.name, type: tensor.type.name, shape: tensor.shape, bytes: tensor.bytes.count)
        }
    }

    init(_ model: Safetensors, at url: URL) throws {
        path = model.path
        format = "safetensors"
        files = model.paths
        let configURL = url.appending(path: "config.json")
        let config =
            FileManager.default.fileExists(atPath: configURL.path) ? try JSONReader(contentsOf: configURL) : nil
        architecture = try config?.optionalString("model_type")
        contextLength = try config?.optionalInt("max_position_embeddings") ?? config?.optionalInt("n_positions")
        fields = model.metadata.sorted { $0.key < $1.key }.map { Field(key: $0.key, text: $0.value, value: $0.value) }
        tensors = model.names.compactMap { name in
            model.entry(name).map {
                Tensor(name: name, type: $0.type.rawValue, shape: $0.shape, bytes: $0.bytes.count)
            }
        }
    }

    private static func field(_ key: String, _ metadata: GGUFMetadata) throws -> Field {
        guard let (type, count) = metadata.array(key) else {
            guard let value = try metadata.value(key) else { return Field(key: key, text: "", value: "") }
            return Field(key: key, text: text(value), value: object(value))
        }
        let first = try metadata.prefix(key, shownElements)
        let dots = count > first.count ? ", …" : ""
        return Field(
            key: key, text: "\(count) × \(type): \(first.map(text).joined(separator: ", "))\(dots)",
            value: ["type": "\(type)", "count": count, "first": first.map(object)] as [String: Any])
    }

    /// One line for a value.
    private static func text(_ value: GGUFValue) -> String {
        switch value {
        case .string(let text):
            let line = text.prefix(100).replacing("\n", with: "\\n")
            return text.count > 100 ? "\(line)…" : String(line)
        case .array(let type, let elements): return "[\(elements.count) × \(type)]"
        case .float32(let number): return "\(number)"
        case .bool(let truth): return "\(truth)"
        default: return "\(value.double.map { Int(exactly: $0).map(String.init) ?? "\($0)" } ?? "")"
        }
    }

    /// A value for JSON, which has no infinities.
    private static func object(_ value: GGUFValue) -> Any {
        switch value {
        case .string(let text): text
        case .bool(let truth): truth
        case .array(let type, let elements): "\(elements.count) × \(type)"
        case .uint64(let number): number
        default: value.int ?? finite(value.double ?? 0)
        }
    }

    private static func finite(_ number: Double) -> Any { number.isFinite ? number : "\(number)" }

    private var totals: [Total] {
        var totals: [String: Total] = [:]
        for tensor in tensors {
            totals[tensor.type, default: Total(type: tensor.type)].tensors += 1
            totals[tensor.type]?.parameters += tensor.count
            totals[tensor.type]?.bytes += tensor.bytes
        }
        return totals.values.sorted { ($1.bytes, $0.type) < ($0.bytes, $1.type) }
    }

    private var parameters: Int { tensors.reduce(0) { $0 + $1.count } }

    private var bytes: Int { tensors.reduce(0) { $0 + $1.bytes } }
}

// MARK: Output

extension Inspection {
    func json(withTensors: Bool) -> [String: Any] {
        var object: [String: Any] = [
            "path": path, "format": format, "files": files, "parameters": parameters, "bytes": bytes,
            "tensor_count": tensors.count,
            "metadata": Dictionary(fields.map { ($0.key, $0.value) }) { first, _ in first },
            "types": totals.map { total in
                [
                    "type": total.type, "tensors": total.tensors, "parameters": total.parameters,
                    "bytes": total.bytes,
                ] as [String: Any]
            },
        ]
        object["architecture"] = architecture
        object["context_length"] = contextLength
        if withTensors {
            object["tensors"] = tensors.map { tensor in
                [
                    "name": tensor.name, "type": tensor.type, "shape": tensor.shape, "bytes": tensor.bytes,
                ] as [String: Any]
            }
        }
        return object
    }

    func text(withTensors: Bool) -> String {
        var lines = ["\(path): \(format), \(architecture ?? "unknown architecture")"]
        if files.count > 1 { lines.append("files: \(files.count)") }
        lines.append("parameters: \(scaled(parameters, ["", " K", " M", " B", " T"])), \(bytesText(bytes))")
        if let contextLength { lines.append("context: \(contextLength)") }
        if !fields.isEmpty { lines += ["", "metadata"] + columns(fields.map { [$0.key, $0.text] }) }
        lines += ["", "types"]
        lines += columns(totals.map { [$0.type, "\($0.tensors) tensors", bytesText($0.bytes)] })
        if withTensors {
            lines += ["", "tensors"]
            lines += columns(
                tensors.map { tensor in
                    let shape = tensor.shape.map(String.init).joined(separator: " × ")
                    return [tensor.name, tensor.type, shape, bytesText(tensor.bytes)]
                })
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Rows indented by two, with columns below each other.
    private func columns(_ rows: [[String]]) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "  " + cells.joined(separator: "  ").trimmingSuffix { $0 == " " }
        }
    }

    private func bytesText(_ count: Int) -> String { scaled(count, [" B", " KB", " MB", " GB", " TB"]) }

    /// "1.24 GB": a count in the unit, each 1,000 of the one before, in which it is small.
    private func scaled(_ count: Int, _ units: [String]) -> String {
        var (value, unit) = (Double(count), 0)
        while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        return unit == 0 ? "\(count)\(units[0])" : "\((value * 100).rounded() / 100)\(units[unit])"
    }
}

extension String {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}
