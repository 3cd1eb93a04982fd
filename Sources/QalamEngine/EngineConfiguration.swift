// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

/// The limits of one model's engine.
public struct EngineConfiguration: Sendable, Equatable {
    /// The most bytes that keys and values may take; less is used if `maxSequences` whole contexts need less.
    public var kvMemory = 1 << 30
    /// How keys and values are kept.
    public var cachePrecision = CachePrecision.float32
    /// What activations become in products with blocks of Q8_0.
    public var activations = ActivationPrecision.accurate
    /// The most sequences that run at once; others wait.
    public var maxSequences = 16
    /// The most tokens in one pass through the model: one of each sequence that is being written, the rest prompts.
    ///
    /// It bounds how long a long prompt holds the others up.
    public var stepTokens = 512
    /// The most requests that wait; more are refused.
    public var queueLimit = 256
    /// Whether the keys and values of prompts are kept for requests that start alike.
    public var prefixCache = true

    /// The defaults: 1 GiB, 16 sequences, 512 tokens a step, 256 waiting.
    public init() {}

    /// How many pages of `pageBytes` bytes and `pageSize` tokens to make for contexts of `contextLength` tokens.
    func pages(of pageSize: Int, pageBytes: Int, contextLength: Int) -> Int {
        let (needed, overflows) = ((contextLength + pageSize - 1) / pageSize)
            .multipliedReportingOverflow(by: max(maxSequences, 1))
        let affordable = max(kvMemory, 0) / max(pageBytes, 1)
        return min(overflows ? affordable : min(needed, affordable), 1 << 30)
    }
}
