// SPDX-License-Identifier: Apache-2.0
import QalamEngine

/// Talks to a model in the terminal: `swift run -c release Chat ../../models/qalam-mini`.
@main
enum Chat {
    static func main() async throws {
        let path = CommandLine.arguments.dropFirst().first ?? "../../models/qalam-mini"
        let model = try await Qalam.load(path)
        var messages: [ChatMessage] = []
        while let line = readLine() {
            messages.append(.user(line))
            var answer = ""
            for try await piece in model.chat(messages) {
                print(piece, terminator: "")
                answer += piece
            }
            print()
            messages.append(.assistant(answer))
        }
    }
}
