// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import QalamStore

/// Who asks, as far as answers and accounts depend on it.
struct Asker: Sendable {
    /// The key; nil: none was needed.
    var key: APIKey?
    /// The id of the request.
    var requestID: String
    /// Where to report what the sender need not know.
    var logger: Logger
    /// What such a report says of the request.
    var metadata: Logger.Metadata { ["request": .string(requestID)] }

    /// The id of the key that pays, if it isn't `key`: batches outlive requests.
    var account: String?

    /// Ends the answers when the asker leaves.
    var interruption = Interruption()

    /// The name that turns are taken by, and that accounts are kept under.
    var client: String { key?.id ?? account ?? "" }
}

/// A request whose sender may make it, with what handlers need to answer it.
struct Call: Sendable {
    /// The request; its body can be read once.
    let request: Request
    let context: ServerContext
    let platform: Platform
    let asker: Asker
    /// The query's parameters, known and checked.
    let query: [String: JSONValue]

    /// Admits a request to `route`.
    /// - Throws: `APIError` if it may not, or its query is wrong
    init(_ request: Request, _ context: ServerContext, route: Route, platform: Platform) async throws {
        self.request = request
        self.context = context
        self.platform = platform
        var key: APIKey?
        if let scope = route.scope { key = try await platform.access.admit(request, scope: scope) }
        asker = Asker(key: key, requestID: context.requestID, logger: context.logger)
        query = try Self.read(request.uri.query ?? "", route.query)
    }

    /// The part of the path called `name`.
    func parameter(_ name: String) -> String {
        let text = context.parameters.get(name) ?? ""
        return text.removingPercentEncoding ?? text
    }

    /// The rest of the path, slashes and all.
    var rest: String {
        let path = context.parameters.getCatchAll().joined(separator: "/")
        return path.removingPercentEncoding ?? path
    }

    /// The body as JSON, whatever it is.
    func body() async throws -> JSONValue { try await JSONValue(parsing: readBody()) }

    /// The body as JSON, whatever it is; an empty one is `{}`.
    func optionalBody() async throws -> JSONValue {
        let body = try await readBody()
        return try body.isEmpty ? [:] : JSONValue(parsing: body)
    }

    /// The body as JSON of `shape`; an empty one counts as `{}` where nothing is required.
    func json(_ shape: Shape) async throws -> JSONValue {
        let body = try await readBody()
        let json: JSONValue = try body.isEmpty && shape.allowsEmpty ? [:] : JSONValue(parsing: body)
        try shape.check(RequestField(body: json))
        return json
    }

    /// The whole body.
    /// - Throws: `APIError.bodyTooLarge`
    private func readBody() async throws -> [UInt8] {
        var request = request
        let limit = platform.configuration.bodyLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limit: limit)
        }
        do {
            return Array(try await request.collectBody(upTo: limit).readableBytesView)
        } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
            throw APIError.bodyTooLarge(limit: limit)
        }
    }

    private static func read(
        _ text: some StringProtocol, _ parameters: [Route.Parameter]
    ) throws(APIError) -> [String: JSONValue] {
        var query: [String: JSONValue] = [:]
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = pair.map { String($0).replacing("+", with: " ").removingPercentEncoding }
            guard let name = decoded.first ?? nil, let value = decoded.count > 1 ? decoded[1] : "" else {
                throw APIError("The query is not percent-encoded UTF-8.", code: "invalid_value")
            }
            try read(name, value, parameters, into: &query)
        }
        return query
    }

    private static func read(
        _ name: String, _ text: String, _ parameters: [Route.Parameter], into query: inout [String: JSONValue]
    ) throws(APIError) {
        // "include[]=a" is how OpenAI's clients write lists, "metadata[key]=a" how they write objects.
        let base = String(name.prefix { $0 != "[" })
        let unknown = APIError(
            "Unrecognized query parameter supplied: \(name)", param: name, code: "unknown_parameter")
        guard let parameter = parameters.first(where: { $0.name == base }) else { throw unknown }
        let value: JSONValue
        switch parameter.shape {
        case .array: value = .array((query[base]?.elements ?? []) + [.string(text)])
        case .map:
            guard name.hasSuffix("]"), name.count > base.count + 2 else { throw unknown }
            let key = String(name.dropFirst(base.count + 1).dropLast())
            value = (query[base] ?? [:]).setting(key, .string(text))
        default: value = parameter.shape.reading(.string(text))
        }
        try parameter.shape.check(RequestField(path: base, value: value))
        query[base] = value
    }
}

extension Shape {
    /// Whether an object without members has this shape.
    var allowsEmpty: Bool {
        switch self {
        case .object(let members): !members.contains(where: \.isRequired)
        case .named(_, let shape), .ruled(let shape, _): shape.allowsEmpty
        default: false
        }
    }
}
