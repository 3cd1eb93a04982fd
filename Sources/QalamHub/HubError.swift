// SPDX-License-Identifier: Apache-2.0

/// What can go wrong between a name and a model on the disk; each case says what to do.
package enum HubError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is no name of a model.
    case badName(String, why: String)
    /// The hub has no such model, or does not show it without a token.
    case noSuchModel(String, hub: String, hasToken: Bool, suggestions: [String])
    /// The model has no such branch, tag or commit.
    case noSuchRevision(String, revision: String)
    /// The model's licence must be accepted at `page` first.
    case gated(String, page: String, hasToken: Bool)
    /// The hub does not know the token, or it may not read this.
    case badToken(hub: String)
    /// The hub can't be reached, or kept failing.
    case unreachable(host: String, why: String)
    /// The hub answered with a status that is of no use.
    case refused(url: String, status: Int, why: String)
    /// The hub's answer is not what its protocol promises.
    case badAnswer(url: String, why: String)
    /// The hub names a file that would lie outside the model's folder, or that no file system takes.
    case unsafePath(String)
    /// None of the model's files are of a kind that Qalam reads.
    case nothingToPull(String, why: String)
    /// There is no file of this quantization.
    case noSuchQuantization(String, model: String, choices: [String])
    /// Several files fit.
    case ambiguousQuantization(String?, model: String, choices: [String])
    /// A file of a split model is missing.
    case incompleteSplit(String, have: Int, of: Int)
    /// No file fits the patterns.
    case noFileMatches([String], model: String)
    /// The disk can't hold the download.
    case diskFull(path: String, needed: Int, free: Int)
    /// What arrived is not what the hub announced; it has been deleted.
    case badSum(path: String, expected: String, got: String)
    /// The file changes faster than it can be fetched.
    case keepsChanging(path: String)
    /// The folder is there, and holds something else than what was pulled of this model.
    case foreignFolder(path: String)
    /// Another process is pulling or removing the same model.
    case busy(path: String)
    /// There is no such model on this machine.
    case notHere(String, folder: String, suggestions: [String])
    /// The path leads to nothing that is a model.
    case notAModel(path: String, why: String)
    /// Several models have this name.
    case ambiguousName(String, choices: [String])
    /// The path leads out of the folder of models.
    case outside(path: String, folder: String)

    /// One sentence that says what to do.
    package var description: String {
        switch self {
        case .badName(let text, let why):
            "\"\(text)\" is no name of a model: \(why); write owner/name or owner/name:Q4_K_M."
        case .noSuchModel(let name, let hub, let hasToken, let suggestions):
            "\(name): \(hub) has no such model\(hasToken ? "" : ", or shows it only to a token (set HF_TOKEN)")"
                + didYouMean(suggestions)
        case .noSuchRevision(let name, let revision):
            "\(name): there is no branch, tag or commit \(revision); leave --revision out for the latest."
        case .gated(let name, let page, let hasToken):
            "\(name): the licence must be accepted first: do so at \(page)"
                + (hasToken ? " with the account that the token belongs to." : ", then set HF_TOKEN.")
        case .badToken(let hub):
            "\(hub): the token is not valid or may not read this model; check HF_TOKEN or --token."
        case .unreachable(let host, let why):
            "\(host): can't be reached (\(why)); check the network and try again: what has arrived is kept."
        case .refused(let url, let status, let why):
            "\(url): the answer was status \(status)\(why.isEmpty ? "" : " (\(why))"); try again later."
        case .badAnswer(let url, let why):
            "\(url): \(why); check that HF_ENDPOINT is a hub of models, and try again."
        default: localDescription
        }
    }

    /// The sentences about files and choices.
    private var localDescription: String {
        switch self {
        case .unsafePath(let path):
            "The hub names a file \"\(path.prefix(200))\", which can't be put into a folder; do not trust this model."
        case .nothingToPull(let name, let why):
            "\(name): \(why); name what you want with --file."
        case .noSuchQuantization(let asked, let model, let choices):
            "\(model): there is no \(asked); choose from: \(choices.joined(separator: ", "))."
        case .ambiguousQuantization(let asked, let model, let choices):
            "\(model): \(asked.map { "\($0) fits several files" } ?? "there are several files to choose from"); "
                + "name one with --file: \(choices.joined(separator: ", "))."
        case .incompleteSplit(let path, let have, let count):
            "\(path): only \(have) of its \(count) parts are there; choose another quantization."
        case .noFileMatches(let patterns, let model):
            "\(model): no file fits \(patterns.joined(separator: ", ")); look at the list of files on its page."
        case .diskFull(let path, let needed, let free):
            "\(path): disk full: need \(byteText(needed)), and \(byteText(free)) are free; make room and try again."
        case .badSum(let path, let expected, let got):
            "\(path): what arrived has the sum \(got) and not \(expected); it has been deleted, so try again."
        case .keepsChanging(let path):
            "\(path): the file on the hub does not stay as announced; try again later."
        case .foreignFolder(let path):
            "\(path): the folder is there and holds something else than this model; choose another with --output."
        case .busy(let path):
            "\(path): another process is pulling this model; wait for it or stop it."
        case .notHere(let name, let folder, let suggestions):
            "\(name): there is no such file or folder, and no such model in \(folder)\(didYouMean(suggestions))"
                + (ModelName.isWhole(name) ? " Get it with `qalam pull \(name)`." : "")
        case .notAModel(let path, let why):
            "\(path): \(why)"
        case .ambiguousName(let name, let choices):
            "\(name) can be \(choices.joined(separator: " or ")); write the whole name."
        case .outside(let path, let folder):
            "\(path): not inside \(folder), so it stays; remove it yourself if you want to."
        default: "The model can't be had."
        }
    }
}

/// "; did you mean a or b?", or a full stop.
private func didYouMean(_ suggestions: [String]) -> String {
    suggestions.isEmpty ? "." : "; did you mean \(suggestions.joined(separator: " or "))?"
}

/// "4.9 GB", "12.0 MB", "812 bytes".
package func byteText(_ count: Int) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")]
    guard let (size, name) = units.first(where: { Double(count) >= $0.0 }) else { return "\(count) bytes" }
    let tenths = Int((Double(count) / size * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(name)"
}
