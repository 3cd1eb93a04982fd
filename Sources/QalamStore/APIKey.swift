// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation

/// What a key may be used for.
public enum KeyScope: String, Sendable, CaseIterable, Codable {
    /// Models, files, batches, conversations: whatever asks models.
    case infer
    /// Training.
    case train
    /// Keys, usage, metrics.
    case admin
}

/// What is known of an API key; its secret is not, only the hash of it.
public struct APIKey: Sendable, Equatable {
    /// Its name in lists and logs: `key_…`.
    public var id: String
    /// What people call it.
    public var name: String
    /// The first letters of the secret.
    public var prefix: String
    /// What it may be used for.
    public var scopes: Set<KeyScope>
    /// When it was made, in Unix seconds.
    public var created: Int
    /// When it ends, in Unix seconds; nil: never.
    public var expires: Int?
    /// When it was revoked, in Unix seconds.
    public var revoked: Int?
    /// The most requests a minute; nil: no limit.
    public var requestsPerMinute: Int?
    /// The most tokens a minute; nil: no limit.
    public var tokensPerMinute: Int?

    /// A new key.
    public init(
        name: String, scopes: Set<KeyScope>, created: Int, expires: Int? = nil, requestsPerMinute: Int? = nil,
        tokensPerMinute: Int? = nil
    ) {
        id = "key_" + randomHex(bytes: 8)
        prefix = ""
        self.name = name
        self.scopes = scopes
        self.created = created
        self.expires = expires
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
    }

    /// Whether it may be used at `time`.
    public func holds(at time: Int) -> Bool { revoked == nil && expires.map { time < $0 } ?? true }

    /// A secret of 256 random bits, as a client sends it.
    static func makeSecret() -> String { "sk-qalam-" + randomHex(bytes: 32) }

    /// What of a secret is shown in lists.
    static func prefix(of secret: String) -> String { String(secret.prefix(15)) }

    /// What is kept of a secret.
    ///
    /// It is random, so a plain hash can't be searched; nothing slower is needed.
    static func hash(of secret: String) -> Data { Data(SHA256.hash(data: Data(secret.utf8))) }
}

/// Tokens and requests of one key, with one model, on one day.
public struct UsageEntry: Sendable, Equatable {
    /// The key's id; empty for requests without a key.
    public var key: String
    /// The model.
    public var model: String
    /// The day in UTC: 2026-01-31.
    public var day: String
    /// Requests.
    public var requests: Int
    /// Tokens read.
    public var promptTokens: Int
    /// Those of them that were in a cache.
    public var cachedTokens: Int
    /// Tokens written.
    public var completionTokens: Int

    /// An entry of one key, model and day.
    public init(
        key: String, model: String, day: String, requests: Int, promptTokens: Int, cachedTokens: Int,
        completionTokens: Int
    ) {
        self.key = key
        self.model = model
        self.day = day
        self.requests = requests
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.completionTokens = completionTokens
    }
}

/// Random bytes of the system, as hexadecimal digits.
func randomHex(bytes: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<bytes).map { _ in
        let digits = String(UInt8.random(in: .min ... .max, using: &generator), radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}
