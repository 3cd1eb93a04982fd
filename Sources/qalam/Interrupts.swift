// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
internal import Foundation

/// Remembers whether the user asked to stop: the first Ctrl-C is polite, the second ends the program.
final class Interrupts {
    private let source: any DispatchSourceSignal
    private let flag = StopFlag()

    /// Whether Ctrl-C or a request to terminate came.
    var wasInterrupted: Bool { flag.isSet }

    init() {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { [flag] in
            if flag.isSet { exit(130) }
            flag.set()
            standardError("\nstopping after this step; Ctrl-C again to stop at once")
        }
        source.resume()
    }

    deinit { source.cancel() }
}
