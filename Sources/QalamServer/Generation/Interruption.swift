// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import NIOCore
import ServiceLifecycle
import Synchronization

/// Ends the work for a request before it is done.
final class Interruption: Sendable {
    /// Why it ends.
    enum Reason: Sendable {
        /// Whoever asked has left.
        case left
        /// The server stops.
        case stopping
    }

    private struct State {
        var reason: Reason?
        var listeners: [@Sendable (Reason) -> Void] = []
    }

    private let state = Mutex(State())

    /// Whether the work is to end.
    var isDue: Bool { state.withLock { $0.reason != nil } }

    /// Calls `listener` once the work is to end.
    func listen(_ listener: @escaping @Sendable (Reason) -> Void) {
        let reason = state.withLock { state in
            if state.reason == nil { state.listeners.append(listener) }
            return state.reason
        }
        if let reason { listener(reason) }
    }

    /// Ends the work, unless it has ended.
    func interrupt(_ reason: Reason) {
        let listeners = state.withLock { state in
            if state.reason == nil { state.reason = reason }
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { listener(reason) }
    }

    /// Works, but for no longer than `grace` once the server is told to stop.
    @concurrent
    func whileServing(grace: Duration, _ work: @concurrent () async throws -> Void) async rethrows {
        try await withGracefulShutdownHandler(operation: work) {
            Task {
                try await Task.sleep(for: grace)
                self.interrupt(.stopping)
            }
        }
    }

    /// Ends the work when the other side of `channel` closes it.
    func watch(_ channel: any Channel) async {
        // Tests have channels that nobody closes, without the handler.
        guard let handler = try? await channel.pipeline.handler(type: DepartureHandler.self).get() else { return }
        handler.watch(self)
    }
}

extension HTTP1Channel.Configuration {
    /// Connections that notice when their client leaves.
    static var watched: Self { Self(additionalChannelHandlers: [DepartureHandler()]) }
}

/// Notices that the client has closed its side of the connection.
///
/// Whoever does so before the answer has come doesn't want it any more: there is nothing else to know it by.
final class DepartureHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    private struct State {
        var hasLeft = false
        weak var interruption: Interruption?
    }

    private let state = Mutex(State())

    /// Interrupts this when the client goes, instead of what was watched before.
    func watch(_ interruption: Interruption) {
        let hasLeft = state.withLock { state in
            state.interruption = interruption
            return state.hasLeft
        }
        if hasLeft { interruption.interrupt(.left) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // A connection keeps the first buffer that it reads into: most requests are small, and many connections wait.
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: 65536)
        context.channel.setOption(.recvAllocator, value: allocator).whenFailure { _ in }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { leave() }
        context.fireUserInboundEventTriggered(event)
    }

    private func leave() {
        let interruption = state.withLock { state in
            state.hasLeft = true
            return state.interruption
        }
        interruption?.interrupt(.left)
    }
}
