// SPDX-License-Identifier: Apache-2.0

import QalamStore

/// Answers requests that come from a batch's file, as the routes do.
enum BatchAnswers {
    /// The answer's body.
    /// - Throws: what the route would answer with an error
    static func answer(
        _ endpoint: String, _ body: JSONValue, _ platform: Platform, _ asker: Asker
    ) async throws -> JSONValue {
        switch endpoint {
        case "/v1/chat/completions":
            return try await ChatHandlers.complete(
                try ChatRequest(body, platform.configuration), body, platform, asker)
        case "/v1/completions": return try await CompletionHandlers.complete(body, platform, asker)
        case "/v1/embeddings": return try await EmbeddingHandlers.embed(body, platform, asker)
        case "/v1/responses": return try await ResponseHandlers.complete(body, platform, asker)
        default: throw APIError.unknownURL("POST", endpoint)
        }
    }
}
