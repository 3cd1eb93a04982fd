// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamImages

/// `qalam data images`: captioned pictures to memory-mapped pixels.
struct DataImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        abstract: "Turn captioned pictures into pixels for training.",
        discussion: """
            Pictures are PNG, JPEG, WebP and SVG, in folders and in .tar (also .tar.gz, .tar.xz, .tar.zst). Captions \
            are lines of captions*.jsonl in the folder, {"file": "cat.png", "caption": "a cat"}, with "en", "ar", \
            "keywords", "en_keywords", "ar_keywords", "style" where there are such; or a JSON object beside the \
            picture with "tags"; or the file's name. A .jsonl file alone names its pictures.
            The split is by concept: all styles, tones, colours and look-alikes of one thing are on one side.
            """)

    @Option(name: .shortAndLong, help: "The folder to write.")
    var output: String

    @Option(help: "Side of the pictures in pixels.")
    var size = 64

    @Option(help: "The share of concepts held out for evaluation.")
    var heldout = 0.05

    @Option(help: "Which concepts are held out, and which colours are given, follows from it.")
    var seed: UInt64 = 1

    @Option(help: "So many further variants of each colourful picture, in other named colours.")
    var recolor = 0

    @Flag(help: "Leave out emoji with a skin tone.")
    var skipSkinTones = false

    @Flag(help: "Enlarge small pictures by whole factors, their pixels square: for pixel art.")
    var keepPixels = false

    @Argument(help: "Folders, archives, caption files or pictures.")
    var inputs: [String]

    func validate() throws {
        guard (0..<1).contains(heldout) else { throw ValidationError("--heldout must be from 0 to below 1.") }
        guard (1...4096).contains(size) else { throw ValidationError("--size must be from 1 to 4096.") }
        guard (0...11).contains(recolor) else { throw ValidationError("--recolor must be from 0 to 11.") }
    }

    func run() throws {
        var options = PicturePackOptions()
        options.size = size
        options.heldout = heldout
        options.recolor = recolor
        options.skipsSkinTones = skipSkinTones
        options.keepsPixels = keepPixels
        var progress = ProgressLine("pictures")
        let result = try packPictures(
            inputs.map { URL(filePath: $0) }, to: URL(filePath: output), options, seed: seed
        ) { done, total in progress.show(done: done, total: total) }
        progress.finish(nil)
        tell(result)
    }

    private func tell(_ result: PicturePackResult) {
        for fault in result.faults.prefix(20) { standardError("left out \(fault.path): \(fault.why)") }
        if result.faults.count > 20 { standardError("and \(result.faults.count - 20) more that can't be read") }
        if result.withoutCaption > 0 { standardError("\(result.withoutCaption) without a caption were left out") }
        if result.withSkinTone > 0 { standardError("\(result.withSkinTone) with a skin tone were left out") }
        write(
            "\(output): \(result.manifest.train) pictures to train on, \(result.manifest.heldout) held out, of "
                + "\(result.concepts) concepts\n")
    }
}
