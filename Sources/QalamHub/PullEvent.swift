// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import Synchronization

/// What happens while a model is pulled.
package enum PullEvent: Sendable {
    /// Another pull of the same model is running; this one waits for it.
    case waiting
    /// The hub has been asked: these files of this commit are wanted, and those of `present` are here already.
    case chosen(files: [HubFile], present: Int, commit: String)
    /// Bytes that are here, of all that are wanted; several times a second.
    case progress(done: Int, total: Int)
    /// A request for a file failed and is made again after a pause.
    case retrying(path: String, why: String, pause: Duration)
    /// The file on the hub has changed since its first bytes came; it is fetched from the start.
    case startedOver(path: String)
    /// All bytes of a file are here and have the right sum.
    case verified(path: String)
    /// The model is complete, in this folder; `fetched` bytes came over the network.
    case finished(folder: URL, fetched: Int)
}

/// Bytes of all files of a pull, told as events at most ten times a second.
final class PullProgress: Sendable {
    private struct State {
        var done: [String: Int] = [:]
        var fetched = 0
        var sum = 0
        var shown: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let total: Int
    private let report: @Sendable (PullEvent) -> Void

    init(total: Int, _ report: @escaping @Sendable (PullEvent) -> Void) {
        self.total = total
        self.report = report
    }

    /// Bytes that came over the network.
    var fetched: Int { state.withLock { $0.fetched } }

    /// The file at `path` has `done` bytes now, of which `fetched` have just come.
    func update(_ path: String, done: Int, fetched: Int = 0) {
        let sum = state.withLock { state -> Int? in
            state.sum += done - (state.done[path] ?? 0)
            state.done[path] = done
            state.fetched += fetched
            let now = ContinuousClock.now
            if let shown = state.shown, now - shown < .milliseconds(100), state.sum < total { return nil }
            state.shown = now
            return state.sum
        }
        if let sum { report(.progress(done: sum, total: total)) }
    }

    /// Passes another event on.
    func tell(_ event: PullEvent) { report(event) }
}
