// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors

/// `qalam convert`: a Hugging Face folder to a GGUF file, or back.
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert a model between a Hugging Face folder and a GGUF file.",
        discussion: """
            A folder becomes a GGUF file, and a .gguf file a folder. Without --type the numbers stay what they are; \
            blocks become bf16 in a folder.
            """)

    @Option(help: "The type of the matrices: f32, f16, bf16 or, for a GGUF file, q8_0.")
    var type: String?

    @Option(help: "The most bytes in one GGUF file, such as 2G or 500M; a larger model becomes several.")
    var splitSize: String?

    @Option(help: "An adapter (LoRA), a PEFT folder or a .gguf file, to be merged into a folder; a folder comes out.")
    var lora: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "The model: a folder, or a .gguf file.")
    var input: String

    @Argument(help: "Where the other form goes.")
    var output: String

    private var isFromGGUF: Bool { URL(filePath: input).pathExtension == "gguf" }

    func validate() throws {
        if let type {
            let known = GGUFExport.types.filter { !isFromGGUF || !$0.isQuantized }.map { $0.name.lowercased() }
            guard known.contains(type.lowercased()) else {
                throw ValidationError("--type \(type) is not known; known are \(known.joined(separator: ", ")).")
            }
        }
        if lora != nil, isFromGGUF || type != nil || splitSize != nil {
            throw ValidationError("--lora merges into a folder and changes neither type nor size: convert it then.")
        }
        if let splitSize {
            guard !isFromGGUF else { throw ValidationError("--split-size is for GGUF files.") }
            guard byteCount(splitSize) != nil else {
                throw ValidationError("--split-size must be a number above 0 with K, M or G behind it.")
            }
        }
    }

    func run() throws {
        let (source, target) = (URL(filePath: input), URL(filePath: output))
        var line = ProgressLine("writing")
        func show(_ done: Int, _ total: Int) { line.show(done: done, total: total) }
        let chosen = type.flatMap { BlockType(name: $0) }
        let files: [URL]
        let used: String
        if let lora {
            try AdapterMerge(source, adapter: URL(filePath: lora)).write(to: target, progress: show)
            (files, used) = ([target], "merged")
        } else if isFromGGUF {
            let model = try GGUFImport(GGUF(source))
            let own = chosen.flatMap { ElementType(rawValue: $0.name) } ?? model.ownType
            used = own.rawValue
            try model.write(to: target, type: own, progress: show)
            files = [target]
        } else {
            let model = try GGUFExport(source)
            let own = chosen ?? model.ownType
            used = own.name
            let limit = splitSize.flatMap(byteCount) ?? .max
            files = try model.write(to: target, type: own, splitSize: limit, progress: show)
        }
        line.finish(nil)
        if json {
            try printJSON(["files": files.map(\.relativePath), "type": used])
        } else {
            for file in files { write("\(file.relativePath): \(used)\n") }
        }
    }
}

/// "2G", "500M" or "1000000" as bytes, K, M and G being powers of 1,000; nil if it is no such number above 0.
private func byteCount(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1000, "M": 1_000_000, "G": 1_000_000_000]
    let unit = text.last.flatMap { units[Character($0.uppercased())] }
    guard let number = Int(unit == nil ? text : String(text.dropLast())), number > 0 else { return nil }
    let (count, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
    return overflow ? nil : count
}
