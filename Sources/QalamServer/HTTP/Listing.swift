// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import QalamStore

/// Lists as OpenAI pages them: `after`, `limit`, `order`; `first_id`, `last_id`, `has_more`.
enum Listing {
    /// The parameters of a list.
    static func parameters(limit: Int = 100) -> [Route.Parameter] {
        [
            .init(name: "after", shape: .word), .init(name: "limit", shape: .integer(0...limit)),
            .init(name: "order", shape: .oneOf(["asc", "desc"])),
        ]
    }

    /// The shape of a list.
    static func shape(of shape: Shape) -> Shape {
        .object([
            .must("object", .oneOf(["list"])), .must("data", .list(shape)), .maybe("first_id", .text),
            .maybe("last_id", .text), .must("has_more", .bool),
        ])
    }

    /// The shape of what tells that something is gone.
    static func deletedShape(_ object: String) -> Shape {
        .object([.must("id", .text), .must("object", .oneOf([object])), .must("deleted", .bool)])
    }

    /// What a request asks to list.
    static func query(
        _ kind: RecordKind, in parent: String? = nil, _ call: Call, limit: Int = 20, newestFirst: Bool
    ) -> RecordQuery {
        let order = call.query["order"]?.text
        return RecordQuery(
            kind, in: parent, after: call.query["after"]?.text, limit: call.query["limit"]?.int ?? limit,
            newestFirst: order.map { $0 == "desc" } ?? newestFirst)
    }

    /// A page of documents, each as `show` has it.
    static func page(
        _ query: RecordQuery, _ store: any PlatformStore, _ show: (JSONValue) -> JSONValue = { $0 }
    ) async throws -> JSONValue {
        let page: RecordPage
        do {
            page = try await store.list(query)
        } catch StoreError.unknownCursor(let id) {
            throw APIError.noSuch("record", id, param: "after")
        }
        let documents = try page.records.map { show(try $0.json) }
        return [
            "object": "list", "data": .array(documents), "first_id": JSONValue(page.records.first?.id),
            "last_id": JSONValue(page.records.last?.id), "has_more": .bool(page.hasMore),
        ]
    }
}

extension Record {
    /// The document.
    var json: JSONValue {
        get throws { try JSONValue(parsing: Array(body.utf8)) }
    }
}

extension PlatformStore {
    /// The document there.
    /// - Throws: `APIError` with status 404 that calls it a `noun`
    func document(_ key: RecordKey, _ noun: String, param: String? = nil) async throws -> JSONValue {
        guard let record = try await find(key) else { throw APIError.noSuch(noun, key.id, param: param) }
        return try record.json
    }

    /// Changes the document there, together with `others`; another change at the same time is waited for.
    ///
    /// - Parameters:
    ///   - key: where it is
    ///   - noun: what to call it
    ///   - change: the new document, or nil to leave it as it is; it may be asked more than once
    /// - Returns: the document as it is then
    /// - Throws: `APIError` with status 404, or what `change` throws
    @discardableResult
    func update(
        _ key: RecordKey, _ noun: String, _ change: (JSONValue) throws -> (JSONValue, others: [RecordChange])?
    ) async throws -> JSONValue {
        while true {
            guard let record = try await find(key) else { throw APIError.noSuch(noun, key.id) }
            let old = try record.json
            guard let (new, others) = try change(old) else { return old }
            do {
                try await apply([.update(key, revision: record.revision, body: new.encoded)] + others)
                return new
            } catch StoreError.conflict(let id) where id == key.id {
                continue
            } catch StoreError.missing(let id) where id == key.id {
                throw APIError.noSuch(noun, key.id)
            }
        }
    }
}

extension APIError {
    /// There is no `noun` of this id.
    static func noSuch(_ noun: String, _ id: String, param: String? = "id") -> APIError {
        APIError("No such \(noun): \(id.prefix(200))", status: .notFound, param: param, code: "not_found")
    }
}
