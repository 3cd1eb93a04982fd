// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
import QalamEngine
import QalamStore

/// An error as OpenAI's clients expect it: a status, and `{"error": {message, type, param, code}}`.
///
/// Every error that leaves the server is one of these; `init(_:)` is the one place where others become it.
package struct APIError: Error, Equatable {
    /// The HTTP status; clients choose the exception's class by it.
    package var status: HTTPResponse.Status
    /// What is wrong and what to do, for people.
    package var message: String
    /// The field of the request that is to blame, such as `messages[1].content`.
    package var param: String?
    /// What is wrong, for programs.
    package var code: String?
    /// Headers beside the usual ones.
    package var headers: HTTPFields = [:]

    /// An error that the sender of the request can mend.
    package init(_ message: String, status: HTTPResponse.Status = .badRequest, param: String? = nil, code: String?) {
        self.status = status
        self.message = message
        self.param = param
        self.code = code
    }

    /// OpenAI's name for the family of errors.
    package var type: String {
        switch status {
        case .tooManyRequests: "rate_limit_error"
        case _ where status.kind == .serverError: "server_error"
        default: "invalid_request_error"
        }
    }

    /// The body: all four keys are always there.
    package var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": param.map(JSONValue.string) ?? .null,
                "code": code.map(JSONValue.string) ?? .null,
            ]
        ]
    }
}

extension APIError: HTTPResponseError {
    /// The error as a response, with its headers.
    package func response(from request: Request, context: some RequestContext) -> Response {
        response(style: ErrorStyle(path: request.uri.path), requestID: nil)
    }

    /// The error as a response, as the clients of an API expect it.
    func response(style: ErrorStyle, requestID: String?) -> Response {
        var response = Response(json: style.json(self, requestID: requestID), status: status)
        response.headers.append(contentsOf: headers)
        if status.kind == .serverError {
            // The same request would fail in the same way: tell the SDK not to send it twice more.
            response.headers[.shouldRetry] = "false"
        }
        return response
    }
}

extension APIError {
    /// What a client is told about `error`.
    package init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as EngineError: self.init(error)
        case StoreError.missing(let id), StoreError.unknownCursor(let id): self = .noSuch("record", id)
        case StoreError.exists(let id), StoreError.conflict(let id):
            self.init("Another request has changed \(id) meanwhile: try again.", status: .conflict, code: "conflict")
        case let error as JSONError:
            self.init("We could not parse the JSON body of your request: \(error.description)", code: nil)
        case let error as any HTTPResponseError:
            // Hummingbird's own: a path without a route, a body over its limit.
            self.init(error.status.reasonPhrase + ".", status: error.status, code: nil)
        default:
            self.init(
                "The server had an error while processing your request.", status: .internalServerError, code: nil)
        }
    }

    /// What a client is told when the model refuses a request.
    private init(_ error: EngineError) {
        switch error {
        case .contextOverflow:
            self.init(error.description, param: "messages", code: "context_length_exceeded")
        case .badMessages:
            self.init(error.description, param: "messages", code: "invalid_value")
        case .badOption(let name, _):
            self.init(error.description, param: name, code: "invalid_value")
        case .memoryOverflow:
            self.init(error.description, param: "messages", code: "context_length_exceeded")
        case .badInput(_, let tokens, _):
            self.init(
                error.description, param: "input", code: tokens == 0 ? "invalid_value" : "context_length_exceeded")
        case .unsupported:
            self.init(error.description, status: .notFound, param: "model", code: "unsupported_model")
        case .unknownAdapter:
            self.init(error.description, status: .notFound, param: "model", code: "model_not_found")
        case .unknownModel:
            self.init(error.description, status: .notFound, param: "model", code: "model_not_found")
        case .busy, .noMemory:
            self.init(error.description, status: .tooManyRequests, code: "rate_limit_exceeded")
            headers[.retryAfter] = "1"
        }
    }

    /// No such path.
    package static func unknownURL(_ method: String, _ path: String) -> APIError {
        APIError("Invalid URL (\(method) \(path))", status: .notFound, code: "unknown_url")
    }

    /// The path is there, but not for this method.
    package static func methodNotAllowed(_ method: String, _ path: String, allowed: String) -> APIError {
        var error = APIError(
            "Not allowed to \(method) on \(path): use \(allowed).", status: .methodNotAllowed,
            code: "method_not_supported")
        error.headers[.allow] = allowed
        return error
    }

    /// None of the models served is called `id`.
    package static func unknownModel(_ id: String, served: [String]) -> APIError {
        let names = served.isEmpty ? "none is served here" : "served here: \(served.joined(separator: ", "))"
        // Some clients tell errors apart by these two words in the message.
        return APIError(
            "The model `\(id)` does not exist; \(names) (invalid_request_error: model_not_found).",
            status: .notFound, param: "model", code: "model_not_found")
    }

    /// The body has more bytes than the server takes.
    package static func bodyTooLarge(limit: Int) -> APIError {
        APIError(
            "The request body is larger than the limit of \(limit) bytes.", status: .contentTooLarge,
            code: "request_too_large")
    }

    /// As many answers are being written as the server allows.
    package static func busy(limit: Int) -> APIError {
        var error = APIError(
            "The server is already writing \(limit) answers, its limit: try again in a moment.",
            status: .tooManyRequests, code: "rate_limit_exceeded")
        error.headers[.retryAfter] = "1"
        return error
    }

    /// The server is stopping.
    package static let stopping = APIError(
        "The server is shutting down.", status: .serviceUnavailable, code: "server_shutting_down")
}

extension Response {
    /// A response whose body is `json`.
    package init(json: JSONValue, status: HTTPResponse.Status = .ok) {
        var bytes: [UInt8] = []
        json.write(to: &bytes)
        self.init(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
