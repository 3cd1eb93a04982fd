// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamEngine
import QalamStore
import ServiceLifecycle
import Synchronization

/// Counts what is used, for limits at once and for the store every second: a transaction for each request would cost
/// more than a small request itself.
final class UsageMeter: Service {
    private struct Account: Hashable {
        var key: String
        var model: String
        var day: String
    }

    private let store: any PlatformStore
    private let limits: RateLimits
    private let metrics: Metrics
    private let pending = Mutex<[Account: UsageEntry]>([:])

    init(store: any PlatformStore, limits: RateLimits, metrics: Metrics) {
        self.store = store
        self.limits = limits
        self.metrics = metrics
    }

    /// Counts one request.
    func count(_ usage: Usage, model: String, asker: Asker) {
        if let key = asker.key { limits.use(usage.promptTokens + usage.completionTokens, key) }
        metrics.count(usage, model: model)
        let account = Account(key: asker.client, model: model, day: Self.day(Date()))
        pending.withLock { pending in
            var entry =
                pending[account]
                ?? UsageEntry(
                    key: account.key, model: model, day: account.day, requests: 0, promptTokens: 0, cachedTokens: 0,
                    completionTokens: 0)
            entry.requests += 1
            entry.promptTokens += usage.promptTokens
            entry.cachedTokens += usage.cachedTokens
            entry.completionTokens += usage.completionTokens
            pending[account] = entry
        }
    }

    /// Writes to the store every second, and once more at the end.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                await self.flush()
            }
        }
        await flush()
    }

    /// Writes what was counted since the last time; what the store doesn't take is kept for the next.
    func flush() async {
        let entries = pending.withLock { pending in
            defer { pending = [:] }
            return pending
        }
        guard !entries.isEmpty else { return }
        do {
            try await store.add(Array(entries.values))
        } catch {
            pending.withLock { pending in
                pending.merge(entries) { new, old in
                    var sum = new
                    sum.requests += old.requests
                    sum.promptTokens += old.promptTokens
                    sum.cachedTokens += old.cachedTokens
                    sum.completionTokens += old.completionTokens
                    return sum
                }
            }
        }
    }

    /// The day in UTC: 2026-01-31.
    static func day(_ date: Date) -> String { String(date.formatted(.iso8601.year().month().day()).prefix(10)) }
}
