// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

/// The log-probabilities of a token that was drawn and of the likeliest ones, by the model's own distribution: before
/// masks, penalties, temperature and filters.
public struct TokenLogprobs: Sendable, Equatable {
    /// A token and its log-probability.
    public struct Entry: Sendable, Equatable {
        /// The token.
        public var token: Int32
        /// The natural logarithm of its probability.
        public var logprob: Float
    }

    /// The token drawn.
    public var logprob: Float
    /// The likeliest tokens, likeliest first.
    public var top: [Entry]
}

extension Distribution {
    /// How likely `token` is by one row of logits (1,V), and the `count` likeliest.
    static func score(_ logits: Tensor, _ token: Int32, top count: Int) -> TokenLogprobs {
        let distribution = Distribution(UnsafeBufferPointer(logits.buffer), top: count)
        return TokenLogprobs(logprob: logits.buffer[Int(token)] - distribution.logSum, top: distribution.top)
    }
}

/// What must be read from logits before anything changes them.
struct Distribution {
    /// The log of the sum of their exponentials.
    let logSum: Float
    /// The likeliest tokens.
    let top: [TokenLogprobs.Entry]

    /// Reads logits (V); `count` of the likeliest are kept.
    init(_ logits: UnsafeBufferPointer<Float>, top count: Int) {
        let logSum = logits.logSumExp(largest: logits.largest(in: 0..<logits.count))
        self.logSum = logSum
        // Almost every stretch is below the last of the list.
        var top: [(token: Int32, logit: Float)] = []
        for start in stride(from: 0, to: count > 0 ? logits.count : 0, by: 256) {
            let range = start..<min(start + 256, logits.count)
            if top.count == count, let last = top.last, logits.largest(in: range) <= last.logit { continue }
            for i in range where !logits[i].isNaN && (top.count < count || logits[i] > top[count - 1].logit) {
                let place = top.firstIndex { $0.logit < logits[i] } ?? top.count
                top.insert((Int32(i), logits[i]), at: place)
                if top.count > count { top.removeLast() }
            }
        }
        self.top = top.map { TokenLogprobs.Entry(token: $0.token, logprob: $0.logit - logSum) }
    }
}
