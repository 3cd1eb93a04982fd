// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation

/// The settings of a server as flags; each overrides its variable, which overrides the file.
struct ServeFlags: ParsableArguments {
    @Option(help: "A file of settings, YAML or JSON, as --print-config shows them.")
    var config: String?

    @Flag(help: "Print all settings as a file would have them, and end.")
    var printConfig = false

    @Option(name: .shortAndLong, help: "A model: a folder, a .gguf file or a name; may be given several times.")
    var model: [String] = []

    @Option(help: "An adapter of the first model as name=path, a PEFT folder or a .gguf file; several are possible.")
    var lora: [String] = []

    @Option(help: "A small model of the same vocabulary that proposes tokens to the first one.")
    var draft: String?

    @Option(help: "Seconds that a model stays open unused; 0 for ever. With several models 300, else 0.")
    var keepAlive: Int?

    @Option(help: "The most MB of models that are open at once; those used longest ago are closed.")
    var modelMemory: Int?

    @Option(help: "NAME=MODEL: a further name of a model; * stands for every other name. May be given several times.")
    var alias: [String] = []

    @Option(help: "The folder for keys, files, conversations and so on (~/.qalam/data).")
    var data: String?

    @Option(help: "The address to listen on (127.0.0.1); others need a key, or --insecure.")
    var host: String?

    @Option(help: "The port; 0 takes a free one (8080).")
    var port: Int?

    @Option(name: .customLong("allowed-host"), help: "A name by which browsers may call the server.")
    var allowedHosts: [String] = []

    @Flag(help: "Serve other machines without any key.")
    var insecure = false

    @Option(help: "The certificate chain (PEM), for https.")
    var certificate: String?

    @Option(help: "The certificate's private key (PEM).")
    var privateKey: String?

    @Option(help: "An origin whose web pages may use the API, such as https://app.example; * is any.")
    var cors: [String] = []

    @Option(help: "The largest body, in MB (8).")
    var bodyLimit: Int?

    @Option(help: "The largest file, in MB (512).")
    var fileLimit: Int?

    @Option(help: "The most answers at once; more requests get 429 (64).")
    var answerLimit: Int?

    @Option(help: "The most requests that wait for a model (256).")
    var queueLimit: Int?

    @Option(help: "The most tokens of a prompt (the model's context).")
    var promptLimit: Int?

    @Option(help: "How deep schemas may nest (32).")
    var schemaDepth: Int?

    @Option(help: "Seconds of silence after which a stream gets a sign of life (10).")
    var heartbeat: Double?

    @Option(help: "Seconds that running answers get when the server is stopped (5).")
    var grace: Double?

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(name: .customLong("kv-memory"), help: "The most MB for the keys and values of each model (1024).")
    var cacheMegabytes: Int?

    @Option(name: .customLong("kv-precision"), help: "How they are kept: float32, float16 or int8 (float16).")
    var cachePrecision: String?

    @Option(help: "What activations become beside Q8_0: accurate or, faster, int8 (accurate).")
    var activations: String?

    @Option(help: "The most conversations that a model answers at once; others wait (16).")
    var maxSequences: Int?

    @Option(help: "trace, debug, info, notice, warning, error or critical (notice).")
    var logLevel: String?

    @Option(help: "text or json (text).")
    var logFormat: String?

    @Flag(help: "Keep the records that OpenAI's own test suite asks for, made anew before each request.")
    var contract = false

    /// The settings that result.
    func settings() throws -> ServeSettings {
        let environment = ProcessInfo.processInfo.environment
        var settings = try ServeSettings(file: config ?? environment["QALAM_CONFIG"], environment: environment)
        if !model.isEmpty { settings.model = model }
        if !lora.isEmpty { settings.lora = lora }
        settings.draft = draft ?? settings.draft
        settings.keepAlive = keepAlive ?? settings.keepAlive
        settings.modelMemory = modelMemory ?? settings.modelMemory
        if !alias.isEmpty { settings.alias = alias }
        if !allowedHosts.isEmpty { settings.allowedHosts = allowedHosts }
        if !cors.isEmpty { settings.cors = cors }
        settings.data = data ?? settings.data
        settings.host = host ?? settings.host
        settings.port = port ?? settings.port
        settings.insecure = insecure || settings.insecure
        settings.certificate = certificate ?? settings.certificate
        settings.privateKey = privateKey ?? settings.privateKey
        settings.bodyLimit = bodyLimit ?? settings.bodyLimit
        settings.fileLimit = fileLimit ?? settings.fileLimit
        settings.answerLimit = answerLimit ?? settings.answerLimit
        settings.queueLimit = queueLimit ?? settings.queueLimit
        settings.promptLimit = promptLimit ?? settings.promptLimit
        settings.schemaDepth = schemaDepth ?? settings.schemaDepth
        settings.heartbeat = heartbeat ?? settings.heartbeat
        settings.grace = grace ?? settings.grace
        settings.threads = threads ?? settings.threads
        settings.kvMemory = cacheMegabytes ?? settings.kvMemory
        settings.kvPrecision = cachePrecision ?? settings.kvPrecision
        settings.activations = activations ?? settings.activations
        settings.maxSequences = maxSequences ?? settings.maxSequences
        settings.logLevel = logLevel ?? settings.logLevel
        settings.logFormat = logFormat ?? settings.logFormat
        settings.contract = contract || settings.contract
        try settings.check()
        return settings
    }
}
