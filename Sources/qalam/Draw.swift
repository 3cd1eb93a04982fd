// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamHub
internal import QalamImages

/// `qalam draw`: words to pictures.
struct Draw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw pictures of words.", discussion: "Writes PNG files and prints their names.")

    @Option(name: .shortAndLong, help: "A model that draws: a folder, or a name.")
    var model = "models/qalam-draw-mini"

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(name: [.customShort("n"), .long], help: "How many pictures.")
    var count = 1

    @Option(help: "Pixels of a side; the model's own by default.")
    var size: Int?

    @Option(help: "The same seed draws the same pictures; random by default.")
    var seed: UInt64?

    @Option(help: "Steps to take; as the model likes by default.")
    var steps: Int?

    @Option(help: "How closely to follow the words; as the model likes by default.")
    var guidance: Float?

    @Option(name: .shortAndLong, help: "The file to write; the numbers of further ones go before its ending.")
    var output = "drawing.png"

    @Argument(help: "What to draw.")
    var prompt: [String]

    func validate() throws {
        try checkThreads(threads)
        guard (1...64).contains(count) else { throw ValidationError("-n must be from 1 to 64, not \(count).") }
        guard size.map({ (1...4096).contains($0) }) ?? true else {
            throw ValidationError("--size must be from 1 to 4096.")
        }
        guard steps.map({ $0 > 0 }) ?? true else { throw ValidationError("--steps must be above 0.") }
    }

    func run() async throws {
        try setThreads(threads)
        let folder = try ModelStore().resolve(model)
        let opened = try await OpenedImageModel.open(folder)
        var request = DrawRequest(
            prompt: prompt.joined(separator: " "), count: count, seed: seed ?? UInt64(UInt32.random(in: .min ... .max)))
        request.steps = steps
        request.guidance = guidance
        for try await event in try await opened.draw(request) {
            guard case .finished(let number, let picture, let seed) = event else { continue }
            let sized = size.map { picture.resized(width: $0, height: $0) } ?? picture
            let text = ["Software": "Qalam", "Model": opened.id, "Seed": String(seed)]
            let url = file(number)
            try Data(try sized.encoded(as: .png(text: text))).write(to: url, options: .atomic)
            write("\(url.relativePath) (seed \(seed))\n")
        }
    }

    /// The file of picture number `number`.
    private func file(_ number: Int) -> URL {
        let url = URL(filePath: output)
        guard number > 0 else { return url }
        let ending = url.pathExtension.isEmpty ? "png" : url.pathExtension
        let name = "\(url.deletingPathExtension().lastPathComponent)-\(number + 1).\(ending)"
        return url.deletingLastPathComponent().appending(path: name)
    }
}
