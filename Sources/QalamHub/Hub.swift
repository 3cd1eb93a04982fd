// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
package import Foundation
internal import QalamFormats

/// What to pull and where to.
package struct PullRequest: Sendable {
    /// The model.
    package var name: ModelName
    /// The branch, tag or commit.
    package var revision = "main"
    /// Which of its files.
    package var choice: FileChoice
    /// The folder that will hold them.
    package var folder: URL

    /// What the name says, or the files that fit `patterns` if there are any.
    package init(_ name: ModelName, patterns: [String] = [], folder: URL) {
        self.name = name
        self.folder = folder
        choice = patterns.isEmpty ? .model(quantization: name.variant) : .patterns(patterns)
    }
}

/// A Hugging Face-compatible hub of models.
package struct Hub: Sendable {
    private let configuration: HubConfiguration

    /// The hub of this configuration.
    package init(_ configuration: HubConfiguration) { self.configuration = configuration }

    /// Gets a model, and tells what happens; what is here already is not fetched again.
    ///
    /// The folder appears, or changes, in one step when all files are complete and checked. Cancelling keeps the bytes
    /// that have come, and the next pull goes on from there.
    /// - Returns: what the folder then holds.
    /// - Throws: `HubError`, or `FormatError` for the disk.
    package func pull(
        _ request: PullRequest, _ report: @escaping @Sendable (PullEvent) -> Void
    ) async throws -> ModelManifest {
        try await HTTPClient.withHTTPClient(configuration: Transport.settings(configuration)) { client in
            let api = HubAPI(transport: Transport(configuration, client))
            return try await Pull(request: request, api: api, configuration: configuration, report: report).run()
        }
    }
}

/// One run of `Hub.pull`.
private struct Pull {
    let request: PullRequest
    let api: HubAPI
    let configuration: HubConfiguration
    let report: @Sendable (PullEvent) -> Void

    private var staging: Staging { Staging(folder: request.folder) }

    func run() async throws -> ModelManifest {
        let listing = try await api.listing(request.name, revision: request.revision)
        let chosen = try request.choice.files(of: listing)
        let total = try self.total(chosen)
        try prepareFolder()
        let lock = try await takeLock()
        try recoverFolder(at: request.folder)
        let old = ModelManifest.of(request.folder)
        try checkFolder(old)
        let present = chosen.compactMap { old?.entry(of: $0, commit: listing.commit, in: request.folder) }
        let here = Set(present.map(\.path))
        let wanted = chosen.filter { !here.contains($0.path) }
        report(.chosen(files: chosen, present: present.reduce(0) { $0 + $1.size }, commit: listing.commit))
        let fetched = try await fetch(wanted, present, listing, total)
        let manifest = self.manifest(listing, old, present + fetched.files)
        if !wanted.isEmpty {
            let gone = Set((old?.files ?? []).map(\.path)).subtracting(manifest.files.map(\.path))
            try staging.install(wanted, dropping: gone, manifest: manifest)
        }
        report(.finished(folder: request.folder, fetched: fetched.bytes))
        _ = consume lock
        return manifest
    }

    /// Makes the folder above the model's.
    private func prepareFolder() throws {
        let parent = request.folder.deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        } catch {
            throw FormatError.unwritable(path: parent.path, why: error.localizedDescription)
        }
    }

    /// Takes the lock, waiting for whoever has it.
    private func takeLock() async throws -> FileLock {
        var isWaiting = false
        while true {
            if let lock = try FileLock(staging.lock) { return lock }
            if !isWaiting { report(.waiting) }
            isWaiting = true
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Refuses to change a folder that holds something else than a pulled model.
    private func checkFolder(_ manifest: ModelManifest?) throws {
        guard FileManager.default.fileExists(atPath: request.folder.path) else { return }
        let isOurs = manifest?.repository == request.name.id
        guard isOurs || (try? FileManager.default.contentsOfDirectory(atPath: request.folder.path)) == [] else {
            throw HubError.foreignFolder(path: request.folder.path)
        }
    }

    // MARK: Fetching

    private typealias Fetched = (files: [ModelManifest.File], bytes: Int)

    /// Fetches files into the staging folder: small ones several at once, large ones in several parts.
    private func fetch(
        _ files: [HubFile], _ present: [ModelManifest.File], _ listing: HubListing, _ total: Int
    ) async throws -> Fetched {
        guard !files.isEmpty else { return ([], 0) }
        let parts = files.map { PartFile($0, at: staging.part($0)) }
        try await checkSpace(files, parts)
        let progress = PullProgress(total: total, report)
        for file in present { progress.update(file.path, done: file.size) }
        for (file, part) in zip(files, parts) { progress.update(file.path, done: await part.count) }
        let jobs = try zip(files, parts).map { file, part in
            FileDownload(
                file: file, url: try api.url(request.name, commit: listing.commit, path: file.path), part: part,
                transport: api.transport, progress: progress,
                refusal: { try await api.refusal($0, request.name, listing.commit) })
        }
        let sums = try await run(jobs)
        return (files.map { entry($0, sums[$0.path] ?? "", listing.commit) }, progress.fetched)
    }

    /// Runs the downloads; returns the SHA-256 of each path.
    private func run(_ jobs: [FileDownload]) async throws -> [String: String] {
        let isSmall = { (job: FileDownload) in job.file.size <= configuration.smallestPiece }
        return try await withThrowingTaskGroup(of: (String, String).self) { group in
            var sums: [String: String] = [:]
            for (index, job) in jobs.filter(isSmall).enumerated() {
                if index >= configuration.parts, let (path, sum) = try await group.next() { sums[path] = sum }
                group.addTask {
                    try await job.run(connections: 1)
                    return try await verified(job)
                }
            }
            while let (path, sum) = try await group.next() { sums[path] = sum }
            for job in jobs where !isSmall(job) {
                try await job.run(connections: configuration.parts)
                // The sum of one file is taken while the next one comes.
                group.addTask { try await verified(job) }
            }
            while let (path, sum) = try await group.next() { sums[path] = sum }
            return sums
        }
    }

    private func verified(_ job: FileDownload) async throws -> (String, String) {
        let sum = try await job.part.verify()
        report(.verified(path: job.file.path))
        return (job.file.path, sum)
    }

    private func total(_ files: [HubFile]) throws(HubError) -> Int {
        var total = 0
        for file in files {
            let (sum, overflow) = total.addingReportingOverflow(file.size)
            guard !overflow else { throw .badAnswer(url: request.name.id, why: "its files are impossibly large") }
            total = sum
        }
        return total
    }

    /// Throws unless the disk can hold what is still to come.
    private func checkSpace(_ files: [HubFile], _ parts: [PartFile]) async throws {
        var needed = try total(files)
        for part in parts { needed -= await part.count }
        guard let free = freeSpace(request.folder.deletingLastPathComponent()), needed > free else { return }
        throw HubError.diskFull(path: request.folder.path, needed: needed, free: free)
    }

    // MARK: The manifest

    private func entry(_ file: HubFile, _ sha256: String, _ commit: String) -> ModelManifest.File {
        ModelManifest.File(
            path: file.path, size: file.size, sha256: sha256, checksum: file.checksum?.description, commit: commit)
    }

    /// What the folder will hold: the files of this pull, and of earlier ones what the hub still has.
    private func manifest(
        _ listing: HubListing, _ old: ModelManifest?, _ files: [ModelManifest.File]
    ) -> ModelManifest {
        let paths = Set(files.map(\.path))
        let listed = Set(listing.files.map(\.path))
        let kept = (old?.files ?? []).filter { !paths.contains($0.path) && listed.contains($0.path) }
        return ModelManifest(
            repository: request.name.id, hub: configuration.endpoint.absoluteString, revision: request.revision,
            commit: listing.commit, pulled: Date(), files: (files + kept).sorted { $0.path < $1.path })
    }
}

/// Bytes that the file system of `folder` has left; nil if it does not say.
private func freeSpace(_ folder: URL) -> Int? {
    var status = statvfs()
    guard statvfs(folder.path, &status) == 0 else { return nil }
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? nil : Int(clamping: bytes)
}
