// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Ids of requests: no two alike, which is all that they need to be.
///
/// Asking the system for randomness would cost a small request more than reading it does.
struct RequestIDs: ~Copyable {
    private static let letters: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"
    private let next: Atomic<UInt64>
    private let process: UInt64

    /// Ids that begin anywhere.
    init() {
        next = Atomic(UInt64.random(in: .min ... .max))
        process = UInt64.random(in: .min ... .max)
    }

    /// The next id: `req_` and 24 letters and digits.
    func makeID() -> String {
        let number = next.wrappingAdd(1, ordering: .relaxed).newValue
        // A bijection, so that what is counted doesn't show (SplitMix64: Steele, Lea and Flood 2014).
        var mixed = number &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        let halves = (mixed, (mixed << 32 | mixed >> 32) ^ process)
        return String(unsafeUninitializedCapacity: 28) { text in
            for (index, byte) in "req_".utf8.enumerated() { text[index] = byte }
            for index in 0..<12 {
                text[4 + index] = Self.letter(halves.0, index)
                text[16 + index] = Self.letter(halves.1, index)
            }
            return 28
        }
    }

    /// The letter of five bits of `number`.
    private static func letter(_ number: UInt64, _ index: Int) -> UInt8 {
        letters.utf8Start[Int(number >> (5 * UInt64(index)) & 31)]
    }
}
