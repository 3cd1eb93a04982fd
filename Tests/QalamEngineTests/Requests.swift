// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamModels
import QalamTensors
import TestSupport

/// A request without stop tokens.
func request(
    _ prompt: [Int32], tokens: Int, temperature: Float = 0, seed: UInt64 = 1
) -> GenerationRequest {
    var options = SamplingOptions()
    options.temperature = temperature
    options.seed = seed
    return GenerationRequest(prompt: prompt, sampling: options, maxTokens: tokens, stopTokens: [])
}

/// `count` token ids below 300.
func prompt(_ count: Int, seed: Int = 0) -> [Int32] { (0..<count).map { Int32(($0 * 7 + seed * 31 + $0 / 5) % 300) } }

/// Bytes of a page of the tiny model.
func pageBytes() throws -> Int {
    let config = try tinyDecoder().config
    return KVPages.bytesPerPage(layers: config.layers, shape: config.attention, precision: .float32)
}

/// What one request got.
struct Answer: Equatable {
    var tokens: [Int32] = []
    var reason: FinishReason?
    var usage = Usage(promptTokens: 0, completionTokens: 0)

    mutating func add(_ event: GenerationEvent) {
        switch event {
        case .started, .promptToken, .numbers: break
        case .token(let token, _): tokens.append(token)
        case .finished(let reason, let usage): (self.reason, self.usage) = (reason, usage)
        }
    }
}

/// A stream to its end.
func collect(_ stream: AsyncThrowingStream<GenerationEvent, any Error>) async throws -> Answer {
    var answer = Answer()
    for try await event in stream { answer.add(event) }
    return answer
}

/// Runs a scheduler until it is empty; the answers in the order of the requests, and the order in which they ended.
func run(_ scheduler: inout Scheduler, _ requests: [GenerationRequest]) -> (answers: [Answer], ended: [Int]) {
    let ids = requests.map { scheduler.add($0) }
    var answers: [Int: Answer] = [:]
    var ended: [Int] = []
    while !scheduler.isEmpty {
        scheduler.step { id, event in
            answers[id, default: Answer()].add(event)
            if case .finished = event { ended.append(id) }
        }
    }
    return (ids.map { answers[$0] ?? Answer() }, ended.compactMap { ids.firstIndex(of: $0) })
}
