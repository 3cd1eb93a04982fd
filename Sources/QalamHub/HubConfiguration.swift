// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// How often and when a request is tried again.
package struct RetryPolicy: Sendable {
    /// Failures in a row after which it is given up; bytes that arrive start the count again.
    package var attempts = 6
    /// The first pause; each further one is twice as long.
    package var pause: Duration = .milliseconds(500)
    /// The longest pause of our own choice.
    package var longestPause: Duration = .seconds(30)
    /// The longest pause that a server may ask for by `Retry-After`.
    package var longestWait: Duration = .seconds(300)

    /// The usual policy.
    package init() {}
}

/// Where the hub is and how to fetch from it.
package struct HubConfiguration: Sendable {
    /// The hub's address.
    package var endpoint: URL
    /// What the hub knows the user by; sent to the hub alone, never to where it redirects.
    package var token: String?
    /// Connections at once.
    package var parts = 4
    /// When to try again.
    package var retries = RetryPolicy()
    /// How long a connection may be silent.
    package var silence: Duration = .seconds(30)
    /// Files below this many bytes are fetched in one piece.
    package var smallestPiece = 8 << 20
    /// Bytes that go to the disk at once, and that a connection must bring to count as one that works.
    package var block = 1 << 20

    /// The hub at `endpoint`, or at `HF_ENDPOINT`; the token is `HF_TOKEN` unless one is given.
    package init(endpoint: String? = nil, token: String? = nil, environment: [String: String]) throws(HubError) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let text = endpoint ?? variable("HF_ENDPOINT") ?? "https://huggingface.co"
        let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard let url = URL(string: trimmed), Origin(url) != nil else {
            throw .badAnswer(url: text, why: "this is no address of a hub, which starts with https:// or http://")
        }
        self.endpoint = url
        self.token = token ?? variable("HF_TOKEN")
    }

    /// The address of `path` at the hub, whose parts must be encoded already.
    func url(_ path: String) throws(HubError) -> URL {
        let text = endpoint.absoluteString + path
        guard let url = URL(string: text) else { throw .badAnswer(url: text, why: "this is no address") }
        return url
    }
}

/// Scheme, host and port: to whom a token may be shown (RFC 6454).
struct Origin: Equatable, Sendable {
    let scheme: String
    let host: String
    let port: Int

    /// The origin of an HTTP address; nil of any other.
    init?(_ url: URL) {
        guard let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme), let host = url.host,
            !host.isEmpty
        else { return nil }
        self.scheme = scheme
        self.host = host.lowercased()
        port = url.port ?? (scheme == "https" ? 443 : 80)
    }
}

/// `text` as a part of an address: everything but unreserved characters encoded (RFC 3986, section 2.3).
func encoded(_ text: String, keepSlashes: Bool = false) -> String {
    var result = ""
    for byte in text.utf8 {
        if isNameByte(byte) || byte == UInt8(ascii: "~") || keepSlashes && byte == UInt8(ascii: "/") {
            result.unicodeScalars.append(UnicodeScalar(byte))
        } else {
            let hex = String(byte, radix: 16, uppercase: true)
            result += hex.utf8.count == 1 ? "%0\(hex)" : "%\(hex)"
        }
    }
    return result
}
