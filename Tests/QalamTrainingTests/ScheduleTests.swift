// SPDX-License-Identifier: Apache-2.0
import QalamTraining
import Testing

@Suite struct ScheduleTests {
    @Test(arguments: LearningRateSchedule.Shape.allCases)
    func warmsUpThenNeverRises(shape: LearningRateSchedule.Shape) {
        let schedule = LearningRateSchedule(shape: shape, warmup: 10, steps: 100)
        let factors = (0..<100).map { schedule.factor(at: $0) }
        #expect(factors[0] == 0.1)
        #expect(factors[9] == 1)
        #expect(zip(factors[9...], factors[10...]).allSatisfy { $0 >= $1 })
        #expect(factors.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    @Test func stableThenDecays() {
        let schedule = LearningRateSchedule(shape: .wsd, warmup: 0, steps: 100)
        #expect(schedule.factor(at: 69) == 1)
        #expect(abs(schedule.factor(at: 85) - 0.5) < 1e-9)
    }

    @Test func cosineIsHalfWayInTheMiddle() {
        let schedule = LearningRateSchedule(shape: .cosine, warmup: 0, steps: 100)
        #expect(abs(schedule.factor(at: 50) - 0.5) < 1e-9)
    }
}
