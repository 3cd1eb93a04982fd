// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats

/// Where the fixtures of the tests are.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

extension URL {
    /// The file `name` in this folder.
    func file(_ name: String) -> URL { appendingPathComponent(name) }

    /// Replaces the file's bytes, without any care.
    func put(_ bytes: some Sequence<UInt8>) throws { try Data(bytes).write(to: self) }

    /// The file's bytes.
    var bytes: [UInt8] { get throws { Array(try Data(contentsOf: self)) } }
}

/// What `body` throws, as text; nil if it succeeds.
func message(of body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}

/// A small generator for repeatable trials (Steele, Lea, Flood 2014, SplitMix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
