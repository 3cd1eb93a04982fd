// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import QalamStore
import Synchronization

/// Holds keys to their requests and tokens a minute, which the store counts for all servers on it.
final class RateLimits: Sendable {
    private let store: any PlatformStore
    /// Tokens that keys have used since their last request; the store hears of them with the next one.
    private let used = Mutex<[String: Int]>([:])

    init(store: any PlatformStore) {
        self.store = store
    }

    /// Counts a request of `key`.
    /// - Throws: `APIError` with status 429 if its minute is used up
    func enter(_ key: APIKey) async throws {
        guard key.requestsPerMinute != nil || key.tokensPerMinute != nil else { return }
        let tokens = used.withLock { $0.removeValue(forKey: key.id) } ?? 0
        guard let wait = try await store.spend(key, tokens: tokens, at: Date().timeIntervalSince1970) else { return }
        throw APIError.rateLimit(seconds: max(Int(wait.rounded(.up)), 1))
    }

    /// Counts tokens that `key` has used.
    func use(_ tokens: Int, _ key: APIKey) {
        guard key.tokensPerMinute != nil else { return }
        used.withLock { $0[key.id, default: 0] += tokens }
    }
}

extension APIError {
    /// A key's minute is used up.
    fileprivate static func rateLimit(seconds: Int) -> APIError {
        var error = APIError(
            "Rate limit reached for this key: try again in \(seconds) s.", status: .tooManyRequests,
            code: "rate_limit_exceeded")
        error.headers[.retryAfter] = String(seconds)
        return error
    }
}
