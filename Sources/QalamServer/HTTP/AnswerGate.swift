// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the answers being written, so that a flood of requests is refused rather than queued without end.
final class AnswerGate: Sendable {
    private let limit: Int
    private let running = Mutex(0)

    /// A gate that lets `limit` answers through at a time.
    init(limit: Int) {
        self.limit = limit
    }

    /// How many answers are being written.
    var count: Int { running.withLock { $0 } }

    /// Room for some answers; given back when the last reference is dropped.
    final class Pass: Sendable {
        private let gate: AnswerGate
        private let count: Int

        fileprivate init(_ gate: AnswerGate, count: Int) {
            self.gate = gate
            self.count = count
        }

        deinit {
            gate.running.withLock { [count] in $0 -= count }
        }
    }

    /// Asks for room for `count` answers.
    ///
    /// A request for more than the limit may run alone.
    /// - Throws: `APIError.busy` if there isn't room now.
    func enter(_ count: Int) throws(APIError) -> Pass {
        let entered = running.withLock { running in
            guard running == 0 || running + count <= limit else { return false }
            running += count
            return true
        }
        guard entered else { throw .busy(limit: limit) }
        return Pass(self, count: count)
    }
}
