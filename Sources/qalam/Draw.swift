// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamFormats
internal import QalamHub
internal import QalamImages

/// `qalam draw`: pictures from words.
struct Draw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw pictures from words.",
        discussion: """
            qalam draw "a smiling orange cat"
            qalam draw "قلب أزرق" -n 4 --output hearts.png
            qalam draw "heart with a crown" --from heart.png --mask top.png
            qalam draw "" --from cat.png --strength 0.6        variations of a picture

            With -n, pictures are numbered: hearts-1.png, hearts-2.png, …, each with the seed that draws it alone.
            """)

    @Option(name: .shortAndLong, help: "A folder that `qalam train image` wrote.")
    var model = "models/qalam-draw-mini"

    @Option(name: .shortAndLong, help: "The file to write: .png, .webp or .jpg.")
    var output = "drawing.png"

    @Option(name: .short, help: "How many pictures.")
    var n = 1

    @Option(help: "The side in pixels; by default that of the model's pictures.")
    var size: Int?

    @OptionGroup var drawing: DrawingFlags

    @Option(help: "A picture to start from.")
    var from: String?

    @Option(help: "With --from: a picture whose transparent parts are drawn anew; the rest stays.")
    var mask: String?

    @Option(help: "With --from: how far to go from it, from 0 to 1 (1 with a mask, else 0.6).")
    var strength: Double?

    @Flag(help: "Put the picture before white instead of a transparent ground.")
    var opaque = false

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Flag(help: "Print what was drawn as JSON lines.")
    var json = false

    @Argument(help: "What to draw, in English or Arabic.")
    var prompt: String

    func validate() throws {
        try checkThreads(threads)
        if from == nil, mask != nil || strength != nil {
            throw ValidationError("--mask and --strength need a picture to start from: --from.")
        }
        if let size, !(8...4096).contains(size) { throw ValidationError("--size must be from 8 to 4096.") }
        guard encoding(text: [:]) != nil else {
            throw ValidationError("\(output): the name must end in .png, .webp, .jpg or .jpeg.")
        }
    }

    func run() async throws {
        try setThreads(threads)
        let opened = try await drawing.open(model)
        var request = drawing.request(prompt, seed: drawing.seed ?? UInt64.random(in: 0...UInt64(UInt32.max)))
        request.count = n
        request.source = try source()
        for try await event in try await opened.draw(request) {
            guard case .finished(let number, let picture, let seed) = event else { continue }
            let url = url(number)
            let sized = size.map { picture.resized(width: $0, height: $0) } ?? picture
            let text = pictureText(model: opened.id, prompt: prompt, seed: seed)
            guard let encoding = encoding(text: text) else { return }
            try writeAtomically(try (opaque ? sized.composed() : sized).encoded(as: encoding), to: url)
            if json {
                try printJSON(["file": url.relativePath, "seed": seed, "width": sized.width, "height": sized.height])
            } else {
                write("\(url.relativePath)  seed \(seed)\n")
            }
        }
    }

    private func source() throws -> DrawSource? {
        guard let from else { return nil }
        let mask = try mask.map(readPicture)
        return DrawSource(try readPicture(from), mask: mask, strength: strength ?? (mask == nil ? 0.6 : 1))
    }

    private func readPicture(_ path: String) throws -> Picture {
        let bytes = try MappedFile(URL(filePath: path)).withBytes { span in span.withUnsafeBytes { Array($0) } }
        do {
            return try Picture(decoding: bytes)
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }

    private func url(_ number: Int) -> URL {
        let url = URL(filePath: output)
        guard n > 1 else { return url }
        let name = "\(url.deletingPathExtension().lastPathComponent)-\(number + 1).\(url.pathExtension)"
        return url.deletingLastPathComponent().appending(path: name)
    }

    private func encoding(text: [String: String]) -> PictureEncoding? {
        switch URL(filePath: output).pathExtension.lowercased() {
        case "png": .png(text: text)
        case "webp": .webp()
        case "jpg", "jpeg": .jpeg()
        default: nil
        }
    }
}
