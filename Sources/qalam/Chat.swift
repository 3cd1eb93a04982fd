// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine

/// `qalam chat`: a conversation in the terminal.
struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Talk to a model in the terminal.")

    @OptionGroup var model: ModelOptions
    @OptionGroup var sampling: SamplingFlags
    @OptionGroup var output: OutputFlags
    @OptionGroup var adapters: AdapterFlags
    @OptionGroup var products: ActivationFlag

    @Option(help: "What the model is told before the conversation.")
    var system: String?

    private static let help = """
        /help             this list
        /clear            forget the conversation
        /system TEXT      tell the model something before the conversation, and forget what was said
        /retry            answer the last message again
        /save FILE        write the conversation as JSON
        /quit             leave (so does end of input)
        """

    func run() async throws {
        try model.apply()
        let loaded = try await LoadedModel.open(
            model.url(), adapters: adapters.urls, configuration: products.configuration)
        var messages = opening(system)
        let isTerminal = isatty(STDIN_FILENO) == 1
        if isTerminal { write("\(loaded.id) · /help for commands, /quit to leave\n") }
        while true {
            if isTerminal { write("\n› ") }
            guard let line = readLine() else { break }
            let text = line.trimmingCharacters(in: .whitespaces)
            if text.isEmpty { continue }
            if text.hasPrefix("/") {
                guard try handle(text, &messages) else { break }
                guard text == "/retry" else { continue }
            } else {
                messages.append(ChatMessage(role: "user", content: text))
            }
            await answer(loaded, &messages)
        }
        if isTerminal { write("\n") }
    }

    private func opening(_ system: String?) -> [ChatMessage] {
        system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    }

    /// Carries out a command; false to leave.
    private func handle(_ command: String, _ messages: inout [ChatMessage]) throws -> Bool {
        let parts = command.split(separator: " ", maxSplits: 1).map(String.init)
        switch (parts[0], parts.count > 1 ? parts[1] : nil) {
        case ("/quit", nil), ("/exit", nil): return false
        case ("/help", nil): write(Self.help + "\n")
        case ("/clear", nil): messages.removeAll { $0.role != "system" }
        case ("/system", let text): messages = opening(text)
        case ("/retry", nil):
            if messages.last?.role == "assistant" { messages.removeLast() }
        case ("/save", let file?):
            let list = messages.map { ["role": $0.role, "content": $0.content] }
            let data = try JSONSerialization.data(withJSONObject: ["messages": list], options: [.sortedKeys])
            do {
                try (data + Data("\n".utf8)).write(to: URL(filePath: file))
                write("saved \(file)\n")
            } catch {
                write("\(file) can't be written: \(error.localizedDescription)\n")
            }
        default: write("There is no command \(command); /help lists them.\n")
        }
        return true
    }

    /// Streams the answer to the conversation and adds it; an error is shown and the message taken back.
    private func answer(_ loaded: LoadedModel, _ messages: inout [ChatMessage]) async {
        guard messages.last?.role == "user" else { return }
        var text = ""
        do {
            var options = sampling.chatOptions
            try output.apply(to: &options)
            options.adapter = adapters.urls.keys.sorted().first
            for try await event in try await loaded.chat(messages, options) {
                guard case .text(let piece, let tokens) = event else { continue }
                text += piece
                write(piece)
                standardError(tokenLines(tokens), terminator: "")
            }
            messages.append(ChatMessage(role: "assistant", content: text))
        } catch {
            messages.removeLast()
            write("\(error)")
        }
        write("\n")
    }
}
