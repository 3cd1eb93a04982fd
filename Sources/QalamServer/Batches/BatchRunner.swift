// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Logging
import QalamStore
import ServiceLifecycle

/// Runs batches, one after another, a few of their requests at a time.
///
/// Each answer is kept before the next is begun in its place, so a killed server goes on after the last one. Of several
/// servers on one store, one runs a batch: it holds a lease, which the others take over when it is no longer renewed.
final class BatchRunner: Service {
    /// How a request is answered: its path and body give the answer's body.
    typealias Answer = @Sendable (_ endpoint: String, _ body: JSONValue, _ asker: Asker) async throws -> JSONValue

    /// What batches may ask.
    static let endpoints = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]

    private let platform: Platform
    private let store: any PlatformStore
    private let answer: Answer
    private let concurrency = 4
    private let logger: Logger
    private let holder = randomText(length: 16)

    init(_ platform: Platform, answer: @escaping Answer) {
        self.platform = platform
        self.answer = answer
        store = platform.store
        logger = platform.logger
    }

    /// Runs what there is to run until the server stops.
    func run() async throws { await platform.batches.run { _ in await self.runAll() } }

    private func runAll() async {
        do {
            for status in ["cancelling", "finalizing", "in_progress", "validating"] {
                var query = RecordQuery(.batch)
                query.filters = [("$.status", status)]
                for record in try await store.list(query).records {
                    try Task.checkCancellation()
                    try await runIfFree(record.id)
                }
            }
        } catch is CancellationError {
            // The server is stopping; another one, or the next one, goes on.
        } catch {
            logger.error("batches can't be run", metadata: ["error": "\(error)"])
        }
    }

    private func runIfFree(_ id: String) async throws {
        try await store.exclusively("batch \(id)", holder: holder) {
            do {
                try await run(id)
            } catch let error as APIError where error.status == .notFound {
                try await end(id, "failed", at: "failed_at") { $0.setting("errors", Self.errors([Self.fault(error)])) }
            }
        }
    }

    private static func fault(_ error: APIError) -> BatchLine.Fault {
        .init(code: error.code ?? "error", message: error.message, param: error.param, line: nil)
    }

    private static func errors(_ faults: [BatchLine.Fault]) -> JSONValue {
        ["object": "list", "data": .array(faults.map(\.json))]
    }

    // MARK: One batch

    private func run(_ id: String) async throws {
        let batch = try await document(id)
        let file = try await store.file(batch["input_file_id"]?.text ?? "", param: "input_file_id")
        let endpoint = batch["endpoint"]?.text ?? ""
        let (lines, faults) = BatchLine.read(try store.blobs.read(file["id"]?.text ?? ""), endpoint: endpoint)
        guard faults.isEmpty else {
            try await end(id, "failed", at: "failed_at") { $0.setting("errors", Self.errors(faults)) }
            return
        }
        if batch["status"] == "validating" {
            try await store.update(RecordKey(.batch, id), "batch") { batch in
                guard batch["status"] == "validating" else { return nil }
                return (
                    batch.setting("status", "in_progress").setting("in_progress_at", .integer(Platform.now))
                        .setting("request_counts", Self.counts(lines.count, 0, 0)), []
                )
            }
        }
        let done = try await results(id)
        let open = lines.indices.filter { done[$0] == nil }
        try await answerAll(open.map { ($0, lines[$0]) }, id, endpoint, key: batch["key"]?.text)
        try await finish(id, lines)
    }

    private func document(_ id: String) async throws -> JSONValue {
        try await store.document(RecordKey(.batch, id), "batch")
    }

    private static func counts(_ total: Int, _ completed: Int, _ failed: Int) -> JSONValue {
        ["total": .integer(total), "completed": .integer(completed), "failed": .integer(failed)]
    }

    /// Answers the lines, some at a time, until all are or the batch is cancelled or late.
    private func answerAll(_ lines: [(Int, BatchLine)], _ id: String, _ endpoint: String, key: String?) async throws {
        var rest = lines[...]
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            while let (index, line) = rest.popFirst() {
                guard try await goesOn(id) else { break }
                if running >= concurrency {
                    try await group.next()
                    running -= 1
                }
                group.addTask { try await self.answer(line, index, id, endpoint, key: key) }
                running += 1
            }
            try await group.waitForAll()
        }
    }

    private func goesOn(_ id: String) async throws -> Bool {
        let batch = try await document(id)
        return batch["status"] == "in_progress" && (batch["expires_at"]?.int ?? .max) > Platform.now
    }

    /// Answers one line and keeps the answer, with the count of them.
    private func answer(_ line: BatchLine, _ index: Int, _ id: String, _ endpoint: String, key: String?) async throws {
        let requestID = ResponseShaping.makeID()
        var logger = logger
        logger[metadataKey: "request"] = .string(requestID)
        var asker = Asker(key: nil, requestID: requestID, logger: logger)
        asker.account = key
        var status = 200
        var body: JSONValue
        do {
            body = try await answerWhenFree(endpoint, line.body, asker)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let error = APIError(error)
            if error == .stopping { throw CancellationError() }
            status = error.status.code
            body = error.json
        }
        let result: JSONValue = [
            "id": .string("batch_req_" + randomText(length: 24)), "custom_id": .string(line.customID),
            "response": ["status_code": .integer(status), "request_id": .string(requestID), "body": body],
            "error": nil,
        ]
        let kept = RecordChange.insert(
            RecordKey(.batchLine, String(index), in: id), created: Platform.now, body: result.encoded)
        try await store.update(RecordKey(.batch, id), "batch") { batch in
            let counts = batch["request_counts"]
            let failed = (counts?["failed"]?.int ?? 0) + (status == 200 ? 0 : 1)
            let completed = (counts?["completed"]?.int ?? 0) + (status == 200 ? 1 : 0)
            let total = counts?["total"]?.int ?? 0
            return (batch.setting("request_counts", Self.counts(total, completed, failed)), [kept])
        }
    }

    /// Answers a request; a server that is busy is waited for, since nobody else waits.
    private func answerWhenFree(_ endpoint: String, _ body: JSONValue, _ asker: Asker) async throws -> JSONValue {
        while true {
            do {
                return try await answer(endpoint, body, asker)
            } catch  where APIError(error).status == .tooManyRequests {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// All answers so far, by the number of their line.
    private func results(_ id: String) async throws -> [Int: JSONValue] {
        var results: [Int: JSONValue] = [:]
        var query = RecordQuery(.batchLine, in: id, limit: 1000)
        while true {
            let page = try await store.list(query)
            for record in page.records { results[Int(record.id) ?? -1] = try record.json }
            guard page.hasMore else { return results }
            query.after = page.records.last?.id
        }
    }

    // MARK: The end

    /// Writes the files of answers and ends the batch.
    private func finish(_ id: String, _ lines: [BatchLine]) async throws {
        let key = RecordKey(.batch, id)
        let batch = try await store.update(key, "batch") { batch in
            guard batch["status"] == "in_progress" else { return nil }
            return (batch.setting("status", "finalizing").setting("finalizing_at", .integer(Platform.now)), [])
        }
        var outputs = Data()
        var errors = Data()
        let results = try await results(id)
        for (index, line) in lines.enumerated() {
            if let result = results[index] {
                let isGood = result["response"]?["status_code"] == 200
                let text = Data((result.encoded + "\n").utf8)
                if isGood { outputs += text } else { errors += text }
            } else {
                errors += Data((Self.skipped(line, batch).encoded + "\n").utf8)
            }
        }
        let (status, time) =
            switch batch["status"]?.text {
            case "cancelling": ("cancelled", "cancelled_at")
            case _ where results.count < lines.count: ("expired", "expired_at")
            default: ("completed", "completed_at")
            }
        var files: [(member: String, id: String, change: RecordChange)] = []
        for (member, name, data) in [("output_file_id", "output", outputs), ("error_file_id", "error", errors)]
        where !data.isEmpty {
            let file = "file-" + randomText(length: 24)
            let change = try await store.writeFile(
                id: file, data, filename: "\(id)_\(name).jsonl", purpose: "batch_output",
                lifetime: batch["output_lifetime"]?.int)
            files.append((member, file, change))
        }
        try await end(id, status, at: time, with: files.map(\.change)) { batch in
            files.reduce(batch) { $0.setting($1.member, .string($1.id)) }
        }
    }

    private static func skipped(_ line: BatchLine, _ batch: JSONValue) -> JSONValue {
        let isCancelled = batch["status"] == "cancelling"
        return [
            "id": .string("batch_req_" + randomText(length: 24)), "custom_id": .string(line.customID), "response": nil,
            "error": [
                "code": isCancelled ? "batch_cancelled" : "batch_expired",
                "message": isCancelled ? "The batch was cancelled before." : "The batch's time was up before.",
            ],
        ]
    }

    /// Ends a batch, in one step with its files and without the answers that are in them.
    private func end(
        _ id: String, _ status: String, at time: String, with others: [RecordChange] = [],
        _ change: (JSONValue) -> JSONValue
    ) async throws {
        try await store.update(RecordKey(.batch, id), "batch") { batch in
            (change(batch).setting("status", .string(status)).setting(time, .integer(Platform.now)), others)
        }
        logger.info("batch \(status)", metadata: ["batch": .string(id)])
    }
}
