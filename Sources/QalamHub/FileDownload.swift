// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import QalamFormats
internal import Synchronization

/// Fetches one file: several ranges at once, on from where an earlier attempt stopped.
struct FileDownload: Sendable {
    /// The bytes that are here belong to another version than those that come.
    private struct Changed: Error {}

    let file: HubFile
    let url: URL
    let part: PartFile
    let transport: Transport
    let progress: PullProgress
    /// What an answer of a status without bytes means.
    let refusal: @Sendable (Answer) async throws -> HubError

    private var configuration: HubConfiguration { transport.configuration }

    /// Fetches what is missing, at most `connections` ranges at once.
    func run(connections: Int) async throws {
        for _ in 0..<3 {
            do {
                try await fetchMissing(connections)
                try await part.save()
                return
            } catch is Changed {
                progress.tell(.startedOver(path: file.path))
                try await part.startOver()
                progress.update(file.path, done: 0)
            } catch {
                // What has come so far is kept for the next time; the first error is the one to tell.
                try? await part.save()
                throw error
            }
        }
        throw HubError.keepsChanging(path: file.path)
    }

    /// The first answer decides whether the server gives ranges; if it does, others join.
    private func fetchMissing(_ connections: Int) async throws {
        let pieces = Pieces(await part.missing, of: configuration.smallestPiece, connections)
        guard var first = pieces.next() else { return }
        let range = first
        let answer = try await retrying { try await open(range) }
        if answer.status == 200 {
            pieces.removeAll()
            first = 0..<file.size
        }
        let whole = first
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await fetch(whole, answer)
                while let piece = pieces.next() { try await fetch(piece, nil) }
            }
            for _ in 1..<max(1, min(connections, pieces.count + 1)) {
                group.addTask { while let piece = pieces.next() { try await fetch(piece, nil) } }
            }
            // Not `waitForAll`, which would let the others finish before it throws.
            while try await group.next() != nil {}
        }
    }

    /// Fetches `range`, again and again from where it was cut; `opened` is an answer that has its bytes.
    private func fetch(_ range: Range<Int>, _ opened: Answer?) async throws {
        var retries = Retries(configuration.retries)
        var opened = opened
        var position = range.lowerBound
        while position < range.upperBound {
            let start = position
            do {
                let answer: Answer
                if let first = opened.take() {
                    answer = first
                } else {
                    answer = try await open(position..<range.upperBound)
                }
                if answer.status == 200 {
                    // All of the file, whatever was asked for.
                    guard range == 0..<file.size else { throw Changed() }
                    position = 0
                }
                try await drain(answer, &position, range.upperBound)
            } catch let fault as Transient {
                if position - start >= configuration.block { retries.progressed() }
                try await pause(&retries, fault)
            }
        }
    }

    /// Runs `body` until it does not fail in a way that may pass.
    private func retrying<Result>(_ body: () async throws -> Result) async throws -> Result {
        var retries = Retries(configuration.retries)
        while true {
            do { return try await body() } catch let fault as Transient { try await pause(&retries, fault) }
        }
    }

    private func pause(_ retries: inout Retries, _ fault: Transient) async throws {
        let pause = try retries.pause(after: fault)
        progress.tell(.retrying(path: file.path, why: fault.why, pause: pause))
        try await Task.sleep(for: pause)
    }

    /// Asks for `range` once, and checks that the answer is about the file we know.
    private func open(_ range: Range<Int>) async throws -> Answer {
        let answer = try await transport.get(url, range: range)
        switch answer.status {
        case 206:
            guard let given = answer.contentRange, given.first == range.lowerBound, given.last < range.upperBound else {
                throw HubError.badAnswer(url: shown(answer.url), why: "it gives another range than was asked for")
            }
            guard given.size == file.size else { throw Changed() }
        case 200:
            let length = answer.header("content-length").flatMap { Int($0) }
            guard length == nil || length == file.size else { throw Changed() }
        case 416: throw Changed()
        default: throw try await refusal(answer)
        }
        guard await part.accepts(tag: answer.tag) else { throw Changed() }
        return answer
    }

    /// Writes the body at `position`, which moves on, up to `end`.
    private func drain(_ answer: Answer, _ position: inout Int, _ end: Int) async throws {
        var block = ByteBuffer()
        var flushed = ContinuousClock.now
        var cut: (any Error)?
        do {
            for try await var chunk in answer.body {
                // A body that goes on beyond what was asked for is left; one that ends gives its connection back.
                let room = end - position - block.readableBytes
                guard room > 0, let wanted = chunk.readSlice(length: min(chunk.readableBytes, room)) else { break }
                block.writeImmutableBuffer(wanted)
                guard block.readableBytes >= configuration.block || ContinuousClock.now - flushed > .seconds(1) else {
                    continue
                }
                try await flush(&block, &position)
                flushed = .now
            }
        } catch let error as FormatError {
            throw error
        } catch {
            cut = error
        }
        // What came before a cut counts.
        try await flush(&block, &position)
        try Task.checkCancellation()
        if let cut { throw try transport.transient(cut, answer.url) }
        guard position == end else {
            throw Transient(
                why: "the connection was cut",
                final: .unreachable(host: answer.url.host ?? "", why: "the connection was cut"))
        }
    }

    private func flush(_ block: inout ByteBuffer, _ position: inout Int) async throws {
        let count = block.readableBytes
        let done = try await part.write(block, at: position)
        position += count
        block.clear()
        progress.update(file.path, done: done, fetched: count)
    }
}

/// The ranges of a file that nobody fetches yet.
private final class Pieces: Sendable {
    private let ranges: Mutex<[Range<Int>]>

    /// Cuts `missing` so that each of `workers` gets about four pieces, none smaller than `smallest` without need.
    init(_ missing: [Range<Int>], of smallest: Int, _ workers: Int) {
        let total = missing.reduce(0) { $0 + $1.count }
        let size = max(smallest, total / (4 * max(1, workers)) + 1, 1)
        let pieces = missing.flatMap { range in
            stride(from: range.lowerBound, to: range.upperBound, by: size).map {
                $0..<min($0 + size, range.upperBound)
            }
        }
        ranges = Mutex(pieces.reversed())
    }

    var count: Int { ranges.withLock { $0.count } }

    func next() -> Range<Int>? { ranges.withLock { $0.popLast() } }

    func removeAll() { ranges.withLock { $0.removeAll() } }
}
