// SPDX-License-Identifier: Apache-2.0

import QalamStore
import ServiceLifecycle

/// Calls what works in the background when there is something to do, and every few seconds besides: other servers may
/// have left work in the store.
final class Wakeup: Sendable {
    private let calls: AsyncStream<Void>
    private let caller: AsyncStream<Void>.Continuation

    init() {
        (calls, caller) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that there may be something to do.
    func call() { caller.yield() }

    /// Runs `work` for every call, one at a time, until the server stops; what it adds to the group goes on beside.
    func run(_ work: @escaping @Sendable (inout DiscardingTaskGroup) async -> Void) async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        self.caller.yield()
                        try? await Task.sleep(for: .seconds(5))
                    }
                }
                for await _ in self.calls { await work(&group) }
            }
        }
    }
}

extension PlatformStore {
    /// Does `work` if nobody else does it: holds the lease `name` meanwhile, which others take over ten seconds after
    /// its holder was killed.
    func exclusively(_ name: String, holder: String, _ work: () async throws -> Void) async throws {
        let seconds = 10
        guard try await claim(name, holder: holder, seconds: seconds) else { return }
        let renewal = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(seconds / 3))
                _ = try await claim(name, holder: holder, seconds: seconds)
            }
        }
        let result: Result<Void, any Error>
        do {
            try await work()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        renewal.cancel()
        // In a task of its own: this one may have been cancelled, and others should not wait for the lease.
        _ = await Task { try await release(name, holder: holder) }.result
        try result.get()
    }
}
