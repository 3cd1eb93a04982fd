// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import NIOCore
import QalamEngine
import QalamStore

/// What all handlers share.
struct Platform: Sendable {
    let models: ModelList
    let store: any PlatformStore
    let configuration: ServerConfiguration
    let logger: Logger
    let metrics = Metrics()
    let gate: AnswerGate
    let access: Access
    let meter: UsageMeter
    /// Tells that there is a batch to run, or to stop.
    let batches = Wakeup()
    /// Tells that there is a response to write in the background, or to stop.
    let background = Wakeup()

    init(
        models: ModelList, store: any PlatformStore, configuration: ServerConfiguration, logger: Logger
    ) {
        self.models = models
        self.store = store
        self.configuration = configuration
        self.logger = logger
        gate = AnswerGate(limit: configuration.answerLimit)
        let limits = RateLimits()
        access = Access(store: store, limits: limits)
        meter = UsageMeter(store: store, limits: limits, metrics: metrics)
    }

    /// Unix seconds.
    static var now: Int { Int(Date().timeIntervalSince1970) }

    /// The whole body.
    /// - Throws: `APIError.bodyTooLarge`
    func readBody(_ request: Request) async throws -> [UInt8] {
        let limit = configuration.bodyLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limit: limit)
        }
        do {
            return try await Array(request.body.collect(upTo: limit).readableBytesView)
        } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
            throw APIError.bodyTooLarge(limit: limit)
        } catch is NIOTooManyBytesError {
            throw APIError.bodyTooLarge(limit: limit)
        }
    }
}
