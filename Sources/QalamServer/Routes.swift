// SPDX-License-Identifier: Apache-2.0

import Hummingbird

extension QalamServer {
    /// All routes of the server; each group is listed where it is answered.
    static let routes: [Route] =
        PageHandlers.routes
        + OperationHandlers.routes
        + ModelHandlers.routes
        + ChatHandlers.routes
        + CompletionHandlers.routes
        + ResponseHandlers.routes
        + EmbeddingHandlers.routes
        + RerankHandlers.routes
        + TokenHandlers.routes
        + ImageHandlers.routes
        + MessageHandlers.routes
        + OllamaHandlers.routes
        + FileHandlers.routes
        + UploadHandlers.routes
        + BatchHandlers.routes
        + ConversationHandlers.routes

    /// The router, with what goes before every route.
    func makeRouter(_ platform: Platform) -> Router<ServerContext> {
        let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ResponseShaping(metrics: platform.metrics))
        router.add(middleware: BrowserGuard(configuration))
        if configuration.contractMode { router.add(middleware: ContractSeeds(store: store)) }
        router.add(Self.routes, on: platform)
        return router
    }
}
