// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import QalamTokenizers
import QalamTraining
import TestSupport
import Testing

/// Whole runs on a tiny model.
///
/// Serialized: one of them changes the number of threads.
@Suite(.serialized) struct TrainingRunTests {
    @Test func learnsAndWritesAFolderThatOpens() throws {
        try withTemporaryFolder { url in
            var events: [TrainingEvent] = []
            var run = try makeRun(url, steps: 40)
            try run.run { events.append($0) }
            let reports = events.compactMap { if case .step(let report) = $0 { report } else { nil } }
            #expect(reports.map(\.step) == Array(1...40))
            let (first, last) = (try #require(reports.first), try #require(reports.last))
            #expect(last.loss < 0.7 * first.loss)
            #expect(reports.allSatisfy { $0.flops > 0 && $0.seconds > 0 && $0.count == 64 })
            let evaluation = events.compactMap { if case .evaluated(let e) = $0 { e } else { nil } }.last
            #expect(try #require(evaluation?.measures["bits_per_byte"]) > 0)
            let model = try ModelFolder(url.appending(path: "run/model"))
            #expect(try model.decoder().config == run.task.decoder.config)
            #expect(model.chatTemplate != nil)
            let svg = try String(contentsOf: url.appending(path: "run/loss.svg"), encoding: .utf8)
            #expect(svg.hasPrefix("<svg") && svg.contains("polyline"))
            let record = try JSONSerialization.jsonObject(with: Data(contentsOf: url.appending(path: "run/run.json")))
            #expect((record as? [String: Any])?.keys.contains("dataHash") == true)
        }
    }

    /// Stopped anywhere and resumed, at another number of threads: the same bytes as never stopped.
    @Test(arguments: OptimizerKind.allCases)
    func resumesBitForBit(optimizer: OptimizerKind) throws {
        try withTemporaryFolder { url in
            let threads = Device.cpu.threads
            defer { Device.cpu.threads = threads }
            Device.cpu.threads = 2
            var whole = try makeRun(url, "whole", steps: 12, optimizer: optimizer)
            try whole.run { _ in }
            for stop in [1, 5, 11] {
                Device.cpu.threads = 1
                var part = try makeRun(url, "part", steps: 12, optimizer: optimizer)
                var done = 0
                try part.run(shouldStop: { done >= stop }, report: { if case .step = $0 { done += 1 } })
                #expect(part.step == stop)
                Device.cpu.threads = 2
                var rest = try makeRun(url, "part", steps: 12, optimizer: optimizer)
                #expect(rest.step == stop)
                try rest.run { _ in }
                #expect(try weights(url, "part") == weights(url, "whole"))
                try FileManager.default.removeItem(at: url.appending(path: "part"))
            }
        }
    }

    @Test func refusesAnotherRunsCheckpoint() throws {
        try withTemporaryFolder { url in
            var run = try makeRun(url, steps: 2)
            try run.run { _ in }
            #expect(throws: TrainingError.self) { try makeRun(url, steps: 3) }
            #expect(throws: TrainingError.self) { try makeRun(url, steps: 2, text: sampleText + "More. ") }
        }
    }

    @Test func damagedCheckpointsAreErrors() throws {
        try withTemporaryFolder { url in
            var run = try makeRun(url, steps: 2)
            try run.run { _ in }
            for name in ["state.json", "model.safetensors", "optimizer.safetensors"] {
                let file = url.appending(path: "run/checkpoint/\(name)")
                let whole = try Data(contentsOf: file)
                for share in [0, 1, 50, 99] {
                    try whole.prefix(whole.count * share / 100).write(to: file)
                    #expect(throws: (any Error).self, "\(name) at \(share)%") { try makeRun(url, steps: 2) }
                }
                try whole.write(to: file)
            }
        }
    }

    /// Two micro-batches are one batch.
    @Test func gradientAccumulation() throws {
        try withTemporaryFolder { url in
            var whole = try makeRun(url, "whole", steps: 3, microBatch: 4)
            try whole.run { _ in }
            var halves = try makeRun(url, "halves", steps: 3, microBatch: 2)
            try halves.run { _ in }
            let (a, b) = (try numbers(url, "whole"), try numbers(url, "halves"))
            #expect(distance(a, b) < 1e-4)
        }
    }

    private func makeRun(
        _ url: URL, _ name: String = "run", steps: Int, optimizer: OptimizerKind = .adamw, microBatch: Int = 2,
        text: String = sampleText
    ) throws -> TrainingRun<LanguageModelTask> {
        let tokenizer = try tinyTokenizer()
        let source = url.appending(path: "text.jsonl")
        let line = try JSONSerialization.data(withJSONObject: ["text": text])
        try Data((0..<200).flatMap { _ in line + [0x0A] }).write(to: source)
        var pack = PackOptions()
        pack.heldout = 0.1
        _ = try packTexts([source], tokenizer: tokenizer, to: url.appending(path: "data"), pack)
        let data = try PackedData(url.appending(path: "data"))
        let decoder = try tinyDecoder(vocabularySize: tokenizer.vocabularySize, contextLength: 16, trainable: true)
        var options = RunOptions()
        options.steps = steps
        options.optimizer = optimizer.rawValue
        options.batch = 4
        options.microBatch = microBatch
        options.warmup = 2
        options.sampleEvery = 5
        let settings = try RunSettings(options, config: decoder.config, data: data, finetuning: false)
        let files = ModelFiles(tokenizer: tokenizer, chatTemplate: chatMLTemplate, eosText: "<|im_end|>")
        return try TrainingRun(
            folder: url.appending(path: name), task: LanguageModelTask(decoder, data: data, files: files),
            settings: settings)
    }

    private func weights(_ url: URL, _ name: String) throws -> Data {
        try Data(contentsOf: url.appending(path: "\(name)/checkpoint/model.safetensors"))
    }

    private func numbers(_ url: URL, _ name: String) throws -> [Double] {
        let file = try Safetensors(url.appending(path: "\(name)/checkpoint/model.safetensors"))
        return try file.names.flatMap { try file.floats($0).map { Double($0) } }
    }
}
