// SPDX-License-Identifier: Apache-2.0

import Foundation

/// One request of a batch.
struct BatchLine: Sendable, Equatable {
    /// What its sender calls it.
    let customID: String
    /// The body for the batch's endpoint.
    let body: JSONValue

    /// What is wrong with a batch's file.
    struct Fault: Sendable {
        let code: String
        let message: String
        let param: String?
        let line: Int?

        /// As in `errors` of a batch.
        var json: JSONValue {
            ["code": .string(code), "message": .string(message), "param": JSONValue(param), "line": JSONValue(line)]
        }
    }

    /// The most requests in a batch.
    static let limit = 50_000
    private static let shape = Shape.object([
        .must("custom_id", .string(1...512)), .must("method", .oneOf(["POST"])), .must("url", .word),
        .must("body", .anyObject),
    ])

    /// Reads all lines of a file.
    /// - Returns: the lines, or what is wrong, a hundred faults at most
    static func read(_ data: Data, endpoint: String) -> (lines: [BatchLine], faults: [Fault]) {
        var lines: [BatchLine] = []
        var faults: [Fault] = []
        var names: Set<String> = []
        for (index, text) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
            let bytes = text.last == UInt8(ascii: "\r") ? text.dropLast() : text
            if bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) { continue }
            guard faults.count < 100, lines.count < limit else { break }
            do throws(APIError) {
                let line = try parse(bytes, endpoint)
                guard names.insert(line.customID).inserted else {
                    throw APIError(
                        "Another line has the custom_id \(line.customID).", param: "custom_id",
                        code: "duplicate_custom_id")
                }
                lines.append(line)
            } catch {
                faults.append(
                    Fault(
                        code: error.code ?? "invalid_json_line", message: error.message, param: error.param,
                        line: index + 1))
            }
        }
        if lines.isEmpty, faults.isEmpty {
            faults.append(Fault(code: "empty_file", message: "The file has no requests.", param: nil, line: nil))
        }
        return (lines, faults)
    }

    private static func parse(_ bytes: Data, _ endpoint: String) throws(APIError) -> BatchLine {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: Array(bytes))
        } catch {
            throw APIError("This line is not JSON: \(error.description)", code: "invalid_json_line")
        }
        try shape.check(RequestField(body: json))
        guard json["url"]?.text == endpoint else {
            throw APIError(
                "The url of this line is not the endpoint of the batch, \(endpoint).", param: "url",
                code: "mismatched_url")
        }
        guard json["body"]?["stream"] != true else {
            throw APIError("Requests of a batch can't be streamed.", param: "body.stream", code: "invalid_value")
        }
        return BatchLine(customID: json["custom_id"]?.text ?? "", body: json["body"] ?? [:])
    }
}
