// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamServer
internal import QalamTensors
internal import Yams

/// All that can be set of a server: by flags, else by the environment, else by a file, else as it is here.
struct ServeSettings: Codable, Equatable {
    var model = ServeSettings.standardModels
    var lora: [String] = []
    var draft: String?
    var keepAlive: Int?
    var modelMemory: Int?
    var alias: [String] = []
    var data = ServeSettings.defaultFolder
    var host = "127.0.0.1"
    var port = 8080
    var allowedHosts: [String] = []
    var insecure = false
    var certificate: String?
    var privateKey: String?
    var cors: [String] = []
    var bodyLimit = 8
    var fileLimit = 512
    var answerLimit = 64
    var queueLimit = 256
    var promptLimit: Int?
    var schemaDepth = 32
    var heartbeat = 10.0
    var grace = 5.0
    var threads: Int?
    var kvMemory = 1024
    var kvPrecision = CachePrecision.float16.rawValue
    var activations = ActivationPrecision.accurate.rawValue
    var maxSequences = 16
    var logLevel = "notice"
    var logFormat = "text"
    var contract = false

    /// The models of this repository, as far as they are there.
    static let standardModels =
        ["models/qalam-mini"]
        + ["models/qalam-draw-mini"].filter { FileManager.default.fileExists(atPath: $0 + "/config.json") }

    /// Where records are kept: `QALAM_DATA`, else a folder in the home directory.
    static var defaultFolder: String {
        FileManager.default.homeDirectoryForCurrentUser.appending(path: ".qalam/data").path
    }

    /// The settings of a file (YAML or JSON), then of the environment, over those of the program.
    init(file: String?, environment: [String: String]) throws {
        var values = try Self.object(of: Self())
        var given: [String: Any] = [:]
        if let file {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw ValidationError("\(file) can't be read.")
            }
            guard let members = try? Yams.load(yaml: text) as? [String: Any] else {
                throw ValidationError("\(file) must hold settings, as \"port: 8080\" in YAML or JSON.")
            }
            given = members
        }
        for name in Self.names {
            guard let text = environment[Self.variable(name)] else { continue }
            // A list is written with commas.
            given[name] =
                Self.lists.contains(name) ? text.split(separator: ",").map(String.init) : try Yams.load(yaml: text)
        }
        for (name, value) in given {
            guard Self.names.contains(name) else {
                throw ValidationError("There is no setting \(name); there are: \(Self.names.joined(separator: ", ")).")
            }
            values[name] = Self.lists.contains(name) && !(value is [Any]) ? [value] : value
        }
        do {
            self = try JSONDecoder().decode(Self.self, from: JSONSerialization.data(withJSONObject: values))
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context)
        {
            let name = context.codingPath.first?.stringValue ?? "a setting"
            throw ValidationError("The setting \(name) has a value of the wrong kind.")
        }
    }

    private init() {}

    /// The names of all settings.
    static let names = [
        "model", "lora", "draft", "keepAlive", "modelMemory", "alias", "data", "host", "port", "allowedHosts",
        "insecure", "certificate", "privateKey", "cors",
        "bodyLimit", "fileLimit", "answerLimit", "queueLimit", "promptLimit", "schemaDepth", "heartbeat", "grace",
        "threads", "kvMemory", "kvPrecision", "activations", "maxSequences", "logLevel", "logFormat", "contract",
    ]
    private static let lists: Set<String> = ["model", "lora", "alias", "allowedHosts", "cors"]

    /// The variable for a setting: `bodyLimit` is `QALAM_BODY_LIMIT`.
    static func variable(_ name: String) -> String {
        "QALAM_" + name.flatMap { $0.isUppercase ? "_\($0)" : $0.uppercased() }
    }

    private static func object(of settings: Self) throws -> [String: Any] {
        let data = try JSONEncoder().encode(settings)
        return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    /// All settings as YAML, as a file of settings would have them.
    func yaml() throws -> String { try YAMLEncoder().encode(self) }

    /// Checks what can be checked before anything is opened.
    func check() throws {
        try checkThreads(threads)
        func check<Number: Comparable>(_ name: String, _ value: Number, _ range: ClosedRange<Number>) throws {
            guard range.contains(value) else {
                throw ValidationError("\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value).")
            }
        }
        try check("port", port, 0...65535)
        try check("kv-memory", kvMemory, 1...1 << 30)
        try check("max-sequences", maxSequences, 1...1024)
        try check("body-limit", bodyLimit, 1...1 << 12)
        try check("file-limit", fileLimit, 1...1 << 20)
        try check("answer-limit", answerLimit, 1...1 << 16)
        try check("queue-limit", queueLimit, 0...1 << 16)
        try check("schema-depth", schemaDepth, 1...128)
        try check("heartbeat", heartbeat, 0.1...3600)
        try check("grace", grace, 0...86_400)
        try AdapterFlags.check(lora)
        if let keepAlive { try check("keep-alive", keepAlive, 0...1 << 30) }
        if let modelMemory { try check("model-memory", modelMemory, 1...1 << 30) }
        if let promptLimit { try check("prompt-limit", promptLimit, 1 ... .max) }
        guard CachePrecision(rawValue: kvPrecision) != nil else {
            throw ValidationError("kv-precision must be float32, float16 or int8, not \(kvPrecision).")
        }
        guard ActivationPrecision(rawValue: activations) != nil else {
            throw ValidationError("activations must be accurate or int8, not \(activations).")
        }
        guard ["text", "json"].contains(logFormat) else {
            throw ValidationError("log-format must be text or json, not \(logFormat).")
        }
        guard !model.isEmpty else { throw ValidationError("There is no model to serve: give one with --model.") }
        for alias in alias where alias.split(separator: "=", omittingEmptySubsequences: false).count != 2 {
            throw ValidationError("An alias is NAME=MODEL, not \(alias).")
        }
    }

    /// The engine's part.
    var engine: EngineConfiguration {
        var engine = EngineConfiguration()
        engine.kvMemory = kvMemory << 20
        engine.cachePrecision = CachePrecision(rawValue: kvPrecision) ?? .float16
        engine.activations = ActivationPrecision(rawValue: activations) ?? .accurate
        engine.maxSequences = maxSequences
        engine.queueLimit = queueLimit
        return engine
    }

    /// The server's part.
    var server: ServerConfiguration {
        var server = ServerConfiguration()
        server.host = host
        server.port = port
        server.certificate = certificate
        server.privateKey = privateKey
        server.insecure = insecure
        server.allowedHosts = allowedHosts
        server.corsOrigins = cors
        for alias in alias {
            let parts = alias.split(separator: "=").map(String.init)
            if parts.count == 2 { server.aliases[parts[0]] = parts[1] }
        }
        server.contractMode = contract
        server.bodyLimit = bodyLimit << 20
        server.fileLimit = fileLimit << 20
        server.answerLimit = answerLimit
        server.promptLimit = promptLimit
        server.schemaDepthLimit = schemaDepth
        server.keepAlive = .seconds(heartbeat)
        server.grace = .seconds(grace)
        return server
    }
}
