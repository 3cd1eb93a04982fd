// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging

/// The outermost layer: gives each request an id, turns errors into OpenAI's shape, and writes one log line.
struct ResponseShaping<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let id = "req_" + randomText(length: 24)
        var context = context
        context.logger[metadataKey: "request"] = .string(id)
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as CancellationError {
            context.logger.debug("the client went away before its answer")
            throw error
        } catch {
            response = shaped(error, request, context)
        }
        response.headers[.requestID] = id
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.resourcePolicy] = "same-origin"
        context.logger.info(
            "\(request.method.rawValue) \(request.uri.path)",
            metadata: ["status": "\(response.status.code)", "time": "\(ContinuousClock.now - start)"])
        return response
    }

    private func shaped(_ error: any Error, _ request: Request, _ context: Context) -> Response {
        var shaped = APIError(error)
        if shaped.status == .notFound, !(error is APIError) {
            shaped = .unknownURL(request.method.rawValue, request.uri.path)
        }
        if shaped.status == .internalServerError {
            context.logger.error("request failed", metadata: ["error": "\(error)"])
        }
        var response = shaped.response(from: request, context: context)
        if request.method == .head { response.body = .init() }
        return response
    }
}

/// Refuses requests that a web page elsewhere makes a browser send: the server has no other guard on this machine.
///
/// - A page can have its own name point here (DNS rebinding), but then the browser sends that name as `Host`.
/// - A page can send a form here without asking, but then the browser sends where the page is from as `Origin`.
struct BrowserGuard<Context: RequestContext>: RouterMiddleware {
    /// The names that `Host` may have; nil: any.
    private let hosts: Set<String>?
    /// The names that a page of ours may come from, whatever `Host` is: those of proxies.
    private let proxies: Set<String>

    /// Allows what `configuration` allows.
    init(_ configuration: ServerConfiguration) {
        proxies = Set(configuration.allowedHosts.map { $0.lowercased() })
        guard configuration.isLoopback || !configuration.allowedHosts.isEmpty else {
            hosts = nil
            return
        }
        let names = ["localhost", "127.0.0.1", "::1", configuration.host] + configuration.allowedHosts
        hosts = Set(names.map { $0.lowercased() })
    }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let authority = request.head.authority
        if let hosts, let authority {
            let name = hostName(authority)
            guard hosts.contains(name) else {
                throw APIError(
                    "This server is not called \(name): use 127.0.0.1, or allow the name at its start.",
                    status: .forbidden, code: "host_not_allowed")
            }
        }
        if let origin = request.headers[.origin] {
            // "https://name:port", or "null"
            let from = origin.split(separator: "/", omittingEmptySubsequences: false).last.map { $0.lowercased() } ?? ""
            guard from == authority?.lowercased() || proxies.contains(hostName(from)) else {
                throw APIError(
                    "Requests from web pages of other sites are not allowed.", status: .forbidden,
                    code: "origin_not_allowed")
            }
        }
        return try await next(request, context)
    }

    /// The name or address in "name:port", without the brackets of IPv6.
    private func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return authority[authority.index(after: authority.startIndex)..<end].lowercased()
        }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
