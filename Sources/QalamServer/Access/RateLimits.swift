// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import QalamStore
import Synchronization

/// Holds keys to their requests and tokens a minute: buckets that refill evenly.
///
/// The buckets are this process's own: several servers on one store each allow the whole limit.
final class RateLimits: Sendable {
    /// What is left of one key's minute.
    private struct Bucket {
        var requests: Double
        var tokens: Double
        var time: ContinuousClock.Instant
    }

    private let buckets = Mutex<[String: Bucket]>([:])

    /// Counts a request of `key`.
    /// - Throws: `APIError` with status 429 if its minute is used up
    func enter(_ key: APIKey, now: ContinuousClock.Instant = .now) throws(APIError) {
        guard key.requestsPerMinute != nil || key.tokensPerMinute != nil else { return }
        let wait: Double? = buckets.withLock { buckets in
            var bucket = Self.refilled(buckets[key.id], key, now)
            defer { buckets[key.id] = bucket }
            if let limit = key.requestsPerMinute, bucket.requests < 1 {
                return (1 - bucket.requests) * 60 / Double(limit)
            }
            // An answer's tokens are known after it, so the bucket may go below nothing, and is then waited for.
            if let limit = key.tokensPerMinute, bucket.tokens <= 0 {
                return (1 - bucket.tokens) * 60 / Double(limit)
            }
            bucket.requests -= 1
            return nil
        }
        if let wait { throw .rateLimit(seconds: max(Int(wait.rounded(.up)), 1)) }
    }

    /// Counts tokens that `key` has used.
    func use(_ tokens: Int, _ key: APIKey, now: ContinuousClock.Instant = .now) {
        guard key.tokensPerMinute != nil else { return }
        buckets.withLock { buckets in
            var bucket = Self.refilled(buckets[key.id], key, now)
            bucket.tokens -= Double(tokens)
            buckets[key.id] = bucket
        }
    }

    private static func refilled(_ bucket: Bucket?, _ key: APIKey, _ now: ContinuousClock.Instant) -> Bucket {
        let requests = Double(key.requestsPerMinute ?? 0)
        let tokens = Double(key.tokensPerMinute ?? 0)
        guard var bucket else { return Bucket(requests: requests, tokens: tokens, time: now) }
        let minutes = max(bucket.time.duration(to: now) / .seconds(60), 0)
        bucket.requests = min(bucket.requests + minutes * requests, requests)
        bucket.tokens = min(bucket.tokens + minutes * tokens, tokens)
        bucket.time = now
        return bucket
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
