// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import QalamEngine

/// How text is generated, as flags.
struct SamplingFlags: ParsableArguments {
    @Option(help: "0 always takes the likeliest token; higher is freer.")
    var temperature: Float = 0.7

    @Option(help: "Draw among the k likeliest tokens; 0 for all.")
    var topK = 0

    @Option(help: "Draw among the likeliest tokens that make up this probability.")
    var topP: Float = 0.95

    @Option(help: "Leave out tokens less likely than this share of the likeliest.")
    var minP: Float = 0

    @Option(help: "Above 1 avoids what was said before.")
    var repetitionPenalty: Float = 1

    @Option(help: "Lowers a token for each time it was generated.")
    var frequencyPenalty: Float = 0

    @Option(help: "Lowers a token once it was generated at all.")
    var presencePenalty: Float = 0

    @Option(help: "The same seed gives the same text.")
    var seed: UInt64?

    @Option(help: "The most tokens to write.")
    var maxTokens: Int?

    @Option(help: "Text that ends the answer; may be given several times.")
    var stop: [String] = []

    func validate() throws {
        if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens).") }
    }

    /// The options for the engine.
    var chatOptions: ChatOptions {
        var options = ChatOptions()
        options.sampling.temperature = temperature
        options.sampling.topK = topK
        options.sampling.topP = topP
        options.sampling.minP = minP
        options.sampling.repetitionPenalty = repetitionPenalty
        options.sampling.frequencyPenalty = frequencyPenalty
        options.sampling.presencePenalty = presencePenalty
        options.sampling.seed = seed
        options.maxTokens = maxTokens
        options.stop = stop
        return options
    }
}
