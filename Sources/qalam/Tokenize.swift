// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamModels
internal import QalamTokenizers

/// `qalam tokenize`: a text as the model reads it.
struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the tokens of a text, or the text of tokens.",
        discussion: "Prints an id and its text a line, or with --decode the text.")

    @OptionGroup var model: ModelOptions

    @Flag(help: "Add what the model expects at the start and the end.")
    var special = false

    @Flag(help: "Print how many there are, nothing else.")
    var count = false

    @Flag(help: "The argument is ids with spaces between.")
    var decode = false

    @Argument(help: "The text; read from standard input if absent.")
    var text: String?

    func run() throws {
        let url = try model.url()
        let tokenizer =
            try ModelFacts(url).kind == .encoder ? Encoder.tokenizer(at: url) : ModelFolder(url).tokenizer
        let text = text ?? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        if decode {
            let ids = try text.split(whereSeparator: \.isWhitespace).map { word in
                guard let id = TokenID(word) else { throw ValidationError("\(word) is no token id.") }
                return id
            }
            return write(tokenizer.decode(ids) + "\n")
        }
        let ids = tokenizer.encode(text, addSpecial: special)
        if count { return write("\(ids.count)\n") }
        for id in ids {
            let bytes = tokenizer.bytes(of: id) ?? []
            write("\(id)\t\(String(decoding: bytes, as: UTF8.self).debugDescription)\n")
        }
    }
}
