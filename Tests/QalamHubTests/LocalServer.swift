// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request as the server saw it.
struct Request: Sendable {
    let uri: String
    let headers: HTTPHeaders

    var path: String { uri.split(separator: "?").first.map(String.init) ?? uri }
    var token: String? { headers.first(name: "authorization") }

    /// The bytes asked for, if it asked for a range.
    var range: ClosedRange<Int>? {
        let ends = headers.first(name: "range")?.dropFirst(6).split(separator: "-").compactMap { Int($0) } ?? []
        return ends.count == 2 ? ends[0]...ends[1] : nil
    }
}

/// What the server answers, and how badly.
struct Reply: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// Bytes of the body after which the connection is closed.
    var cutAfter: Int?
    /// Bytes of the body after which nothing more comes.
    var stallAfter: Int?

    static func json(_ text: String, headers: [String: String] = [:]) -> Reply {
        Reply(headers: headers.merging(["content-type": "application/json"]) { own, _ in own }, body: Array(text.utf8))
    }

    static func error(_ status: Int, _ headers: [String: String] = [:]) -> Reply {
        Reply(status: status, headers: headers, body: Array("no".utf8))
    }
}

/// A server of HTTP on 127.0.0.1 that answers as a closure says, and remembers what it was asked.
final class LocalServer: Sendable {
    let port: Int
    private let channel: any Channel
    private let log = Mutex<[Request]>([])

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { log.withLock { $0 } }

    private init(_ channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// Runs `test` with a server that is gone afterwards.
    static func with<Result>(
        _ answer: @escaping @Sendable (Request) -> Reply, _ test: (LocalServer) async throws -> Result
    ) async throws -> Result {
        let box = ServerBox(answer)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Responder(box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = LocalServer(channel)
        box.server.withLock { $0 = server }
        do {
            let result = try await test(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    fileprivate func note(_ request: Request) { log.withLock { $0.append(request) } }
}

/// What all connections of a server share.
private final class ServerBox: Sendable {
    let answer: @Sendable (Request) -> Reply
    let server = Mutex<LocalServer?>(nil)

    init(_ answer: @escaping @Sendable (Request) -> Reply) { self.answer = answer }
}

/// One connection.
private final class Responder: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let box: ServerBox
    private var head: HTTPRequestHead?

    init(_ box: ServerBox) { self.box = box }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            let request = Request(uri: head.uri, headers: head.headers)
            box.server.withLock { $0 }?.note(request)
            respond(context, box.answer(request))
        }
    }

    private func respond(_ context: ChannelHandlerContext, _ reply: Reply) {
        var headers = HTTPHeaders(reply.headers.map { ($0.key, $0.value) })
        if !headers.contains(name: "content-length") {
            headers.add(name: "content-length", value: String(reply.body.count))
        }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: reply.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let end = min(reply.cutAfter ?? reply.stallAfter ?? reply.body.count, reply.body.count)
        var position = 0
        while position < end {
            let next = min(position + 32768, end)
            let bytes = ByteBuffer(bytes: reply.body[position..<next])
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            position = next
        }
        if reply.stallAfter != nil {
            context.flush()
        } else if reply.cutAfter != nil {
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.value.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer())))).whenComplete { _ in
                context.value.close(promise: nil)
            }
        } else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
