// SPDX-License-Identifier: Apache-2.0
internal import Foundation

extension RepeatPenalty {
    /// Calls `penalise` with each token that would continue a repetition, and what it loses.
    ///
    /// The length of the repetition that ends before each earlier token is the Z-function (Gusfield 1997, §1.4) of the
    /// text read backwards, so that the whole takes O(n). A token found several times loses the most for its longest.
    /// - Parameters:
    ///   - tokens: the text so far
    ///   - lengths: memory reused between calls
    ///   - worst: the same
    ///   - penalise: takes a token and what its logit loses
    func forEachMatch(
        in tokens: [Int32], lengths: inout [Int32], worst: inout [Int32: Int32], _ penalise: (Int32, Float) -> Void
    ) {
        let n = window > 0 ? min(window, tokens.count) : tokens.count
        guard n > 1 else { return }
        let last = tokens.count - 1
        var reach = 0  // tokens since the last breaker: no repetition is longer
        while reach < n, !breakers.contains(tokens[last - reach]) { reach += 1 }
        guard reach >= allowedLength else { return }
        worst.removeAll(keepingCapacity: true)
        fillLengths(&lengths, tokens, n)
        for back in 1..<n where Int(lengths[back]) >= allowedLength {
            // `back` tokens before the last stands the end of an equal sequence; what follows it would follow again.
            let next = tokens[last - back + 1]
            let length = min(lengths[back], Int32(reach))
            if !breakers.contains(next) { worst[next] = max(worst[next] ?? 0, length) }
        }
        for (token, length) in worst {
            // Beyond e^80 a penalty can't get any worse, and must not overflow.
            let power = min(Float(length) - Float(allowedLength), 80 / max(log(base), 1e-6))
            penalise(token, multiplier * pow(base, power))
        }
    }

    /// The number of tokens that the text's end and its end `back` tokens earlier have in common, for back in 1..<n.
    private func fillLengths(_ lengths: inout [Int32], _ tokens: [Int32], _ n: Int) {
        if lengths.count < n { lengths = Array(repeating: 0, count: max(n, 2 * lengths.count)) }
        let last = tokens.count - 1
        var (left, right) = (0, 0)
        for i in 1..<n {
            var length = i < right ? min(right - i, Int(lengths[i - left])) : 0
            while i + length < n, tokens[last - length] == tokens[last - i - length] { length += 1 }
            if i + length > right { (left, right) = (i, i + length) }
            lengths[i] = Int32(length)
        }
    }
}
