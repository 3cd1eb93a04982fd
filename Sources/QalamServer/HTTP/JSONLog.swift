// SPDX-License-Identifier: Apache-2.0

import Foundation
public import Logging

/// Writes logs to standard error as lines of JSON.
public struct JSONLog: LogHandler {
    /// What is logged at all.
    public var logLevel = Logger.Level.notice
    /// What stands in every line.
    public var metadata = Logger.Metadata()

    /// A log of what is notable.
    public init() {}

    /// A value that stands in every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line.
    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        var members: [JSONValue.Member] = [
            .init("time", .string(Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))),
            .init("level", .string(event.level.rawValue)), .init("message", .string("\(event.message)")),
        ]
        members += all.sorted { $0.key < $1.key }.map { .init($0.key, .string("\($0.value)")) }
        var bytes: [UInt8] = []
        JSONValue.object(members).write(to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        FileHandle.standardError.write(Data(bytes))
    }
}
