// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamTensors
import Testing

private func encode(_ type: BlockType, _ numbers: [Float]) throws -> [UInt8] {
    var blocks = [UInt8](repeating: 0, count: try #require(type.byteCount(numbers: numbers.count)))
    numbers.withUnsafeBufferPointer { source in
        blocks.withUnsafeMutableBytes { encodeBlocks(type, source, into: $0) }
    }
    return blocks
}

private func decode(_ type: BlockType, _ blocks: [UInt8]) -> [Float] {
    var numbers = [Float](repeating: .nan, count: blocks.count / type.blockBytes * type.blockCount)
    numbers.withUnsafeMutableBufferPointer { target in
        blocks.withUnsafeBytes { decodeBlocks(type, $0, into: target) }
    }
    return numbers
}

/// Numbers of a normal distribution, by Box and Muller from SplitMix64.
private func normals(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var state = seed
    func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return (Double((z ^ z >> 31) >> 11) + 0.5) / 0x1p53
    }
    return (0..<count).map { _ in Float((-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())) }
}

private func rootMeanSquare(_ numbers: some Collection<Float>) -> Double {
    (numbers.reduce(0) { $0 + Double($1) * Double($1) } / Double(numbers.count)).squareRoot()
}

struct BlockTypeTests {
    struct Example: Decodable {
        let blocks: Data
        let numbers: Data
    }

    @Test func decodesAsGGUFPackage() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../Fixtures/blocks/blocks.json")
        let examples = try JSONDecoder().decode([String: Example].self, from: Data(contentsOf: file))
        for type in BlockType.allCases {
            let example = try #require(examples[type.name])
            let expected = example.numbers.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
            #expect(decode(type, Array(example.blocks)).map(\.bitPattern) == expected, "\(type.name)")
        }
    }

    @Test func decodesAtAnyAddress() throws {
        for type in BlockType.allCases {
            let blocks = try encode(type, normals(512))
            let expected = decode(type, blocks)
            var numbers = [Float](repeating: 0, count: 512)
            ([0] + blocks).withUnsafeBytes { bytes in
                numbers.withUnsafeMutableBufferPointer {
                    decodeBlocks(type, UnsafeRawBufferPointer(rebasing: bytes[1...]), into: $0)
                }
            }
            #expect(numbers == expected, "\(type.name)")
        }
    }

    /// The errors of llama.cpp's quantizers on the same distribution, relative to its deviation, and a little above.
    @Test(arguments: [
        (BlockType.q4_0, 0.0868), (.q4_1, 0.0790), (.q5_0, 0.0433), (.q5_1, 0.0384), (.q8_0, 0.0055),
        (.q2_K, 0.282), (.q3_K, 0.149), (.q4_K, 0.0715), (.q5_K, 0.0359), (.q6_K, 0.0178),
        (.iq4_NL, 0.0758), (.iq4_XS, 0.0765), (.mxfp4, 0.121), (.f16, 0.0003), (.bf16, 0.0021), (.f32, 0),
    ])
    func encodesWithLittleError(_ type: BlockType, bound: Double) throws {
        let numbers = normals(32768)
        for scale: Float in [1, 1.0 / 64, 1000] {
            let scaled = numbers.map { $0 * scale }
            let error = zip(decode(type, try encode(type, scaled)), scaled).map { $0 - $1 }
            #expect(rootMeanSquare(error) <= bound * Double(scale), "\(type.name) times \(scale)")
        }
    }

    @Test func encodesWholeNumbersOfTheScaleExactly() throws {
        let numbers = (0..<256).map { Float($0 % 32 - 16) / 4 }
        for type in [BlockType.q5_0, .f16, .bf16, .f32] {
            let decoded = decode(type, try encode(type, numbers))
            #expect(decoded == numbers, "\(type.name)")
        }
        for type in BlockType.allCases {
            let zeros = [Float](repeating: 0, count: 256)
            let decoded = decode(type, try encode(type, zeros))
            #expect(decoded == zeros, "\(type.name)")
        }
    }

    /// No number makes a scale infinite or NaN, and those beside it keep theirs where they do not share one.
    @Test func survivesHostileNumbers() throws {
        let hostile: [Float] = [
            .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
            .leastNormalMagnitude, -1e-20, 1e20, 65520, -0.0,
        ]
        let plain = normals(256)
        for type in BlockType.allCases where type.isQuantized {
            let unharmed = decode(type, try encode(type, plain))
            for number in hostile {
                let alone = [Float](repeating: number, count: 256)
                let amid = plain.enumerated().map { $0.offset == 77 ? number : $0.element }
                let decoded = decode(type, try encode(type, alone))
                let mixed = decode(type, try encode(type, amid + plain))
                let finite = (decoded + mixed).allSatisfy(\.isFinite)
                #expect(finite, "\(type.name) of \(number)")
                #expect(Array(mixed[256...]) == unharmed, "\(type.name) after \(number)")
            }
        }
    }

    @Test func countsBytesWithoutOverflow() {
        #expect(BlockType.q4_K.byteCount(numbers: 512) == 288)
        #expect(BlockType.q4_K.byteCount(numbers: 0) == 0)
        #expect(BlockType.q4_K.byteCount(numbers: 255) == nil)
        #expect(BlockType.q4_K.byteCount(numbers: -256) == nil)
        #expect(BlockType.f32.byteCount(numbers: .max) == nil)
        #expect(
            BlockType.allCases.map { $0.blockBytes } == [
                4, 2, 18, 20, 22, 24, 34, 84, 110, 144, 176, 210, 18, 136, 2, 17,
            ])
    }

    @Test func namesAreThoseInUse() {
        for type in BlockType.allCases { #expect(BlockType(name: type.name.lowercased()) == type) }
        #expect(BlockType(name: "Q4_K_M") == nil)
        #expect(BlockType(rawValue: 4) == nil)
    }
}
