// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// One row of the table of routes: from it come the router, the check of keys and the OpenAPI document.
struct Route: Sendable {
    /// How a request is answered.
    typealias Handler = @Sendable (Call) async throws -> Response

    /// A parameter in the query.
    struct Parameter: Sendable {
        let name: String
        let shape: Shape
    }

    /// What a body or an answer holds.
    enum Content: Sendable {
        /// Nothing.
        case none
        /// JSON of this shape.
        case json(Shape)
        /// A form with files, described by its members.
        case form([Shape.Member])
        /// Bytes of this type.
        case bytes(type: String)
        /// A JSON body or, if the request asks for it, a stream of events.
        case stream(Shape)
        /// A JSON body, or lines of such.
        case lines(Shape)
    }

    let method: HTTPRequest.Method
    /// The path, with `{name}` for what varies; a `{name}` that ends in `+` takes slashes too.
    let path: String
    /// The heading it stands under.
    let tag: String
    /// What it does, in a few words.
    let summary: String
    /// What a key must be allowed; nil: no key is needed.
    let scope: KeyScope?
    var query: [Parameter] = []
    var body = Content.none
    var answer = Content.json(.anyObject)
    let handler: Handler

    static func get(
        _ path: String, _ tag: String, _ summary: String, scope: KeyScope? = .infer, query: [Parameter] = [],
        answer: Content = .json(.anyObject), _ handler: @escaping Handler
    ) -> Route {
        Route(
            method: .get, path: path, tag: tag, summary: summary, scope: scope, query: query, answer: answer,
            handler: handler)
    }

    static func post(
        _ path: String, _ tag: String, _ summary: String, scope: KeyScope? = .infer, query: [Parameter] = [],
        body: Content = .none, answer: Content = .json(.anyObject), _ handler: @escaping Handler
    ) -> Route {
        Route(
            method: .post, path: path, tag: tag, summary: summary, scope: scope, query: query, body: body,
            answer: answer, handler: handler)
    }

    static func delete(
        _ path: String, _ tag: String, _ summary: String, scope: KeyScope? = .infer,
        answer: Content = .json(.anyObject), _ handler: @escaping Handler
    ) -> Route {
        Route(
            method: .delete, path: path, tag: tag, summary: summary, scope: scope, answer: answer, handler: handler)
    }

    /// Whether it belongs to the page.
    var isPage: Bool { tag == PageFiles.tag || tag == PageChats.tag }

    /// The path as Hummingbird writes it.
    var routerPath: RouterPath {
        RouterPath(
            path.split(separator: "/", omittingEmptySubsequences: false).map { part in
                guard part.hasPrefix("{") else { return String(part) }
                return part.hasSuffix("+}") ? "**" : ":" + part.dropFirst().dropLast()
            }.joined(separator: "/"))
    }
}

extension Router where Context == ServerContext {
    /// Sends requests to the routes' handlers; a method that a path doesn't have is told which ones it has.
    func add(_ routes: [Route], on platform: Platform) {
        for route in routes {
            on(route.routerPath, method: route.method) { request, context in
                let call = try await Call(request, context, route: route, platform: platform)
                return try await route.handler(call)
            }
        }
        for (path, routes) in Dictionary(grouping: routes, by: \.routerPath.description) {
            var methods = routes.map(\.method)
            if methods.contains(.get) { methods.append(.head) }
            let allowed = [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete, .options]
                .filter(methods.contains).map(\.rawValue).joined(separator: ", ")
            let known: [HTTPRequest.Method?] = [
                .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect, .init("QUERY"),
            ]
            for other in known.compactMap({ $0 })
            where !methods.contains(other) {
                on(RouterPath(path), method: other) { request, _ -> Response in
                    throw APIError.methodNotAllowed(other.rawValue, request.uri.path, allowed: allowed)
                }
            }
        }
    }
}
