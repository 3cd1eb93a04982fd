// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Random numbers by position: number i of a stream depends on the seed, the stream and i alone, so that results depend
/// neither on the order of calls nor on the number of threads.
///
/// The mixing is SplitMix64's (Steele et al. 2014).
public struct CounterRandom: RandomNumberGenerator, Sendable {
    private let key: UInt64
    /// The position of the next number; save it to continue a stream later.
    public var position: UInt64

    /// The stream `stream` of `seed`, from `position` on.
    public init(seed: UInt64, stream: UInt64 = 0, position: UInt64 = 0) {
        key = Self.mix(Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ Self.mix(stream &+ 0xD1B5_4A32_D192_ED03))
        self.position = position
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        defer { position &+= 1 }
        return bits(at: position)
    }

    /// The next number in 0..<1.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// The next number of a normal distribution with mean 0 and deviation 1 (Box & Muller 1958).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    private func bits(at position: UInt64) -> UInt64 {
        Self.mix(key &+ (position &+ 1) &* 0x9E37_79B9_7F4A_7C15)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
