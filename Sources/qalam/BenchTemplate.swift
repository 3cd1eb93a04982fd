// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamTokenizers

/// `qalam bench template`: renders chat templates, for `Benchmarks/templates_check.py`.
struct BenchTemplate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template", abstract: "Render chat templates given on standard input.",
        discussion: """
            Each line is {"template": text, "variables": JSON as text}; the answer is {"text": text} or {"error": text}.
            """)

    private struct Request: Decodable {
        let template: String
        let variables: String
    }

    func run() throws {
        while let line = readLine() {
            let request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
            do {
                try printJSON(["text": try rendered(request)])
            } catch {
                try printJSON(["error": "\(error)"])
            }
        }
    }

    private func rendered(_ request: Request) throws -> String {
        guard case .object(let members) = try TemplateValue(json: [UInt8](request.variables.utf8)) else {
            throw ValidationError("variables must be a JSON object.")
        }
        return try ChatTemplate(request.template).render(
            Dictionary(members.map { ($0.key, $0.value) }) { _, last in last })
    }
}
