// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers
internal import QalamTraining

/// `qalam bench`: what `make bench` compares with others.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure speed; `make bench` compares it with others.",
        subcommands: [
            BenchTrain.self, BenchTokenizer.self, BenchGenerate.self, BenchEngine.self, BenchLogits.self,
            BenchGrammar.self, BenchTemplate.self,
        ])
}

/// `qalam bench train`: training steps of a fresh model.
struct BenchTrain: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "train", abstract: "Time training steps.")

    @Option(
        help: "GPT-2-style with 7.3 M (a), 124 M (b) or 29.7 M (c) parameters, or what draws: image-tokenizer, image.",
        transform: shape(named:))
    var shape = TrainingBenchmark.Shape.a

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(help: "Steps of one repeat.")
    var steps = 4

    @Option(help: "Repeats; the median counts.")
    var repeats = 3

    @Flag(help: "Print one JSON object.")
    var json = false

    private static func shape(named name: String) throws -> TrainingBenchmark.Shape {
        if let shape = TrainingBenchmark.Shape(rawValue: name) { return shape }
        let known = TrainingBenchmark.Shape.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("There is no shape \(name); there are \(known).")
    }

    func validate() throws {
        try checkThreads(threads)
        guard steps > 0, repeats > 0 else { throw ValidationError("--steps and --repeats must be above 0.") }
    }

    func run() throws {
        try setThreads(threads)
        let result = try TrainingBenchmark(shape).run(steps: steps, repeats: repeats)
        if json {
            try printJSON([
                "\(result.unit)_s": result.rate, "gflops": result.gigaflops, "peak_rss_mb": peakMemory(),
                "loss": result.losses, "parameters": result.parameters,
            ])
        } else {
            write(
                String(
                    format: "%.0f \(result.unit)/s | %.1f GFLOP/s | %.0f MB | loss %.3f to %.3f\n", result.rate,
                    result.gigaflops, peakMemory(), result.losses.first ?? 0, result.losses.last ?? 0))
        }
    }
}

/// The most memory the process has held, in MB.
func peakMemory() -> Double {
    var usage = rusage()
    #if os(Linux)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1024
    #else
        getrusage(RUSAGE_SELF, &usage)
        return Double(usage.ru_maxrss) / 1_048_576
    #endif
}

/// `qalam bench tokenizer`: encoding speed on one thread.
struct BenchTokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Time the tokenizer.", subcommands: [BenchEncode.self, BenchIDs.self])
}

/// `qalam bench tokenizer encode`.
struct BenchEncode: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "encode", abstract: "Time encoding on one thread.")

    @Option(help: "A folder with tokenizer.json.")
    var tokenizer: String

    @Option(help: "A file of text.")
    var text: String

    @Option(help: "Repeats; the median counts.")
    var repeats = 5

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let tokenizer = try Tokenizer(contentsOf: URL(filePath: tokenizer))
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: text)))
        var tokens = 0
        let seconds = median(of: repeats) { tokens = tokenizer.encode(bytes: bytes, allowSpecial: false).count }
        let speed = Double(bytes.count) / seconds / 1e6
        if json {
            try printJSON(["mb_s": speed, "tokens": tokens, "bytes": bytes.count])
        } else {
            write(String(format: "%.1f MB/s | %d tokens\n", speed, tokens))
        }
    }
}

/// `qalam bench generate`: first token and tokens a second after a warm start.
struct BenchGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "generate", abstract: "Time generation.")

    @OptionGroup var model: ModelOptions

    @Option(help: "Tokens of the prompt.")
    var promptTokens = 32

    @Option(help: "Tokens to generate.")
    var tokens = 128

    @Option(help: "Repeats; the median counts.")
    var repeats = 9

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try model.apply()
        let decoder = try ModelFolder.decoder(at: model.url())
        let vocabulary = Int32(decoder.config.vocabularySize)
        let prompt = (0..<Int32(promptTokens)).map { ($0 * 37 + 11) % vocabulary }
        var options = SamplingOptions()
        options.temperature = 0
        func seconds(_ count: Int) -> Double {
            let request = GenerationRequest(prompt: prompt, sampling: options, maxTokens: count, stopTokens: [])
            return median(of: repeats) { _ = generate(decoder, request) }
        }
        let first = seconds(1)
        let all = seconds(tokens)
        let rate = Double(tokens - 1) / (all - first)
        if json {
            try printJSON(["first_token_ms": first * 1000, "tokens_s": rate, "prompt_tokens": promptTokens])
        } else {
            write(String(format: "first token %.2f ms | %.0f tokens/s\n", first * 1000, rate))
        }
    }
}

/// `qalam bench logits`: for comparing with other implementations.
struct BenchLogits: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "logits", abstract: "Print the logits of given ids.")

    @OptionGroup var model: ModelOptions

    @Option(help: "Ids, joined by commas.")
    var ids: String

    @Flag(help: "Print one JSON object; it is always JSON.")
    var json = false

    func run() throws {
        try model.apply()
        let decoder = try ModelFolder.decoder(at: model.url())
        let parsed = ids.split(separator: ",").map { Int32($0) }
        let known = parsed.compactMap(\.self)
        guard !known.isEmpty, known.count == parsed.count, known.count <= decoder.config.contextLength,
            known.allSatisfy({ (0..<Int32(decoder.config.vocabularySize)).contains($0) })
        else {
            throw ValidationError(
                "--ids needs numbers from 0 to \(decoder.config.vocabularySize - 1), joined by commas.")
        }
        var context = CausalContext(batch: 1, length: known.count)
        let logits = decoder.logits(decoder.hidden(known, &context)).values
        let width = decoder.config.vocabularySize
        try printJSON([
            "logits": stride(from: 0, to: logits.count, by: width).map { logits[$0..<$0 + width].map { Double($0) } }
        ])
    }
}

/// The median time of `count` runs after one that is not counted.
private func median(of count: Int, _ body: () -> Void) -> Double {
    body()
    let times = (0..<count).map { _ in ContinuousClock().measure(body) / .seconds(1) }
    return times.sorted()[count / 2]
}
