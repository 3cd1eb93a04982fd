// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A switch that can be set once, from any thread.
final class StopFlag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
