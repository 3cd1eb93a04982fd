// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamTensors

/// `qalam quantize`: a GGUF file with smaller numbers.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a GGUF file smaller by storing its numbers in blocks of few bits.",
        discussion: """
            Q4_K_M is a good choice, Q8_0 all but lossless. The types of tensors are those that llama.cpp chooses. \
            Known: \(QuantizationMix.allCases.map(\.rawValue).joined(separator: ", ")).
            """)

    @Flag(help: "Give every matrix the one type, without better ones where they matter most.")
    var pure = false

    @Flag(help: "Quantize again what is quantized already.")
    var allowRequantize = false

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "The model: a .gguf file, or the first of several.")
    var input: String

    @Argument(help: "Where the smaller file goes.")
    var output: String

    @Argument(help: "The mix of types, such as Q4_K_M.")
    var mix: String

    func validate() throws {
        guard QuantizationMix(name: mix) != nil else {
            let known = QuantizationMix.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\(mix) is not known; known are \(known).")
        }
        try checkThreads(threads)
    }

    func run() throws {
        guard let mix = QuantizationMix(name: mix) else { return }
        try setThreads(threads)
        let quantizer = try GGUFQuantizer(
            GGUF(URL(filePath: input)), mix, pure: pure, requantizing: allowRequantize)
        var line = ProgressLine("quantizing, MB")
        let target = URL(filePath: output)
        try quantizer.write(to: target) { line.show(done: $0 / 1_000_000, total: $1 / 1_000_000) }
        line.finish(nil)
        let bytes = quantizer.byteCount
        if json {
            var types: [String: Int] = [:]
            for entry in quantizer.entries { types[entry.type.name, default: 0] += 1 }
            try printJSON([
                "file": target.relativePath, "type": mix.rawValue, "bytes": bytes.new, "bytes_before": bytes.old,
                "tensors": types,
            ])
        } else {
            let megabytes = "\(bytes.old / 1_000_000) MB became \(bytes.new / 1_000_000) MB"
            write("\(target.relativePath): \(mix.rawValue), \(megabytes)\n")
        }
    }
}
