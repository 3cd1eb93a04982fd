// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamHub

/// How pictures are drawn.
struct DrawingFlags: ParsableArguments {
    @Option(help: "What everything random follows from.")
    var seed: UInt64?

    @Option(help: "Steps from noise to picture (24).")
    var steps: Int?

    @Option(help: "How much the words count, from 1 (3).")
    var guidance: Double?

    @Option(help: "With models that draw code by code: 0 for the likeliest codes, 1 for the model's own odds (1).")
    var temperature: Double?

    @Option(help: "With models that draw code by code: only the k likeliest; 0 for all (0).")
    var topK: Int?

    @Option(help: "With models that draw code by code: only the likeliest that make up this share (1).")
    var topP: Double?

    @Option(help: "How many to draw, of which the best are kept; needs a score model (as many as asked for).")
    var candidates: Int?

    @Option(help: "The score model that chooses, a folder; by default that in the model's folder.")
    var rank: String?

    /// The model in a folder or of that name, if it draws.
    func open(_ model: String) async throws -> any ImageModel {
        if let rank { return try await DrawingModel.open(try ModelStore().resolve(model), rank: URL(filePath: rank)) }
        let opened = try await QalamEngine.Qalam.open(try ModelStore().resolve(model))
        guard let drawing = opened as? any ImageModel else {
            throw EngineError.unsupported(model: opened.id, what: "draw pictures")
        }
        return drawing
    }

    /// One picture of `prompt` as the flags say.
    func request(_ prompt: String, seed: UInt64) -> DrawRequest {
        var request = DrawRequest(prompt, seed: seed, steps: steps, guidance: guidance)
        (request.temperature, request.topK, request.topP) = (temperature, topK, topP)
        request.candidates = candidates
        return request
    }
}
