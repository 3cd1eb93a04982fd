// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine

/// `qalam generate`: continues a text.
struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Continue a text.")

    @OptionGroup var model: ModelOptions
    @OptionGroup var sampling: SamplingFlags
    @OptionGroup var output: OutputFlags
    @OptionGroup var adapters: AdapterFlags
    @OptionGroup var products: ActivationFlag

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Argument(help: "The text; read from standard input if absent.")
    var prompt: String?

    func run() async throws {
        try model.apply()
        let loaded = try await LoadedModel.open(
            model.url(), adapters: adapters.urls, configuration: products.configuration)
        let text = prompt ?? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        var (answer, reason, usage) = ("", FinishReason.stop, Usage(promptTokens: 0, completionTokens: 0))
        var options = sampling.chatOptions
        try output.apply(to: &options)
        options.adapter = adapters.urls.keys.sorted().first
        var tokens: [ScoredToken] = []
        let events = try await loaded.complete(.text(text), options)
        if !json { write(text) }
        for try await event in events {
            switch event {
            case .text(let piece, let scored):
                answer += piece
                tokens += scored
                if !json { write(piece) }
            case .finished(let why, let tokens): (reason, usage) = (why, tokens)
            case .reasoning, .toolCallStarted, .toolCallArguments: break
            }
        }
        if json {
            try printJSON([
                "prompt": text, "text": answer, "finish_reason": reason.rawValue, "prompt_tokens": usage.promptTokens,
                "completion_tokens": usage.completionTokens,
            ])
        } else {
            write("\n")
        }
        standardError(tokenLines(tokens), terminator: "")
    }
}

/// Writes text to standard output at once.
func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

/// Prints one line of JSON, keys sorted.
func printJSON(_ object: [String: Any]) throws {
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    write(String(decoding: data, as: UTF8.self) + "\n")
}
