// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamModels
internal import QalamTensors

/// `qalam bench engine`: prefill, decoding alone and in batches, with what the machine could do beside it.
struct BenchEngine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine", abstract: "Time the engine on random token ids: prefill, decode, batches.",
        discussion: "Each figure is the median of --repeats. GB/s counts the bytes of the weights once a token; the "
            + "share is of the memory's read speed, measured in the same run.")

    @OptionGroup var model: ModelOptions

    @Option(help: "Tokens of the prompt for prefill.")
    var prompt = 512

    @Option(help: "Tokens to decode.")
    var tokens = 64

    @Option(help: "How many sequences to decode together, joined by commas.")
    var batch = "1,16"

    @Option(help: "Repeats; the median counts.")
    var repeats = 3

    @Option(help: "How keys and values are kept: float32, float16 or int8.")
    var cache = CachePrecision.float16.rawValue

    @OptionGroup var products: ActivationFlag

    @Option(
        help: """
            An instruction set other than the best: generic, avx2, avx512, avx512vnni, avx512bf16, neon, neondot or \
            neoni8mm.
            """)
    var instructionSet: String?

    @Flag(help: "Also decode an answer held to a JSON Schema, with masks met for the first time and again.")
    var constrained = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard prompt > 0, tokens > 1, repeats > 0 else {
            throw ValidationError("--prompt and --repeats must be above 0, --tokens above 1.")
        }
        guard CachePrecision(rawValue: cache) != nil else {
            throw ValidationError("--cache must be float32, float16 or int8, not \(cache).")
        }
        guard !sizes.isEmpty, sizes.allSatisfy({ (1...256).contains($0) }) else {
            throw ValidationError("--batch needs numbers from 1 to 256, joined by commas.")
        }
    }

    private var sizes: [Int] { batch.split(separator: ",").map { Int($0) ?? 0 } }

    func run() throws {
        try model.apply()
        if let instructionSet, !Device.cpu.useInstructionSet(instructionSet) {
            throw ValidationError("--instruction-set \(instructionSet): this processor has no such kernels.")
        }
        let start = ContinuousClock.now
        let decoder = try ModelFolder.decoder(
            at: URL(filePath: model.model), activations: products.activations)
        let opening = (ContinuousClock.now - start) / .seconds(1)
        var trial = try EngineTrial(
            decoder: decoder, precision: CachePrecision(rawValue: cache) ?? .float16, most: sizes.max() ?? 1)
        guard prompt + tokens < decoder.config.contextLength else {
            throw ValidationError("--prompt and --tokens must fit the context of \(decoder.config.contextLength).")
        }
        var figures: [String: Any] = [
            "open_ms": opening * 1000, "prompt": prompt, "cache": cache, "activations": products.activations.rawValue,
        ]
        figures["prefill_tok_s"] = Double(prompt) / middle { trial.prefill(prompt) }
        figures["first_token_ms"] = middle { trial.prefill(16) } * 1000
        for size in sizes {
            figures["decode\(size)_tok_s"] = Double(size) / middle { trial.decode(size, tokens: tokens) }
        }
        if constrained { try measureConstrained(&trial, into: &figures) }
        figures["peak_rss_mb"] = peakMemory()
        figures["read_gb_s"] = Device.cpu.readBandwidth() / 1e9
        figures["weights_mb"] = Double(try weightBytes()) / 1e6
        figures["instruction_set"] = Device.cpu.instructionSet
        try show(figures)
    }

    /// The same prompt and sampler, free and held to a schema.
    private func measureConstrained(_ trial: inout EngineTrial, into figures: inout [String: Any]) throws {
        let vocabulary = trial.madeUpVocabulary
        func rate(_ grammar: () throws -> Grammar?) throws -> Double {
            1 / (try middle { try trial.decode(1, tokens: tokens, grammar().map { GrammarMatcher($0, vocabulary) }) })
        }
        let kept = try EngineTrial.grammar()
        figures["free_tok_s"] = try rate { nil }
        figures["schema_tok_s"] = try rate { kept }
        figures["schema_first_tok_s"] = try rate { try EngineTrial.grammar() }
    }

    /// The median, after two runs that aren't counted: the second one puts the weights of a file in order.
    private func middle(_ body: () throws -> Double) rethrows -> Double {
        for _ in 0..<2 { _ = try body() }
        return try (0..<repeats).map { _ in try body() }.sorted()[repeats / 2]
    }

    /// The bytes of the model's weight files: what decoding reads for each token.
    private func weightBytes() throws -> Int {
        let url = URL(filePath: model.model)
        let files =
            url.pathExtension == "gguf"
            ? [url]
            : try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "safetensors" }
        return try files.reduce(0) { try $0 + ($1.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0) }
    }

    private func show(_ figures: [String: Any]) throws {
        guard !json else { return try printJSON(figures) }
        func number(_ key: String) -> Double { figures[key] as? Double ?? 0 }
        if constrained {
            write(
                String(
                    format: "decode alone: free %.1f tokens/s | held to a schema %.1f | for the first time %.1f\n",
                    number("free_tok_s"), number("schema_tok_s"), number("schema_first_tok_s")))
        }
        write(
            String(
                format: "open %.0f ms | prefill %d: %.1f tokens/s | first token of 16: %.1f ms | peak %.0f MB\n",
                number("open_ms"), prompt, number("prefill_tok_s"), number("first_token_ms"), number("peak_rss_mb")))
        for size in sizes {
            let rate = number("decode\(size)_tok_s")
            let bandwidth = rate / Double(size) * number("weights_mb") / 1000
            write(
                String(
                    format: "decode %2d together: %.1f tokens/s | %.1f GB/s, %.0f%% of %.1f\n", size, rate, bandwidth,
                    100 * bandwidth / number("read_gb_s"), number("read_gb_s")))
        }
    }
}
