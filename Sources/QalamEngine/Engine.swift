// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
package import QalamModels
internal import Synchronization

/// Runs a decoder for many callers at once: token ids in, token ids out. Text is none of its business.
///
/// The actor runs on a thread of its own, so that a forward pass never blocks Swift's cooperative pool. Callers leave
/// requests and cancellations in a mailbox, which is emptied before each step: they never wait for one.
package actor Engine {
    private var scheduler: Scheduler
    private var streams: [Int: Mailbox.Stream] = [:]
    private let mailbox: Mailbox
    private let limits: RequestLimits
    private let thread = EngineThread()

    /// The thread that the actor's work runs on.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// An engine for this model, which becomes its own, and perhaps a smaller one that proposes tokens.
    ///
    /// - Throws: `EngineError.badOption` if the two have different vocabularies, or nothing fits the memory
    package init(
        _ decoder: sending Decoder, draft: sending Decoder? = nil, adapters: sending [Adapter] = [],
        _ configuration: EngineConfiguration = .init()
    ) throws(EngineError) {
        scheduler = try Scheduler(decoder, draft: draft, adapters: adapters, configuration)
        limits = RequestLimits(scheduler)
        mailbox = Mailbox(limit: scheduler.configuration.maxSequences + max(configuration.queueLimit, 0))
    }

    /// Starts a request; its tokens come as they are generated.
    ///
    /// Dropping the stream ends it and frees its memory.
    /// - Throws: `EngineError` if it can't be served at all, or not now
    package nonisolated func generate(
        _ request: GenerationRequest
    ) throws(EngineError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        try limits.check(request)
        let id = try mailbox.enter()
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        continuation.onTermination = { [weak self] reason in
            if case .cancelled = reason { self?.post(.cancel(id)) }
        }
        post(.start(id, request, continuation))
        return stream
    }

    /// What it is doing, as of the last step.
    package nonisolated var statistics: EngineStatistics { mailbox.statistics }

    private nonisolated func post(_ message: Mailbox.Message) {
        if mailbox.post(message) { Task { await run() } }
    }

    /// Steps until nothing is left to do; the mailbox sees to it that one such loop runs at a time.
    private func run() async {
        repeat {
            for message in mailbox.empty() { handle(message) }
            scheduler.step { id, event in
                streams[id]?.yield(event)
                if case .finished = event {
                    streams.removeValue(forKey: id)?.finish()
                    mailbox.leave()
                }
            }
            mailbox.publish(scheduler.statistics)
            await Task.yield()
        } while !(scheduler.isEmpty && mailbox.rest())
    }

    private func handle(_ message: Mailbox.Message) {
        switch message {
        case .start(let id, let request, let stream):
            streams[id] = stream
            scheduler.add(request, id: id)
        case .cancel(let id):
            guard streams.removeValue(forKey: id) != nil else { return }
            scheduler.remove(id)
            mailbox.leave()
        }
    }
}

/// What callers ask of an engine between its steps, and how many they are.
private final class Mailbox: Sendable {
    typealias Stream = AsyncThrowingStream<GenerationEvent, any Error>.Continuation

    enum Message: Sendable {
        case start(Int, GenerationRequest, Stream)
        case cancel(Int)
    }

    private struct State {
        var messages: [Message] = []
        var lastID = 0
        var open = 0
        var isRunning = false
        var statistics = EngineStatistics()
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// The number of a new request, unless too many are open.
    func enter() throws(EngineError) -> Int {
        let id: Int? = state.withLock { state in
            guard state.open < limit else { return nil }
            state.open += 1
            state.lastID += 1
            return state.lastID
        }
        guard let id else { throw .busy(limit: limit) }
        return id
    }

    /// Notes that a request is over.
    func leave() { state.withLock { $0.open -= 1 } }

    /// Leaves a message; returns whether the caller must start the loop that reads it.
    func post(_ message: Message) -> Bool {
        state.withLock { state in
            state.messages.append(message)
            defer { state.isRunning = true }
            return !state.isRunning
        }
    }

    /// Takes all messages.
    func empty() -> [Message] {
        state.withLock { state in
            guard !state.messages.isEmpty else { return [] }
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Whether the loop may end, because there are no messages.
    func rest() -> Bool {
        state.withLock { state in
            state.isRunning = !state.messages.isEmpty
            return !state.isRunning
        }
    }

    func publish(_ statistics: EngineStatistics) { state.withLock { $0.statistics = statistics } }

    var statistics: EngineStatistics { state.withLock { $0.statistics } }
}

/// One thread that runs an engine's jobs in order.
final class EngineThread: SerialExecutor {
    private let queue = DispatchQueue(label: "qalam.engine", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// Generates from one prompt in the caller's own task: for samples during training, tests and benchmarks.
///
/// The prompt must be neither empty nor as long as the context.
package func generate(_ decoder: Decoder, _ request: GenerationRequest) -> [Int32] {
    var configuration = EngineConfiguration()
    configuration.maxSequences = 1
    configuration.kvMemory = .max
    configuration.prefixCache = false
    guard var scheduler = try? Scheduler(decoder, configuration) else { return [] }
    _ = scheduler.add(request)
    var tokens: [Int32] = []
    while !scheduler.isEmpty {
        scheduler.step { _, event in
            if case .token(let token, _) = event { tokens.append(token) }
        }
    }
    return tokens
}
