// SPDX-License-Identifier: Apache-2.0

/// Where each three tokens in a row were seen last, so that what followed them can be proposed again.
struct PromptLookup {
    private var places: [UInt64: Int32] = [:]
    private var indexed = 0
    /// Where the text goes on after an earlier occurrence of its last three tokens.
    private var match: Int?

    /// Adds `length` tokens that followed the last three of `tokens` before to an empty proposal, or none.
    mutating func propose(_ length: Int, after tokens: [Int32], into proposal: inout [Int32]) {
        for end in max(indexed, 2)..<max(tokens.count, 2) {
            // 21 bits each: vocabularies have fewer than 2^21 tokens.
            let key = UInt64(tokens[end - 2]) << 42 | UInt64(tokens[end - 1]) << 21 | UInt64(tokens[end])
            match = places.updateValue(Int32(end + 1), forKey: key).map { Int($0) }
        }
        indexed = tokens.count
        guard let match else { return }
        for i in match..<match + length {
            // Past the end of the text, a short circle goes on with what is proposed.
            proposal.append(i < tokens.count ? tokens[i] : proposal[i - tokens.count])
        }
    }
}

/// How many tokens to propose: more while proposals are right, fewer when they are not.
struct ProposalLength {
    private var current: Int
    private let most: Int

    init(most: Int) {
        self.most = most
        current = min(most, 4)
    }

    /// The number to propose now.
    var length: Int { current }

    /// Learns that `accepted` of `proposed` tokens were right.
    mutating func note(accepted: Int, of proposed: Int) {
        guard proposed > 0 else { return }
        current = min(accepted == proposed ? 2 * current : accepted + 1, most)
    }
}
