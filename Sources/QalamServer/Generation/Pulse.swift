// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle
import Synchronization

/// Tells all answers being written that time passes: one task for as many as there are.
final class Pulse: Service {
    private struct State {
        var listeners: [Int: @Sendable () -> Void] = [:]
        var last = 0
    }

    private let interval: Duration
    private let state = Mutex(State())

    /// A pulse that beats every `interval` while it runs.
    init(every interval: Duration) {
        self.interval = interval
    }

    /// Calls `listener` at each beat from now on; `leave` with the number returned ends that.
    func join(_ listener: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.last += 1
            state.listeners[state.last] = listener
            return state.last
        }
    }

    /// Ends what `join` began.
    func leave(_ number: Int) { _ = state.withLock { $0.listeners.removeValue(forKey: number) } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: self.interval)
                for listener in self.state.withLock({ Array($0.listeners.values) }) { listener() }
            }
        }
    }
}
