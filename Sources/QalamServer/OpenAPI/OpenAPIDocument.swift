// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird

/// The OpenAPI 3.1 document of the routes, made from the table that requests are routed and checked by.
struct OpenAPIDocument {
    private(set) var json: JSONValue = [:]

    init(_ routes: [Route]) {
        var names: [String: JSONValue] = [:]
        var paths: [JSONValue.Member] = []
        for route in routes where route.tag != PageFiles.tag {
            let path = route.path.replacing("+}", with: "}")
            let operation = Self.operation(route, &names)
            let method = route.method.rawValue.lowercased()
            if let index = paths.firstIndex(where: { $0.name == path }) {
                paths[index].value = paths[index].value.setting(method, operation)
            } else {
                paths.append(.init(path, .object([.init(method, operation)])))
            }
        }
        let schemas = names.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }
        json = [
            "openapi": "3.1.0",
            "info": [
                "title": "Qalam", "version": "1.0.0", "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
                "description": "Language models behind the API of OpenAI. A field is honoured or refused by name.",
            ],
            "security": [["key": []], [:]], "paths": .object(paths),
            "components": [
                "securitySchemes": ["key": ["type": "http", "scheme": "bearer"]], "schemas": .object(schemas),
            ],
        ]
    }

    private static func operation(_ route: Route, _ names: inout [String: JSONValue]) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("tags", [.string(route.tag)]), .init("summary", .string(route.summary)),
            .init("operationId", .string(operationID(route))),
        ]
        if route.scope == nil { members.append(.init("security", [])) }
        var parameters = pathParameters(route.path)
        for parameter in route.query {
            var schema = parameter.shape.schema(&names)
            var style: JSONValue?
            if case .map = parameter.shape {
                // Its members are written `name[member]`.
                style = "deepObject"
                schema = schema.setting("propertyNames", ["minLength": 1])
            }
            let description: JSONValue = [
                "name": .string(parameter.name), "in": "query", "required": false, "schema": schema,
            ]
            parameters.append(description.setting("style", style))
        }
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = content(route.body, &names) {
            members.append(.init("requestBody", ["required": .bool(route.needsBody), "content": body]))
        }
        let answer: JSONValue =
            content(route.answer, &names).map { ["description": "The answer.", "content": $0] }
            ?? ["description": "Nothing."]
        let error: JSONValue = [
            "description": "What is wrong.",
            "content": ["application/json": ["schema": ErrorStyle(path: route.path).shape.schema(&names)]],
        ]
        members.append(.init("responses", ["200": answer, "4XX": error, "5XX": error]))
        return .object(members)
    }

    private static func operationID(_ route: Route) -> String {
        let words = route.path.split { !$0.isLetter && !$0.isNumber }.map { $0.capitalized }
        return route.method.rawValue.lowercased() + words.joined()
    }

    private static func pathParameters(_ path: String) -> [JSONValue] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            let name = String(part.dropFirst().dropLast()).replacing("+", with: "")
            return [
                "name": .string(name), "in": "path", "required": true,
                "schema": ["type": "string", "minLength": 1],
            ]
        }
    }

    private static func content(_ content: Route.Content, _ names: inout [String: JSONValue]) -> JSONValue? {
        switch content {
        case .none: return nil
        case .json(let shape): return ["application/json": ["schema": shape.schema(&names)]]
        case .stream(let shape):
            return [
                "application/json": ["schema": shape.schema(&names)],
                "text/event-stream": [:],
            ]
        case .lines(let shape):
            let schema = shape.schema(&names)
            return ["application/json": ["schema": schema], "application/x-ndjson": ["schema": ["type": "string"]]]
        case .form(let members):
            return ["multipart/form-data": ["schema": Shape.object(members, &names, inForm: true)]]
        case .bytes(let type):
            return .object([.init(type, ["schema": ["type": "string"]])])
        }
    }
}

extension Route {
    /// Whether the body can't be left out.
    fileprivate var needsBody: Bool {
        switch body {
        case .json(let shape): !shape.allowsEmpty
        case .none: false
        default: true
        }
    }
}
