// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import QalamStore

/// Who may make which requests.
struct Access: Sendable {
    private let store: any PlatformStore
    private let limits: RateLimits

    init(store: any PlatformStore, limits: RateLimits) {
        self.store = store
        self.limits = limits
    }

    /// The key that a request is made with; nil: there are no keys, so that none is needed.
    ///
    /// What the page is made of isn't `counted`: opening it takes dozens of requests.
    ///
    /// - Throws: `APIError` with status 401 without a good key, 403 if it doesn't reach so far, 429 if its limit is
    ///   reached
    func admit(_ request: Request, scope: KeyScope, counted: Bool) async throws -> APIKey? {
        let secret = Self.secret(of: request.headers)
        let (key, anyKeys) = try await store.identify(secret: secret)
        guard anyKeys else { return nil }
        guard let key, key.holds(at: Platform.now) else {
            throw secret == nil ? APIError.missingKey : .wrongKey
        }
        // An administrator may do everything.
        guard key.scopes.contains(scope) || key.scopes.contains(.admin) else { throw APIError.scope(scope) }
        if counted { try await limits.enter(key) }
        return key
    }

    /// The secret in a request's headers.
    ///
    /// OpenAI's clients send a bearer token, Anthropic's `x-api-key`, the page a cookie; some send a password.
    static func secret(of headers: HTTPFields) -> String? {
        if let key = headers[.apiKey] { return key }
        guard let header = headers[.authorization] else { return PageSession.secret(of: headers) }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return String(parts[1])
        case "basic":
            guard let data = Data(base64Encoded: String(parts[1])) else { return nil }
            let text = String(decoding: data, as: UTF8.self)
            return text.firstIndex(of: ":").map { String(text[text.index(after: $0)...]) }
        default: return nil
        }
    }
}

extension APIError {
    /// A key is needed, and there is none.
    fileprivate static let missingKey = unauthorized(
        "You didn't provide an API key. Send it as 'Authorization: Bearer KEY'.", code: nil)

    /// The key is none of this server's, or no longer.
    static let wrongKey = unauthorized(
        "Incorrect API key provided, or one that is expired or revoked.", code: "invalid_api_key")

    private static func unauthorized(_ message: String, code: String?) -> APIError {
        var error = APIError(message, status: .unauthorized, code: code)
        // Not "Basic": a browser would then ask for a name and a password before the page can.
        error.headers[.wwwAuthenticate] = #"Bearer realm="Qalam""#
        return error
    }

    /// The key may not do this.
    fileprivate static func scope(_ scope: KeyScope) -> APIError {
        APIError(
            "You have insufficient permissions for this operation. Missing scopes: \(scope.rawValue).",
            status: .forbidden, code: "missing_scope")
    }
}
