// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import QalamEngine
import QalamStore
import ServiceLifecycle
import Synchronization

/// Writes the responses that nobody waits for on a connection.
///
/// Their events are kept as they come, so that a stream of them can be taken up again. What a killed server was in the
/// midst of is told as failed: a model would not go on from the middle of a word.
final class BackgroundRunner: Service {
    private let platform: Platform
    private let holder = randomText(length: 16)
    private let running = Mutex<Set<String>>([])

    init(_ platform: Platform) {
        self.platform = platform
    }

    /// Writes what there is to write until the server stops.
    func run() async throws {
        await platform.background.run { group in
            for id in await self.waiting() where self.running.withLock({ $0.insert(id).inserted }) {
                group.addTask {
                    await self.write(id)
                    self.running.withLock { _ = $0.remove(id) }
                }
            }
        }
    }

    private func waiting() async -> [String] {
        var ids: [String] = []
        for status in ["in_progress", "queued"] {
            var query = RecordQuery(.response)
            query.filters = [("$.status", status)]
            ids += (try? await platform.store.list(query).records.map(\.id)) ?? []
        }
        return ids
    }

    private func write(_ id: String) async {
        do {
            try await platform.store.exclusively("response \(id)", holder: holder) {
                try await run(RecordKey(.response, id))
            }
        } catch is CancellationError {
            // The server is stopping.
        } catch {
            platform.logger.error("a background response can't be written", metadata: ["error": "\(error)"])
        }
    }

    private func run(_ key: RecordKey) async throws {
        guard let document = try await platform.store.find(key)?.json else { return }
        var logger = platform.logger
        logger[metadataKey: "response"] = .string(key.id)
        switch document["status"]?.text {
        case "queued":
            var asker = Asker(key: nil, requestID: key.id, logger: logger)
            asker.account = document["key"]?.text
            do {
                try await write(key, document, asker)
            } catch is CancellationError {
                try await Task { try await fail(key, .stopping) }.value
                throw CancellationError()
            } catch  where APIError(error).status == .tooManyRequests {
                // It stays queued, and is tried again soon.
            } catch {
                logger.error("background response failed", metadata: ["error": "\(error)"])
                try await fail(key, APIError(error))
            }
        case "in_progress":
            // Its lease was free, so whoever wrote it is gone.
            try await fail(key, APIError("The server stopped while it wrote this.", code: "server_error"))
        default: break
        }
    }

    private func fail(_ key: RecordKey, _ error: APIError) async throws {
        try await platform.store.update(key, "response") { response in
            guard response["status"] == "queued" || response["status"] == "in_progress" else { return nil }
            return (ResponseObject.failed(response, error), [])
        }
    }

    private func write(_ key: RecordKey, _ document: JSONValue, _ asker: Asker) async throws {
        let store = platform.store
        let run = try await ResponseRun(resuming: document, platform)
        guard let generation = try await run.start(asker) else { throw UnfinishedAnswer() }
        var writer = ResponseWriter(
            ResponseObject.shown(document), withLogprobs: run.request.options.logprobs != nil)
        let opening = writer.opening()
        let begun = try await store.update(key, "response") { response in
            guard response["status"] == "queued" else { return nil }
            return (response.setting("status", "in_progress"), Self.insertions(opening, of: key))
        }
        guard begun["status"] == "in_progress" else { return }
        var pending: [JSONValue] = []
        var last = ContinuousClock.now
        try await generation.run { event in
            switch event {
            case .event(_, let event): pending += writer.events(for: event)
            case .failed(let error): throw error
            case .tick, .ended: break
            }
            guard !writer.isOver, last.duration(to: .now) > .milliseconds(100) else { return }
            last = .now
            let changes = Self.insertions(pending, of: key)
            pending = []
            try await store.apply(changes)
            guard try await store.document(key, "response")["status"] == "in_progress" else { throw Cancelled() }
        }
        let final = writer.response
        try await store.update(key, "response") { response in
            guard response["status"] == "in_progress" else { return nil }
            return (final, Self.insertions(pending, of: key) + run.turns(final))
        }
    }

    private static func insertions(_ events: [JSONValue], of key: RecordKey) -> [RecordChange] {
        events.map { event in
            let number = String(event["sequence_number"]?.int ?? 0)
            return .insert(
                RecordKey(.responseEvent, number, in: key.id), created: Platform.now, body: event.encoded)
        }
    }
}

/// Someone has cancelled or deleted the response.
private struct Cancelled: Error {}
