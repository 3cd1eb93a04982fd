// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub
internal import QalamStore

/// The folder of the server's records.
struct DataOptions: ParsableArguments {
    @Option(help: "The folder of the server's records; QALAM_DATA by default, else ~/.qalam/data.")
    var data: String?

    /// Opens the store.
    func store() throws -> Store {
        let path = data ?? ProcessInfo.processInfo.environment["QALAM_DATA"] ?? ServeSettings.defaultFolder
        return try Store(URL(filePath: path))
    }
}

/// `qalam keys`: who may use the server.
struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list and revoke API keys.", subcommands: [Create.self, ListKeys.self, Revoke.self])

    /// `qalam keys create`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key and print it; it can't be shown again.",
            discussion: """
                As soon as there is a key, every request needs one. Running servers know it in ten milliseconds.
                """)

        @OptionGroup var data: DataOptions

        @Argument(help: "What to call the key.")
        var name: String

        @Option(help: "What it may be used for: infer, train, admin; may be given several times (infer).")
        var scope: [String] = []

        @Option(help: "Days until it ends; it does not by default.")
        var days: Int?

        @Option(help: "The most requests a minute.")
        var requestsPerMinute: Int?

        @Option(help: "The most tokens a minute.")
        var tokensPerMinute: Int?

        func validate() throws {
            for scope in scope where KeyScope(rawValue: scope) == nil {
                throw ValidationError("--scope must be infer, train or admin, not \(scope).")
            }
            for (name, value) in [
                ("days", days), ("requests-per-minute", requestsPerMinute), ("tokens-per-minute", tokensPerMinute),
            ] {
                if let value, !(1...1_000_000_000).contains(value) {
                    throw ValidationError("--\(name) must be from 1 to 1000000000, not \(value).")
                }
            }
        }

        func run() async throws {
            let now = Int(Date().timeIntervalSince1970)
            let scopes = Set(scope.compactMap { KeyScope(rawValue: $0) })
            let key = APIKey(
                name: name, scopes: scopes.isEmpty ? [.infer] : scopes, created: now,
                expires: days.map { now + $0 * 86_400 }, requestsPerMinute: requestsPerMinute,
                tokensPerMinute: tokensPerMinute)
            let secret = try await data.store().add(key)
            standardError("\(key.id) is made. Keep the key: it can't be shown again.")
            write(secret + "\n")
        }
    }

    /// `qalam keys list`.
    struct ListKeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List all keys.")

        @OptionGroup var data: DataOptions

        func run() async throws {
            let now = Int(Date().timeIntervalSince1970)
            for key in try await data.store().keys() {
                let state = key.revoked != nil ? "revoked" : key.holds(at: now) ? "valid" : "expired"
                var facts = [key.id, key.prefix + "…", state]
                facts.append(KeyScope.allCases.filter(key.scopes.contains).map(\.rawValue).joined(separator: ","))
                if let end = key.expires { facts.append("until \(day(end))") }
                if let limit = key.requestsPerMinute { facts.append("\(limit) requests/min") }
                if let limit = key.tokensPerMinute { facts.append("\(limit) tokens/min") }
                write((facts + [key.name]).joined(separator: "  ") + "\n")
            }
        }

        private func day(_ time: Int) -> String {
            Date(timeIntervalSince1970: Double(time)).formatted(.iso8601.year().month().day())
        }
    }

    /// `qalam keys revoke`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a key for good, at once.")

        @OptionGroup var data: DataOptions

        @Argument(help: "The key's id, as listed: key_….")
        var id: String

        func run() async throws {
            try await data.store().revoke(id, at: Int(Date().timeIntervalSince1970))
            write("\(id) is revoked.\n")
        }
    }
}

/// `qalam usage`: what was used, by day, key and model.
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Show requests and tokens by day, key and model.")

    @OptionGroup var data: DataOptions

    @Option(help: "How many days to go back.")
    var days = 30

    func validate() throws {
        guard (1...100_000).contains(days) else {
            throw ValidationError("--days must be from 1 to 100000, not \(days).")
        }
    }

    func run() async throws {
        let store = try data.store()
        let start = Date(timeIntervalSinceNow: -Double(days - 1) * 86_400).formatted(.iso8601.year().month().day())
        let names = Dictionary(try await store.keys().map { ($0.id, $0.name) }) { first, _ in first }
        write("day         requests      read   (cached)   written  key  model\n")
        for entry in try await store.usage(since: start) {
            let numbers = [entry.requests, entry.promptTokens, entry.cachedTokens, entry.completionTokens]
            let columns = numbers.map { number in
                String(repeating: " ", count: max(10 - String(number).count, 1)) + String(number)
            }
            let name = names[entry.key].map { "\(entry.key) (\($0))" } ?? (entry.key.isEmpty ? "none" : entry.key)
            write("\(entry.day)\(columns.joined())  \(name)  \(entry.model)\n")
        }
    }
}

/// `qalam backup`: a copy of all records while the server runs.
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the server's records into a new folder, while it runs.",
        discussion: "The copy is of one moment, and can be served from: qalam serve --data FOLDER.")

    @OptionGroup var data: DataOptions

    @Argument(help: "The new folder.")
    var folder: String

    func run() async throws {
        let total = try await data.store().backUp(to: URL(filePath: folder).standardizedFileURL)
        write("\(folder): all records and \(total.files) files, \(byteText(total.bytes))\n")
    }
}
