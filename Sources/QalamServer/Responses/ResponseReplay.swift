// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamStore

/// The stream of a stored response, once more from any event on; of one that is being written, as it goes on.
enum ResponseReplay {
    /// How often the store is asked for more.
    private static let interval = Duration.milliseconds(50)

    /// Sends the events of the response at `key` that come after number `after`.
    static func follow(_ key: RecordKey, after: Int?, _ call: Call) -> Response {
        let store = call.platform.store
        return call.events { writer in
            let document = try await store.document(key, "response")
            guard document["background"] == true else {
                for event in events(of: document) where number(event) > after ?? -1 {
                    try await writer.write(ResponseHandlers.framed(event))
                }
                return
            }
            var last = after ?? -1
            var waited = Duration.zero
            while true {
                let isOver = try await isOver(key, store)
                var query = RecordQuery(.responseEvent, in: key.id, limit: 1000)
                query.after = last < 0 ? nil : String(last)
                let page: RecordPage?
                do {
                    page = try await store.list(query)
                } catch StoreError.unknownCursor {
                    if isOver { return }
                    page = nil
                }
                for record in page?.records ?? [] {
                    let event = try record.json
                    try await writer.write(ResponseHandlers.framed(event))
                    last = number(event)
                    waited = .zero
                }
                if page?.hasMore == true { continue }
                if isOver || call.asker.interruption.isDue { return }
                try await Task.sleep(for: interval)
                waited += interval
                if waited >= call.platform.configuration.keepAlive {
                    try await writer.write(ServerSentEvent.keepAlive.buffer)
                    waited = .zero
                }
            }
        }
    }

    private static func number(_ event: JSONValue) -> Int { event["sequence_number"]?.int ?? 0 }

    private static func isOver(_ key: RecordKey, _ store: any PlatformStore) async throws -> Bool {
        guard let record = try await store.find(key) else { return true }
        return !["queued", "in_progress"].contains(try record.json["status"]?.text)
    }

    /// The events that a finished response could have come in: each part in one piece.
    private static func events(of document: JSONValue) -> [JSONValue] {
        let start = document.setting("status", "in_progress").setting("output", []).setting("usage", nil)
            .setting("completed_at", nil).setting("incomplete_details", nil).setting("error", nil)
        var writer = ResponseWriter(start.setting("usage", .null), withLogprobs: false)
        var events = writer.opening()
        for (index, item) in (document["output"]?.elements ?? []).enumerated() {
            events.append([
                "type": "response.output_item.added", "sequence_number": .integer(events.count),
                "output_index": .integer(index), "item": item,
            ])
            events.append([
                "type": "response.output_item.done", "sequence_number": .integer(events.count),
                "output_index": .integer(index), "item": item,
            ])
        }
        events.append([
            "type": .string("response.\(document["status"]?.text ?? "completed")"),
            "sequence_number": .integer(events.count), "response": ResponseObject.shown(document),
        ])
        return events
    }
}
