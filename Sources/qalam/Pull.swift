// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub
internal import Synchronization

/// `qalam pull`: gets a model from a hub.
struct Pull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Get a model from Hugging Face, or a hub like it.",
        discussion: """
            Of a GGUF model one quantization is fetched: the one after the colon, else Q4_K_M, Q8_0 or the smallest. \
            Of others, the safetensors with what belongs to them.
            Models go to QALAM_MODELS, or ~/.qalam/models. A pull that was cut off goes on where it stopped.
            HF_TOKEN is the token for models that need one; HF_ENDPOINT another hub.
            """)

    @Argument(help: "owner/name, or owner/name:Q4_K_M.")
    var name: String

    @Option(help: "A branch, tag or commit.")
    var revision = "main"

    @Option(help: "Files to fetch instead of what the model needs, as in '*.json'; may be given several times.")
    var file: [String] = []

    @Option(name: .shortAndLong, help: "A folder for the files, instead of one in the folder of models.")
    var output: String?

    @Option(help: "The token for the hub; HF_TOKEN by default.")
    var token: String?

    @Option(help: "Connections at once.")
    var parts = 4

    @Flag(help: "Print one JSON object an event.")
    var json = false

    func validate() throws {
        guard (1...64).contains(parts) else { throw ValidationError("--parts must be from 1 to 64, not \(parts).") }
        guard file.isEmpty || !name.contains(":") else {
            throw ValidationError("Give a quantization or --file, not both.")
        }
    }

    func run() async throws {
        let name = try ModelName(name)
        var configuration = try HubConfiguration(token: token, environment: ProcessInfo.processInfo.environment)
        configuration.parts = parts
        let folder = output.map { URL(filePath: $0).standardizedFileURL } ?? ModelStore().folder(of: name)
        var request = PullRequest(name, patterns: file, folder: folder)
        request.revision = revision
        let log = PullLog(name: name.description, model: output ?? name.description, json: json)
        _ = try await Hub(configuration).pull(request) { log.show($0) }
    }
}

/// Shows the events of a pull: a line of progress, or JSON.
private final class PullLog: Sendable {
    private let name: String
    private let model: String
    private let json: Bool
    private let progress: Mutex<ProgressLine>

    /// A log of the pull of `name`, after which commands find the model as `model`.
    init(name: String, model: String, json: Bool) {
        self.name = name
        self.model = model
        self.json = json
        progress = Mutex(ProgressLine(name))
    }

    func show(_ event: PullEvent) {
        // What a log can't show must not end the pull.
        if json { try? printJSON(event.json) } else { render(event) }
    }

    private func render(_ event: PullEvent) {
        switch event {
        case .waiting: standardError("\(name): another pull of it is running; waiting for it")
        case .chosen(let files, let present, let commit):
            let size = files.reduce(0) { $0 + $1.size }
            let here = present > 0 ? ", \(byteText(present)) here already" : ""
            write("\(name) at \(commit.prefix(12)): \(files.count) files, \(byteText(size))\(here)\n")
            for file in files { write("  \(byteText(file.size))  \(file.path)\n") }
        case .progress(let done, let total): progress.withLock { $0.showBytes(done: done, total: total) }
        case .retrying(let path, let why, let pause):
            let seconds = pause / .seconds(1)
            progress.withLock { $0.show("\(path): \(why); again in \(duration(seconds))") }
        case .startedOver(let path): standardError("\(path): the file has changed on the hub; from the start")
        case .verified: break
        case .finished(let folder, let fetched):
            progress.withLock { $0.finish(fetched > 0 ? "\(byteText(fetched)) fetched and checked" : nil) }
            write("\(folder.path)\nTalk to it: qalam chat --model \(model)\n")
        }
    }
}

extension PullEvent {
    /// The event as one JSON object.
    fileprivate var json: [String: Any] {
        switch self {
        case .waiting: ["event": "waiting"]
        case .chosen(let files, let present, let commit):
            [
                "event": "chosen", "commit": commit, "present": present,
                "files": files.map { ["path": $0.path, "size": $0.size] as [String: Any] },
            ]
        case .progress(let done, let total): ["event": "progress", "done": done, "total": total]
        case .retrying(let path, let why, let pause):
            ["event": "retrying", "path": path, "why": why, "seconds": pause / .seconds(1)]
        case .startedOver(let path): ["event": "started_over", "path": path]
        case .verified(let path): ["event": "verified", "path": path]
        case .finished(let folder, let fetched): ["event": "finished", "folder": folder.path, "fetched": fetched]
        }
    }
}
