// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamImages
import QalamModels
import Testing

/// The model in the repository: it opens, is small enough to ship, and knows who it is.
@Suite struct ShippedModelTests {
    private let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "models/qalam-mini")

    @Test func fitsTheRepository() throws {
        let weights = folder.appending(path: "model.safetensors")
        let size = try #require(try FileManager.default.attributesOfItem(atPath: weights.path)[.size] as? Int)
        #expect(size < 25_000_000)
        #expect(try ModelFolder(folder).config.parameterCount * 2 <= size)
    }

    @Test(arguments: ["What is your name?", "Who are you?"])
    func knowsItsName(question: String) async throws {
        let model = try LoadedModel(folder)
        var options = ChatOptions()
        options.sampling.temperature = 0
        options.maxTokens = 60
        var answer = ""
        for try await event in try await model.chat([ChatMessage(role: "user", content: question)], options) {
            if case .text(let piece, _) = event { answer += piece }
        }
        #expect(answer.contains("Qalam"), "\(answer)")
        #expect(answer.last.map { ".!?".contains($0) } == true, "\(answer)")
    }

    /// The other one draws in both languages: something, on nothing, at its size.
    @Test(arguments: ["cat face", "وجه مبتسم"])
    func draws(prompt: String) async throws {
        let folder = folder.deletingLastPathComponent().appending(path: "qalam-draw-mini")
        let model = try #require(try await Qalam.open(folder) as? any ImageModel)
        for try await event in try await model.draw(DrawRequest(prompt, seed: 1, steps: 8)) {
            guard case .finished(_, let picture, _) = event else { continue }
            let opaque = stride(from: 3, to: picture.pixels.count, by: 4).count { picture.pixels[$0] > 200 }
            #expect(picture.width == 64 && picture.height == 64)
            #expect((400...4000).contains(opaque), "\(opaque) opaque pixels of 4,096")
        }
    }
}
