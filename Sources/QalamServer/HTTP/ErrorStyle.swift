// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// How the clients of an API expect errors.
enum ErrorStyle {
    /// `{"error": {message, type, param, code}}`.
    case openAI
    /// `{"type": "error", "error": {type, message}}`.
    case anthropic
    /// `{"error": message}`.
    case ollama

    /// The style of the API that `path` belongs to.
    init(path: String) {
        if path == "/v1/messages" || path.hasPrefix("/v1/messages/") {
            self = .anthropic
        } else if path.hasPrefix("/api/") {
            self = .ollama
        } else {
            self = .openAI
        }
    }

    /// What such a body looks like.
    var shape: Shape {
        switch self {
        case .openAI:
            .named(
                "Error",
                .object([
                    .must(
                        "error",
                        .object([
                            .must("message", .text), .must("type", .text), .maybe("param", .text),
                            .maybe("code", .text),
                        ]))
                ]))
        case .anthropic:
            .named(
                "AnthropicError",
                .object([
                    .must("type", .oneOf(["error"])),
                    .must("error", .object([.must("type", .text), .must("message", .text)])),
                    .maybe("request_id", .text),
                ]))
        case .ollama: .named("OllamaError", .object([.must("error", .text)]))
        }
    }

    /// The body of an answer that tells of `error`.
    func json(_ error: APIError, requestID: String?) -> JSONValue {
        switch self {
        case .openAI: error.json
        case .ollama: ["error": .string(error.message)]
        case .anthropic:
            [
                "type": "error", "error": ["type": .string(Self.type(error)), "message": .string(error.message)],
                "request_id": JSONValue(requestID),
            ]
        }
    }

    private static func type(_ error: APIError) -> String {
        switch error.status.code {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}
