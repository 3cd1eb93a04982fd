// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Hummingbird
import QalamEngine

extension QalamServer {
    /// All routes of the server, on one screen.
    package func makeRouter() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: ResponseShaping())
        router.add(middleware: BrowserGuard(configuration))
        let list = ModelList(models)
        let chat = ChatHandler(models: list, configuration: configuration)

        for (path, asset) in Page.assets {
            router.route(path, .get) { asset.respond(to: $0, context: $1) }
        }
        router.route("/healthz", .get) { _, _ in Response(json: ["status": "ok"]) }
        router.route("/v1/models", .get) { _, _ in Response(json: list.json) }
        router.route("/v1/models/**", .get) { _, context in
            Response(json: ModelList.json(try list.find(modelID(context))))
        }
        router.route("/v1/chat/completions", .post) { try await chat.respond(to: $0, context: $1) }
        return router
    }

    /// The rest of the path: a model's id, which may hold slashes, percent-encoded or not.
    private func modelID(_ context: BasicRequestContext) -> String {
        let path = context.parameters.getCatchAll().joined(separator: "/")
        return path.removingPercentEncoding ?? path
    }
}

extension Router {
    /// Sends requests for `path` to `handler`; any other method is told which one is right.
    fileprivate func route(
        _ path: RouterPath, _ method: HTTPRequest.Method,
        _ handler: @escaping @Sendable (Request, Context) async throws -> Response
    ) {
        on(path, method: method, use: handler)
        let allowed = method == .get ? "GET, HEAD" : method.rawValue
        let others: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]
        for other in others where other != method && !(method == .get && other == .head) {
            on(path, method: other) { request, _ -> Response in
                throw APIError.methodNotAllowed(other.rawValue, request.uri.path, allowed: allowed)
            }
        }
    }
}
