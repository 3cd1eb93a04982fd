// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats

/// The part of the Hugging Face hub's protocol that getting a model needs.
struct HubAPI: Sendable {
    private static let pageLimit = 1000
    private static let fileLimit = 200_000

    let transport: Transport

    private var configuration: HubConfiguration { transport.configuration }

    /// Every file of a revision, by way of its commit, so that a push in between does not mix two versions.
    func listing(_ name: ModelName, revision: String) async throws -> HubListing {
        let head = try await object("/api/models/\(name.id)/revision/\(encoded(revision))", name, revision)
        let commit = try head.string("sha", default: revision)
        let id = try head.string("id", default: name.id)
        return HubListing(id: id, commit: commit, files: try await files(name, commit))
    }

    /// Where a file of a commit is.
    func url(_ name: ModelName, commit: String, path: String) throws(HubError) -> URL {
        try configuration.url("/\(name.id)/resolve/\(encoded(commit))/\(encoded(path, keepSlashes: true))")
    }

    /// The tree of a commit, page by page (`Link: <…>; rel="next"`, RFC 8288).
    private func files(_ name: ModelName, _ commit: String) async throws -> [HubFile] {
        var files: [HubFile] = []
        var paths: Set<String> = []
        var page: URL? = try configuration.url("/api/models/\(name.id)/tree/\(encoded(commit))?recursive=true")
        var count = 0
        while let url = page {
            count += 1
            let (bytes, answer) = try await ask(url, name, commit)
            for entry in try JSONReader.objects(bytes, file: shown(url))
            where try entry.string("type", default: "file") == "file" {
                let file = try Self.file(entry)
                guard paths.insert(file.path).inserted else {
                    throw HubError.badAnswer(url: shown(url), why: "it lists \(file.path) twice")
                }
                files.append(file)
            }
            guard files.count <= Self.fileLimit, count <= Self.pageLimit else {
                throw HubError.badAnswer(url: shown(url), why: "it lists more than \(Self.fileLimit) files")
            }
            page = answer.header("link").flatMap { Self.next($0, at: url) }
        }
        return files
    }

    private static func file(_ entry: JSONReader) throws -> HubFile {
        let large = try entry.optionalObject("lfs")
        let size = try large?.optionalInt("size") ?? entry.int("size")
        // Of a large file, the outer sum is that of the pointer which git holds in its place.
        let sum = try (large ?? entry).optionalString("oid")
        return try HubFile(path: entry.string("path"), size: size, checksum: sum.flatMap(Checksum.init(hex:)))
    }

    /// The address of the next page.
    static func next(_ link: String, at url: URL) -> URL? {
        for part in link.split(separator: ",") where part.contains("rel=\"next\"") || part.contains("rel=next") {
            guard let start = part.firstIndex(of: "<"), let end = part.firstIndex(of: ">"), start < end else {
                continue
            }
            return URL(string: String(part[part.index(after: start)..<end]), relativeTo: url)?.absoluteURL
        }
        return nil
    }

    private func object(_ path: String, _ name: ModelName, _ revision: String) async throws -> JSONReader {
        let url = try configuration.url(path)
        return try JSONReader(try await ask(url, name, revision).bytes, file: shown(url))
    }

    /// The body of an answer of status 200, after retries.
    private func ask(_ url: URL, _ name: ModelName, _ revision: String) async throws -> (bytes: [UInt8], answer: Answer)
    {
        try await withRetries(configuration.retries) {
            let answer = try await transport.get(url)
            guard answer.status == 200 else { throw try await refusal(answer, name, revision) }
            return (try await transport.body(of: answer), answer)
        }
    }

    /// What a status that is no success means, from it and the hub's own code.
    func refusal(_ answer: Answer, _ name: ModelName, _ revision: String) async throws -> HubError {
        let code = answer.header("x-error-code")
        guard transport.isHome(answer.url) else {
            return .refused(url: shown(answer.url), status: answer.status, why: "")
        }
        switch (answer.status, code) {
        case (_, "GatedRepo"):
            return .gated(name.id, page: try configuration.url("/\(name.id)").absoluteString, hasToken: hasToken)
        case (_, "RevisionNotFound"): return .noSuchRevision(name.id, revision: revision)
        case (_, "RepoNotFound"), (404, nil): return await noSuchModel(name)
        case (401, _):
            // The hub answers so for models that are not there, too, lest it tell which private ones there are.
            return hasToken ? .badToken(hub: host) : await noSuchModel(name)
        case (403, _):
            return .gated(name.id, page: try configuration.url("/\(name.id)").absoluteString, hasToken: hasToken)
        default:
            return .refused(
                url: shown(answer.url), status: answer.status, why: answer.header("x-error-message") ?? code ?? "")
        }
    }

    private var hasToken: Bool { configuration.token != nil }
    private var host: String { configuration.endpoint.host ?? configuration.endpoint.absoluteString }

    private func noSuchModel(_ name: ModelName) async -> HubError {
        .noSuchModel(name.id, hub: host, hasToken: hasToken, suggestions: (try? await similar(name)) ?? [])
    }

    /// Models of a like name; only for messages, so that a failure here is none.
    private func similar(_ name: ModelName) async throws -> [String] {
        let url = try configuration.url("/api/models?search=\(encoded(name.name))&limit=5")
        let answer = try await transport.get(url)
        guard answer.status == 200 else { return [] }
        let found = try JSONReader.objects(try await transport.body(of: answer), file: shown(url))
        return try found.prefix(3).map { try $0.string("id") }.filter(ModelName.isWhole)
    }
}
