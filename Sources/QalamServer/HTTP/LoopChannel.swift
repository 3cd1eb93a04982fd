// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1

/// Connections whose tasks run on the thread of their own event loop: reading and writing then need no other thread,
/// which for a small request is most of the time it takes.
///
/// What computes for longer must go elsewhere: `offLoop`.
struct LoopChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    /// What is answered without a task.
    let answers: FastAnswers

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(FastLane(answers), position: .before(codec))
            // A connection keeps its buffer. Most requests are small; for a large one it grows.
            let buffers = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: 65_536)
            try channel.syncOptions?.setOption(.recvAllocator, value: buffers)
            return value
        }
    }

    func handle(value: Base.Value, logger: Logger) async {
        let executor = LoopExecutor(loop: value.channel.eventLoop)
        defer { withExtendedLifetime(executor) {} }
        await LoopExecutor.$current.withValue(executor) {
            await withTaskExecutorPreference(executor) { await base.handle(value: value, logger: logger) }
        }
    }
}

/// Runs tasks on the thread of an event loop.
final class LoopExecutor: TaskExecutor {
    /// That of the connection whose request this task answers; nil: there is none, or no loop.
    @TaskLocal static var current: LoopExecutor?

    private let loop: any EventLoop

    init(loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Computes away from the event loop, on the threads that are there for that.
@concurrent
func offLoop<Value: Sendable>(_ body: @Sendable () throws -> Value) async rethrows -> Value {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try body() }
}
