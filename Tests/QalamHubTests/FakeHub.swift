// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import NIOHTTP1
import QalamHub
import Synchronization
import Testing

/// What a hub knows of one model, `owner/model`, in the form of Hugging Face's answers.
struct FakeModel: Sendable {
    var commit = "c0ffee"
    /// Path and bytes.
    var files: [String: [UInt8]]
    /// Whether files have sums of LFS; those of git otherwise.
    var isLarge = true
    /// Whether ranges are given.
    var givesRanges = true
    /// Files of one page of the tree.
    var pageSize = 1000
    /// Whether the sums are left out of the tree, and tags name the version.
    var hidesSums = false
    /// What a file's bytes are announced as, where that is not what they are.
    var announced: [String: [UInt8]] = [:]

    init(_ files: [String: [UInt8]]) { self.files = files }

    /// What the hub answers to `request`; 404 if it has no such thing.
    func answer(_ request: Request) -> Reply {
        let api = "/api/models/owner/model"
        if request.path.hasPrefix("\(api)/revision/") {
            return .json(#"{"id": "owner/model", "sha": "\#(commit)", "siblings": []}"#)
        }
        if request.path.hasPrefix("\(api)/tree/\(commit)") { return tree(request) }
        let resolve = "/owner/model/resolve/\(commit)/"
        if request.path.hasPrefix(resolve) {
            let path = String(request.path.dropFirst(resolve.count)).removingPercentEncoding ?? ""
            if let bytes = files[path] { return file(request, bytes) }
            return .error(404, ["x-error-code": "EntryNotFound"])
        }
        return .error(404, ["x-error-code": "RepoNotFound"])
    }

    private func tree(_ request: Request) -> Reply {
        let start = request.uri.split(separator: "cursor=").dropFirst().first.flatMap { Int($0) } ?? 0
        let paths = files.keys.sorted()
        let end = min(start + pageSize, paths.count)
        let entries = paths[start..<end].map { path in
            let bytes = announced[path] ?? files[path] ?? []
            let sum = hidesSums ? "" : #", "oid": "\#(gitSum(bytes))""#
            let large = #", "lfs": {"oid": "\#(sha256(bytes))", "size": \#(bytes.count), "pointerSize": 134}"#
            return #"{"type": "file", "path": "\#(path)", "size": \#(bytes.count)\#(sum)\#(isLarge ? large : "")}"#
        }
        let next = "<http://\(request.headers.first(name: "host") ?? "")\(request.path)?cursor=\(end)>; rel=\"next\""
        let folder = #"{"type": "directory", "path": "folder", "size": 0, "oid": "0"}"#
        return .json(
            "[\(([folder] + entries).joined(separator: ", "))]", headers: end < paths.count ? ["link": next] : [:])
    }

    private func file(_ request: Request, _ bytes: [UInt8]) -> Reply {
        var headers = ["etag": "\"\(sha256(bytes).prefix(20))\""]
        guard givesRanges, let range = request.range else { return Reply(headers: headers, body: bytes) }
        guard range.upperBound < bytes.count else { return .error(416) }
        headers["content-range"] = "bytes \(range.lowerBound)-\(range.upperBound)/\(bytes.count)"
        return Reply(status: 206, headers: headers, body: Array(bytes[range]))
    }
}

func sha256(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }

func gitSum(_ bytes: [UInt8]) -> String { hex(Insecure.SHA1.hash(data: Array("blob \(bytes.count)\0".utf8) + bytes)) }

private func hex(_ digest: some Sequence<UInt8>) -> String {
    digest.map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
}

/// `count` bytes that tell one place from another.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// The events of a pull, collected.
final class Events: Sendable {
    private let all = Mutex<[PullEvent]>([])
    var list: [PullEvent] { all.withLock { $0 } }

    func add(_ event: PullEvent) { all.withLock { $0.append(event) } }

    /// Bytes that came over the network.
    var fetched: Int? {
        for case .finished(_, let fetched) in list { return fetched }
        return nil
    }
}

/// A folder of models and a hub to fill it from.
struct Bench {
    let store: ModelStore
    let server: LocalServer
    var token: String?
    var parts = 3
    var attempts = 4
    var silence: Duration = .seconds(20)

    var folder: URL { store.root.appending(path: "owner/model") }

    /// Pulls `name`, in pieces of 64 KiB.
    @discardableResult
    func pull(
        _ name: String = "owner/model", patterns: [String] = [], revision: String = "main", events: Events = Events()
    ) async throws -> ModelManifest {
        var configuration = try HubConfiguration(endpoint: server.url, token: token, environment: [:])
        configuration.parts = parts
        configuration.smallestPiece = 1 << 16
        configuration.block = 1 << 14
        configuration.silence = silence
        configuration.retries.attempts = attempts
        configuration.retries.pause = .milliseconds(5)
        let name = try ModelName(name)
        var request = PullRequest(name, patterns: patterns, folder: store.folder(of: name))
        request.revision = revision
        return try await Hub(configuration).pull(request) { events.add($0) }
    }

    /// Every file under the folder of models, hidden ones too.
    var files: [String] {
        let all = FileManager.default.enumerator(atPath: store.root.path)?.compactMap { $0 as? String } ?? []
        return all.filter { path in
            var isFolder: ObjCBool = false
            let file = store.root.appending(path: path).path
            return FileManager.default.fileExists(atPath: file, isDirectory: &isFolder) && !isFolder.boolValue
        }.sorted()
    }

    func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: path))) }
}

/// Runs `test` with an empty folder of models and a hub that answers as `answer` says.
func withBench<Result>(
    _ answer: @escaping @Sendable (Request) -> Reply, _ test: (Bench) async throws -> Result
) async throws -> Result {
    try await withFolder { folder in
        try await LocalServer.with(answer) { server in
            try await test(Bench(store: ModelStore(root: folder.appending(path: "models")), server: server))
        }
    }
}

/// Runs `test` with an empty folder that is gone afterwards.
func withFolder<Result>(_ test: (URL) async throws -> Result) async throws -> Result {
    let url = FileManager.default.temporaryDirectory.appending(path: "qalam-hub-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await test(url)
}

/// The error that `body` throws, as `HubError`.
func hubError(_ body: () async throws -> Void) async throws -> HubError {
    do {
        try await body()
    } catch let error as HubError {
        return error
    }
    Issue.record("nothing was thrown")
    throw CancellationError()
}
