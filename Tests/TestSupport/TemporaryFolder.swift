// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// Runs `body` with an empty folder of its own, removed afterwards.
public func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appending(path: "qalam-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
}

/// The same for asynchronous work.
public func withTemporaryFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let url = FileManager.default.temporaryDirectory.appending(path: "qalam-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await body(url)
}

/// The file or folder `name` under Tests/Fixtures.
public func fixture(_ name: String, file: StaticString = #filePath) -> URL {
    URL(filePath: "\(file)").deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/\(name)")
}
