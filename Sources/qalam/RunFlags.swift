// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamTraining
internal import Yams

/// The settings of a run as flags; each overrides the run file, which overrides what follows from `--depth`.
struct RunFlags: ParsableArguments {
    @Option(help: "A run file: YAML or JSON with the names below in camelCase.")
    var config: String?

    @Option(help: "The one dial: blocks of the model; everything else follows (4).")
    var depth: Int?

    @Option(help: "llama or gpt2.")
    var family: String?

    @Option(help: "Width of the model (64·depth).")
    var width: Int?

    @Option(help: "Attention heads (width/64).")
    var heads: Int?

    @Option(help: "Key and value heads (as many as heads).")
    var kvHeads: Int?

    @Option(help: "Width of the feed-forward layer (8/3 or 4 times the width).")
    var feedForward: Int?

    @Option(help: "Tokens of a row (512).")
    var context: Int?

    @Option(help: "Entries of the new tokenizer, when training from text (8192).")
    var vocabulary: Int?

    @Option(help: "adamw or muon (muon).")
    var optimizer: String?

    @Option(help: "The peak learning rate.")
    var learningRate: Double?

    @Option(help: "Weight decay of matrices (0.1).")
    var weightDecay: Double?

    @Option(help: "The largest norm of the gradient, 0 for no limit (1).")
    var clip: Double?

    @Option(help: "cosine, wsd or constant (wsd).")
    var schedule: String?

    @Option(help: "Steps to the peak learning rate.")
    var warmup: Int?

    @Option(help: "Steps in all.")
    var steps: Int?

    @Option(help: "Tokens to train on, instead of steps (20 for each parameter).")
    var tokens: Int?

    @Option(help: "Passes over the data, instead of steps.")
    var epochs: Double?

    @Option(help: "Rows of a step.")
    var batch: Int?

    @Option(help: "Rows of one pass through the model.")
    var microBatch: Int?

    @Option(help: "Everything random follows from it (1).")
    var seed: UInt64?

    @Option(help: "Steps between evaluations.")
    var evaluateEvery: Int?

    @Option(help: "Steps between checkpoints.")
    var checkpointEvery: Int?

    @Option(help: "Steps between samples.")
    var sampleEvery: Int?

    @Option(help: "What samples continue; may be given several times.")
    var samplePrompt: [String] = []

    /// What was asked for: flags over the run file.
    func options() throws -> RunOptions {
        var options = RunOptions()
        options.depth = depth
        options.family = family
        options.width = width
        options.heads = heads
        options.kvHeads = kvHeads
        options.feedForward = feedForward
        options.context = context
        options.vocabulary = vocabulary
        options.optimizer = optimizer
        options.learningRate = learningRate
        options.weightDecay = weightDecay
        options.clip = clip
        options.schedule = schedule
        options.warmup = warmup
        options.steps = steps
        options.tokens = tokens
        options.epochs = epochs
        options.batch = batch
        options.microBatch = microBatch
        options.seed = seed
        options.evaluateEvery = evaluateEvery
        options.checkpointEvery = checkpointEvery
        options.sampleEvery = sampleEvery
        options.samplePrompts = samplePrompt.isEmpty ? nil : samplePrompt
        guard let config else { return options }
        return try options.merged(over: Self.read(config))
    }

    /// Reads a run file; a key that is not known is refused by name.
    private static func read(_ path: String) throws -> RunOptions {
        let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        do {
            let keys = (try Yams.load(yaml: text) as? [String: Any])?.keys ?? [:].keys
            if let unknown = keys.sorted().first(where: { !RunOptions.keys.contains($0) }) {
                throw ValidationError(
                    "\(path): \(unknown) is not a setting; known are \(RunOptions.keys.joined(separator: ", ")).")
            }
            return keys.isEmpty ? RunOptions() : try YAMLDecoder().decode(RunOptions.self, from: text)
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }
}
