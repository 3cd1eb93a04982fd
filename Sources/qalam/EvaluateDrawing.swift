// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamImages
internal import QalamModels
internal import QalamTraining

/// `qalam evaluate drawing`: whether drawings show what their captions say, and how much is memory.
struct EvaluateDrawing: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drawing",
        abstract: "Judge drawings of held-out captions, and show the training pictures nearest to them.",
        discussion: """
            Each of up to a hundred held-out captions is drawn once; a score model ranks all captions for each \
            drawing. With --output, drawings.png shows each drawing, the training picture nearest to it in pixels, and \
            the one nearest for the score model, one above the other.
            """)

    @Argument(help: "A folder that `qalam train image` wrote.")
    var model: String

    @Option(help: "A score model: a folder that `qalam train image-score` wrote.")
    var score: String

    @Option(help: "A folder that `qalam data images` wrote.")
    var data: String

    @Option(name: .shortAndLong, help: "A folder for the sheet.")
    var output: String?

    @OptionGroup var drawing: DrawingFlags

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Flag(help: "Print the figures as JSON.")
    var json = false

    func validate() throws { try checkThreads(threads) }

    func run() async throws {
        try setThreads(threads)
        let pictures = try PictureData(URL(filePath: data))
        guard pictures.heldout.count > 1 else { throw ValidationError("\(data) holds no held-out pictures.") }
        var progress = ProgressLine("drawing")
        let result = try await DrawingEvaluation(
            drawing.open(model), drawing.request("", seed: drawing.seed ?? 1),
            judgedBy: ScoreFolder.open(URL(filePath: score)), pictures
        ) { progress.show(done: $0, total: $1) }
        progress.finish(nil)
        if let output { try writeSheet(result, to: URL(filePath: output)) }
        if json { return try printJSON(result.measures.merging(["captions": Double(result.captions.count)]) { $1 }) }
        for (name, value) in result.measures.sorted(by: { $0.key < $1.key }) {
            write("\(name.replacing("_", with: " ")) of \(result.captions.count): \(String(format: "%.3f", value))\n")
        }
    }

    private func writeSheet(_ result: DrawingEvaluation, to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var cells: [Picture] = []
        for start in stride(from: 0, to: result.drawings.count, by: 20) {
            let row = start..<min(start + 20, result.drawings.count)
            for pictures in [result.drawings, result.nearestByPixels, result.nearestByFeatures] {
                cells += pictures[row].map { $0.composed() }
                cells += (row.count..<20).map { _ in Picture(width: 1, height: 1) }
            }
        }
        let sheet = ContactSheet(cells, columns: 20).picture
        try writeAtomically(try sheet.encoded(as: .png()), to: folder.appending(path: "drawings.png"))
        try writeAtomically(
            Array((result.captions.joined(separator: "\n") + "\n").utf8), to: folder.appending(path: "captions.txt"))
    }
}
