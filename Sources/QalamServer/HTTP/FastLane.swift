// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import QalamStore
import Synchronization

/// What can be answered at once, without a task: the list of models, which clients ask for all the time.
///
/// Whatever is out of the ordinary in a request, or is to be refused, goes the usual way.
final class FastAnswers: Sendable {
    private struct Head {
        var second = 0
        var headers = HTTPHeaders()
    }

    private let platform: Platform
    private let door: BrowserGuard
    private let head = Mutex(Head())

    /// Answers for `platform`.
    init(_ platform: Platform) {
        self.platform = platform
        door = BrowserGuard(platform.configuration)
    }

    /// The answer to a request without a body; nil: it goes the usual way.
    func answer(_ request: HTTPRequestHead) -> (HTTPResponseHead, ByteBuffer)? {
        guard request.method == .GET, request.uri == ModelHandlers.path, request.version == .http1_1,
            !platform.configuration.contractMode, let (host, secret) = ordinary(request.headers),
            door.admits(host: host), admits(secret), let body = try? ModelHandlers.list(platform.models)
        else { return nil }
        let start = ContinuousClock.now
        var headers = headers(at: Platform.now)
        let id = ResponseShaping.makeID()
        headers.add(name: "x-request-id", value: id)
        headers.add(name: "content-length", value: String(body.readableBytes))
        ResponseShaping.note(
            .get, ModelHandlers.path, .ok, ContinuousClock.now - start, ["request": .string(id)], platform.logger,
            platform.metrics)
        return (HTTPResponseHead(version: .http1_1, status: .ok, headers: headers), body)
    }

    /// The headers that change nothing here.
    private static let ordinary: Set<String> = [
        "accept", "accept-encoding", "accept-language", "cache-control", "user-agent",
    ]

    /// The host and the secret in `headers`; nil: there is something else too.
    private func ordinary(_ headers: HTTPHeaders) -> (host: String?, secret: String?)? {
        var (host, access) = (String?.none, HTTPFields())
        for (name, value) in headers {
            switch name.lowercased() {
            case "host" where host == nil: host = value
            case "authorization": access[.authorization] = value
            case "x-api-key": access[.apiKey] = value
            case let name where Self.ordinary.contains(name): break
            default: return nil
            }
        }
        return (host, Access.secret(of: access))
    }

    private func admits(_ secret: String?) -> Bool {
        guard let (key, anyKeys) = platform.store.known(secret: secret) else { return false }
        guard anyKeys else { return true }
        guard let key, key.holds(at: Platform.now), key.requestsPerMinute == nil, key.tokensPerMinute == nil else {
            return false
        }
        return key.scopes.contains(.infer) || key.scopes.contains(.admin)
    }

    /// A time as HTTP writes it (RFC 9110, 5.6.7).
    static func date(_ second: Int) -> String {
        var (time, parts) = (time_t(second), tm())
        gmtime_r(&time, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    /// What all answers of one second have in common.
    private func headers(at second: Int) -> HTTPHeaders {
        head.withLock { head in
            if head.second != second {
                var fields = HTTPFields()
                ResponseShaping.protect(&fields)
                var headers: HTTPHeaders = ["Content-Type": "application/json", "Date": Self.date(second)]
                for field in fields { headers.add(name: field.name.rawName, value: field.value) }
                head = Head(second: second, headers: headers)
            }
            return head.headers
        }
    }
}

/// Answers what it can on a connection's own handlers, and passes on the rest.
final class FastLane: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let answers: FastAnswers
    /// Requests passed on whose answers have not ended: later ones must not overtake them.
    private var passed = 0
    private var answer: (HTTPResponseHead, ByteBuffer)?

    /// A lane for one connection.
    init(_ answers: FastAnswers) { self.answers = answers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = passed == 0 ? answers.answer(head) : nil
            if answer != nil { return }
            passed += 1
        case .body where answer != nil: return
        case .end:
            guard let (head, body) = answer else { break }
            answer = nil
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return
        case .body: break
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passed -= 1 }
        context.write(data, promise: promise)
    }
}
