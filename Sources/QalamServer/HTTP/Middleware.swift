// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Logging

/// The outermost layer: gives each request an id, turns errors into OpenAI's shape, counts, and writes one log line, in
/// which nothing of the request's or the answer's content stands.
struct ResponseShaping: RouterMiddleware {
    let metrics: Metrics

    func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.requestID = Self.makeID()
        // The trace that the request belongs to goes on: into the log, and back to whoever began it.
        let trace = request.headers[.traceParent].flatMap { TraceParent($0) }
        context.trace = trace?.id
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as CancellationError {
            context.logger.debug("the client went away before its answer", metadata: context.metadata)
            throw error
        } catch {
            response = shaped(error, request, context)
        }
        response.headers[.requestID] = context.requestID
        response.headers[.traceParent] = trace?.header
        Self.protect(&response.headers)
        Self.note(
            request.method, context.endpointPath ?? "none", response.status, ContinuousClock.now - start,
            context.metadata, context.logger, metrics)
        return response
    }

    /// The id of a request.
    static func makeID() -> String { ids.makeID() }

    private static let ids = RequestIDs()

    /// Keeps browsers from taking an answer for what it isn't, and other sites from embedding it.
    static func protect(_ headers: inout HTTPFields) {
        headers[.xContentTypeOptions] = "nosniff"
        headers[.resourcePolicy] = "same-origin"
    }

    /// Counts a request that has been answered, and logs it.
    static func note(
        _ method: HTTPRequest.Method, _ route: String, _ status: HTTPResponse.Status, _ time: Duration,
        _ metadata: @autoclosure () -> Logger.Metadata, _ logger: Logger, _ metrics: Metrics
    ) {
        metrics.count(route: route, method: method.rawValue, status: status.code, time: time)
        guard logger.logLevel <= .info else { return }
        logger.info(
            "\(method.rawValue) \(route)",
            metadata: metadata().merging([
                "status": "\(status.code)", "seconds": "\(time / .seconds(1))",
            ]) { $1 })
    }

    private func shaped(_ error: any Error, _ request: Request, _ context: ServerContext) -> Response {
        var shaped = APIError(error)
        if shaped.status == .notFound, !(error is APIError) {
            shaped = .unknownURL(request.method.rawValue, request.uri.path)
        }
        if shaped.status == .internalServerError, !(error is APIError) {
            context.logger.error(
                "request failed", metadata: context.metadata.merging(["error": "\(error)"]) { $1 })
        }
        if shaped.status == .unauthorized, PageDoor.stands(before: request) {
            return PageDoor.response(wrong: request.method == .post)
        }
        var response = shaped.response(style: ErrorStyle(path: request.uri.path), requestID: context.requestID)
        if request.method == .head { response.body = .init() }
        return response
    }
}

/// The header `traceparent` of W3C's trace context, version 00.
struct TraceParent {
    /// The header as it came.
    let header: String
    /// The trace's id.
    let id: String

    /// Nil: it is not one.
    init?(_ header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        let isHex = header.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) || byte == UInt8(ascii: "-")
        }
        guard isHex, parts.map(\.count) == [2, 32, 16, 2] else { return nil }
        self.header = header
        id = String(parts[1])
    }
}

/// Refuses requests that a web page elsewhere makes a browser send, except from pages that are allowed.
///
/// - A page can have its own name point here (DNS rebinding), but then the browser sends that name as `Host`.
/// - A page can send a form here without asking, but then the browser sends where the page is from as `Origin`.
struct BrowserGuard: RouterMiddleware {
    /// The names that `Host` may have; nil: any.
    private let hosts: Set<String>?
    /// The names that a page of ours may come from, whatever `Host` is: those of proxies.
    private let proxies: Set<String>
    /// The origins whose pages may use the API; "*" is any.
    private let origins: Set<String>

    /// Allows what `configuration` allows.
    init(_ configuration: ServerConfiguration) {
        proxies = Set(configuration.allowedHosts.map { $0.lowercased() })
        origins = Set(configuration.corsOrigins.map { $0.lowercased() })
        guard configuration.isLoopback || !configuration.allowedHosts.isEmpty else {
            hosts = nil
            return
        }
        let names = ["localhost", "127.0.0.1", "::1", configuration.host] + configuration.allowedHosts
        hosts = Set(names.map { $0.lowercased() })
    }

    func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        let authority = request.head.authority
        guard admits(host: authority) else {
            let name = hostName(authority ?? "")
            throw APIError(
                "This server is not called \(name): use 127.0.0.1, or allow the name at its start.",
                status: .forbidden, code: "host_not_allowed")
        }
        guard let origin = request.headers[.origin] else { return try await next(request, context) }
        if origins.contains("*") || origins.contains(origin.lowercased()) {
            return try await answer(request, context, to: origin, next)
        }
        // "https://name:port", or "null"
        let from = origin.split(separator: "/", omittingEmptySubsequences: false).last.map { $0.lowercased() } ?? ""
        guard from == authority?.lowercased() || proxies.contains(hostName(from)) else {
            throw APIError(
                "Requests from web pages of other sites are not allowed (--cors allows one).", status: .forbidden,
                code: "origin_not_allowed")
        }
        return try await next(request, context)
    }

    /// Whether the server may be called by the name or address in `authority`.
    func admits(host authority: String?) -> Bool {
        guard let hosts, let authority else { return true }
        return hosts.contains(hostName(authority))
    }

    /// Answers a page of another site that is allowed (CORS).
    private func answer(
        _ request: Request, _ context: ServerContext, to origin: String,
        _ next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
            response = Response(status: .noContent)
            response.headers[.accessControlAllowMethods] = "GET, POST, DELETE"
            response.headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders]
            response.headers[.accessControlMaxAge] = "600"
        } else {
            do {
                response = try await next(request, context)
            } catch let error as CancellationError {
                throw error
            } catch {
                // The page may read errors too.
                var shaped = APIError(error)
                shaped.headers[.accessControlAllowOrigin] = origin
                shaped.headers[.vary] = "Origin"
                throw shaped
            }
        }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] = "x-request-id, retry-after"
        response.headers[.vary] = "Origin"
        return response
    }

    /// The name or address in "name:port", without the brackets of IPv6.
    private func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return authority[authority.index(after: authority.startIndex)..<end].lowercased()
        }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
