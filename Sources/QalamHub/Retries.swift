// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A failure after which the same request may well succeed.
struct Transient: Error {
    /// What happened, for people.
    let why: String
    /// How long the server asks us to wait.
    var retryAfter: Duration?
    /// How to say it when no further attempt is made.
    let final: HubError
}

/// The count of failures in a row, and the pauses that follow from it.
struct Retries {
    private let policy: RetryPolicy
    private var failures = 0

    init(_ policy: RetryPolicy) { self.policy = policy }

    /// Bytes have arrived: the count starts again.
    mutating func progressed() { failures = 0 }

    /// How long to wait after `fault`; throws its final form if it is time to give up.
    ///
    /// The pause doubles with each failure and is shortened by chance, up to a half, so that parts which failed
    /// together do not come back together. A server's own wish is honoured as it is.
    mutating func pause(after fault: Transient) throws(HubError) -> Duration {
        failures += 1
        guard failures < policy.attempts else { throw fault.final }
        if let wish = fault.retryAfter {
            guard wish <= policy.longestWait else { throw fault.final }
            return wish
        }
        let doubled = policy.pause * (1 << min(failures - 1, 20))
        return min(doubled, policy.longestPause) * Double.random(in: 0.5...1)
    }
}

/// Runs `body` until it succeeds, fails for good, or has failed too often.
func withRetries<Result>(
    _ policy: RetryPolicy, _ body: () async throws -> Result
) async throws -> Result {
    var retries = Retries(policy)
    while true {
        do {
            return try await body()
        } catch let fault as Transient {
            try await Task.sleep(for: try retries.pause(after: fault))
        }
    }
}

/// `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3); nil if it is neither.
func retryAfter(_ text: String, now: Date = Date()) -> Duration? {
    let text = text.trimmingCharacters(in: .whitespaces)
    if let seconds = Int(text), seconds >= 0 { return .seconds(min(seconds, 1 << 30)) }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    guard let date = format.date(from: text) else { return nil }
    return .seconds(max(0, min(date.timeIntervalSince(now), 1e9)))
}
