// SPDX-License-Identifier: Apache-2.0
internal import QalamEngine
internal import QalamModels
internal import QalamTensors

/// Runs a scheduler on made-up ids and times its steps; the memory for keys and values serves all trials.
struct EngineTrial {
    private var scheduler: Scheduler
    private let vocabularySize: Int

    init(decoder: Decoder, precision: CachePrecision, most: Int) throws {
        var configuration = EngineConfiguration()
        configuration.cachePrecision = precision
        configuration.maxSequences = most
        configuration.prefixCache = false
        configuration.kvMemory = 4 << 30
        scheduler = try Scheduler(decoder, configuration)
        vocabularySize = decoder.config.vocabularySize
    }

    /// Made-up pieces for the ids: bytes, then words, every second one with a space before it.
    var madeUpVocabulary: GrammarVocabulary {
        GrammarVocabulary(count: vocabularySize, endTokens: [Int32(vocabularySize - 1)]) { id in
            if id < 256 { return [UInt8(id)] }
            var (rest, word) = (Int(id), id.isMultiple(of: 2) ? [UInt8(ascii: " ")] : [])
            while rest > 0 {
                word.append(UInt8(ascii: "a") + UInt8(rest % 26))
                rest /= 26
            }
            return word
        }
    }

    /// A list of many records, longer than any measurement.
    static func grammar() throws -> Grammar {
        let schema = """
            {"type": "array", "minItems": 10000, "items": {"type": "object", "additionalProperties": false,
             "required": ["name", "age", "tags"], "properties": {
              "name": {"type": "string", "maxLength": 60}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
              "tags": {"type": "array", "maxItems": 3, "items": {"enum": ["new", "old", "spare"]}}}}}
            """
        return try Grammar(jsonSchema: Array(schema.utf8))
    }

    private mutating func add(_ prompt: Int, tokens: Int, salt: Int, _ matcher: GrammarMatcher? = nil) {
        let ids = (0..<prompt).map { Int32(($0 * 7919 + salt * 104_729 + 11) % vocabularySize) }
        var sampling = SamplingOptions()
        sampling.temperature = 0
        var request = GenerationRequest(prompt: ids, sampling: sampling, maxTokens: tokens, stopTokens: [])
        request.grammar = matcher
        _ = scheduler.add(request)
    }

    private mutating func finish() {
        while !scheduler.isEmpty { scheduler.step { _, _ in } }
    }

    /// Seconds from a prompt to its first token.
    mutating func prefill(_ count: Int) -> Double {
        add(count, tokens: 1, salt: 0)
        return ContinuousClock().measure { finish() } / .seconds(1)
    }

    /// Seconds of one step that writes a token of each of `size` sequences, on average.
    mutating func decode(_ size: Int, tokens: Int, _ matcher: GrammarMatcher? = nil) -> Double {
        for salt in 0..<size { add(16, tokens: tokens + 8, salt: salt, matcher) }
        for _ in 0..<4 { scheduler.step { _, _ in } }
        let steps = tokens - 1
        let time = ContinuousClock().measure { for _ in 0..<steps { scheduler.step { _, _ in } } }
        finish()
        return time / .seconds(1) / Double(steps)
    }
}
