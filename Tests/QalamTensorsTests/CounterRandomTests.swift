// SPDX-License-Identifier: Apache-2.0
import QalamTensors
import Testing

@Suite struct CounterRandomTests {
    @Test func continuesFromAPosition() {
        var whole = CounterRandom(seed: 7, stream: 3)
        let numbers = (0..<10).map { _ in whole.next() }
        var later = CounterRandom(seed: 7, stream: 3, position: 5)
        #expect((0..<5).map { _ in later.next() } == Array(numbers[5...]))
        #expect(later.position == 10)
    }

    @Test func streamsAndSeedsDiffer() {
        var numbers: Set<UInt64> = []
        for seed in 0..<20 as Range<UInt64> {
            for stream in 0..<20 as Range<UInt64> {
                var random = CounterRandom(seed: seed, stream: stream)
                numbers.insert(random.next())
            }
        }
        #expect(numbers.count == 400)
    }

    @Test func normalHasMeanZeroAndDeviationOne() {
        var random = CounterRandom(seed: 1)
        let numbers = (0..<20_000).map { _ in random.normal() }
        let mean = numbers.reduce(0, +) / 20_000
        let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
        #expect(abs(mean) < 0.03)
        #expect(abs(variance - 1) < 0.05)
    }
}
