// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Sends requests: follows redirects, shows the token to the hub alone, tells failures that pass from those that stay.
struct Transport: Sendable {
    private static let redirectLimit = 10
    /// What an answer of JSON may have.
    private static let bodyLimit = 64 << 20

    let configuration: HubConfiguration
    private let client: HTTPClient
    private let home: Origin?

    /// Whether `url` is at the hub itself.
    func isHome(_ url: URL) -> Bool { Origin(url) == home }

    init(_ configuration: HubConfiguration, _ client: HTTPClient) {
        self.configuration = configuration
        self.client = client
        home = Origin(configuration.endpoint)
    }

    /// The client's settings: one connection a part (over HTTP/2 they would share one), redirects left to us.
    static func settings(_ configuration: HubConfiguration) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration(redirectConfiguration: .disallow)
        settings.httpVersion = .http1Only
        settings.timeout = .init(connect: .seconds(15), read: .init(configuration.silence))
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(8, configuration.parts)
        return settings
    }

    /// One attempt at `url`, through at most ten redirects.
    ///
    /// - Throws: `Transient` for what may pass: a broken connection, a busy server.
    func get(_ url: URL, range: Range<Int>? = nil) async throws -> Answer {
        var current = url
        var linkedTag: String?
        var commit: String?
        for _ in 0...Self.redirectLimit {
            let response = try await send(current, range)
            linkedTag = linkedTag ?? response.headers.first(name: "x-linked-etag")
            commit = commit ?? response.headers.first(name: "x-repo-commit")
            guard [301, 302, 303, 307, 308].contains(response.status.code) else {
                try checkBusy(response, current)
                return Answer(url: current, response: response, linkedTag: linkedTag, commit: commit)
            }
            // Reading the little that follows keeps the connection for the next request.
            _ = try? await response.body.collect(upTo: 1 << 16)
            current = try Self.target(of: response, at: current)
        }
        throw HubError.badAnswer(url: url.absoluteString, why: "it redirects more than \(Self.redirectLimit) times")
    }

    /// The whole body of an answer with a status that `get` does not throw for.
    func body(of answer: Answer) async throws -> [UInt8] {
        do {
            return Array(buffer: try await answer.body.collect(upTo: Self.bodyLimit))
        } catch is NIOTooManyBytesError {
            throw HubError.badAnswer(url: answer.url.absoluteString, why: "the answer is longer than 64 MB")
        } catch {
            throw try transient(error, answer.url)
        }
    }

    /// `error`, met while talking to `url`, as a failure that may pass; cancellation and our own errors stay as they
    /// are.
    func transient(_ error: any Error, _ url: URL) throws -> Transient {
        try Task.checkCancellation()
        if error is HubError || error is CancellationError { throw error }
        if let transient = error as? Transient { return transient }
        let why = Self.explain(error)
        return Transient(why: why, final: .unreachable(host: url.host ?? url.absoluteString, why: why))
    }

    private func send(_ url: URL, _ range: Range<Int>?) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url.absoluteString)
        request.headers.add(name: "user-agent", value: "qalam")
        request.headers.add(name: "accept-encoding", value: "identity")
        if let range { request.headers.add(name: "range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)") }
        if let token = configuration.token, isHome(url) {
            request.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        do {
            return try await client.execute(request, timeout: .init(configuration.silence) + .seconds(15))
        } catch {
            throw try transient(error, url)
        }
    }

    /// Throws for a server that is busy or in trouble, with the pause it asks for.
    private func checkBusy(_ response: HTTPClientResponse, _ url: URL) throws {
        let status = Int(response.status.code)
        guard [408, 425, 429].contains(status) || status >= 500 else { return }
        let why = response.headers.first(name: "x-error-message") ?? response.status.reasonPhrase
        throw Transient(
            why: "status \(status)", retryAfter: response.headers.first(name: "retry-after").flatMap { retryAfter($0) },
            final: .refused(url: shown(url), status: status, why: why))
    }

    private static func target(of response: HTTPClientResponse, at url: URL) throws(HubError) -> URL {
        guard let location = response.headers.first(name: "location"),
            let target = URL(string: location, relativeTo: url)?.absoluteURL, let origin = Origin(target)
        else { throw .badAnswer(url: shown(url), why: "it redirects to no address") }
        guard origin.scheme == "https" || url.scheme?.lowercased() == "http" else {
            throw .badAnswer(url: shown(url), why: "it redirects from https to plain http")
        }
        return target
    }

    /// One clause about a failed connection.
    private static func explain(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .readTimeout, .deadlineExceeded: "no answer in time"
            case .connectTimeout: "no connection in time"
            case .remoteConnectionClosed: "the connection was cut"
            default: error.shortDescription
            }
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { Self.explain($0.error) } ?? "\(error.host) is not known: no network?"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        default: "\(error)"
        }
    }
}

/// An address without its query, which may hold a signature.
func shown(_ url: URL) -> String {
    let text = url.absoluteString
    return text.firstIndex(of: "?").map { String(text[..<$0]) } ?? text
}

/// An answer whose body has not been read yet.
struct Answer: Sendable {
    /// Where it came from, after all redirects.
    let url: URL
    private let response: HTTPClientResponse
    private let linkedTag: String?
    /// The commit that the hub says it answered for.
    let commit: String?

    init(url: URL, response: HTTPClientResponse, linkedTag: String?, commit: String?) {
        self.url = url
        self.response = response
        self.linkedTag = linkedTag
        self.commit = commit
    }

    var status: Int { Int(response.status.code) }
    var body: HTTPClientResponse.Body { response.body }

    /// What names this version of the file: the hub's own tag, else the one of the server that holds the bytes.
    var tag: String? {
        guard var text = linkedTag ?? header("etag") else { return nil }
        if text.hasPrefix("W/") { text.removeFirst(2) }
        text = text.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        return text.isEmpty ? nil : text
    }

    /// The first and last byte and the size of the whole, of an answer to a request for a range; nil if it has none.
    var contentRange: (first: Int, last: Int, size: Int)? {
        guard let text = header("content-range"), text.hasPrefix("bytes ") else { return nil }
        let numbers = text.dropFirst(6).split { $0 == "-" || $0 == "/" }.map { Int($0) }
        guard numbers.count == 3, let first = numbers[0], let last = numbers[1], let size = numbers[2] else {
            return nil
        }
        return (first, last, size)
    }

    func header(_ name: String) -> String? { response.headers.first(name: name) }
}
