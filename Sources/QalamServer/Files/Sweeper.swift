// SPDX-License-Identifier: Apache-2.0

import Logging
import QalamStore
import ServiceLifecycle

/// Takes files from the disk once they have expired.
struct Sweeper: Service {
    private static let interval = Duration.seconds(60)

    let platform: Platform

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                do {
                    try await platform.store.sweep()
                } catch is CancellationError {
                    return
                } catch {
                    platform.logger.error("expired files can't be removed", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
