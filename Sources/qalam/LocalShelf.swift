// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamEngine
internal import QalamHub
internal import QalamServer

/// The folder of models and the hub, for the page: what `qalam list` and `qalam pull` do on the command line.
struct LocalShelf: ModelShelf {
    /// How models are opened.
    let configuration: EngineConfiguration

    func models() -> [(name: String, bytes: Int)] {
        ModelStore().list().filter { $0.kind != .incomplete }.map { ($0.name, $0.size) }
    }

    func fetch(
        _ name: String, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> any ServedModel {
        let store = ModelStore()
        // Only what is listed: a page must not open any file of the machine by its path.
        if !store.list().contains(where: { $0.name == name && $0.kind != .incomplete }) {
            let model = try ModelName(name)
            let hub = try Hub(HubConfiguration(token: nil, environment: ProcessInfo.processInfo.environment))
            _ = try await hub.pull(PullRequest(model, folder: store.folder(of: model))) { event in
                if case .progress(let done, let total) = event { progress(done, total) }
            }
        }
        let source = try ModelSource(store.resolve(name), configuration: configuration)
        let (_, models) = try ServedLibrary.serving([source], keepAlive: .seconds(300))
        guard let model = models.first else { throw HubError.notAModel(path: name, why: "it can't be served.") }
        return model
    }
}
