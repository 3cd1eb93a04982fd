// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
package import QalamModels
internal import QalamTensors

/// Runs a decoder for many callers at once: token ids in, token ids out. Text is none of its business.
///
/// The actor runs on a thread of its own, so that a forward pass never blocks Swift's cooperative pool.
package actor Engine {
    private var batch: Batch
    private var streams: [Int: AsyncThrowingStream<GenerationEvent, any Error>.Continuation] = [:]
    private var isRunning = false
    private let thread = EngineThread()

    /// The thread that the actor's work runs on.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// An engine for this model, which becomes its own.
    package init(_ decoder: sending Decoder) { batch = Batch(decoder) }

    /// Starts a request; its tokens come as they are generated.
    ///
    /// Dropping the stream ends it and frees its memory.
    package nonisolated func generate(_ request: GenerationRequest) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        Task { await self.start(request, continuation) }
        return stream
    }

    /// How many requests run.
    package var running: Int { streams.count }

    private func start(
        _ request: GenerationRequest, _ continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) {
        let id = batch.add(request)
        streams[id] = continuation
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason, let self else { return }
            Task { await self.cancel(id) }
        }
        if !isRunning {
            isRunning = true
            Task { await self.run() }
        }
    }

    /// Steps until nothing is left, letting new requests and cancellations in between steps.
    private func run() async {
        while !batch.isEmpty {
            for (id, events) in batch.step() {
                for event in events {
                    streams[id]?.yield(event)
                    if case .finished = event { streams.removeValue(forKey: id)?.finish() }
                }
            }
            await Task.yield()
        }
        isRunning = false
    }

    private func cancel(_ id: Int) {
        streams[id] = nil
        batch.remove(id)
    }
}

/// One thread that runs the engine's jobs in order.
private final class EngineThread: SerialExecutor {
    private let queue = DispatchQueue(label: "qalam.engine", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
