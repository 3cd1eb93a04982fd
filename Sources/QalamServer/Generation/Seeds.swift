// SPDX-License-Identifier: Apache-2.0

/// The seeds of further answers to one request.
package enum Seeds {
    /// The seed of answer number `choice` of a request with `seed`; the first has the request's own.
    package static func seed(_ seed: UInt64, choice: Int) -> UInt64 {
        guard choice > 0 else { return seed }
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014) over the choice-th step from the seed.
        var z = seed &+ UInt64(choice) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
