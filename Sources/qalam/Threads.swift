// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import QalamTensors

/// Sets the number of threads, if one was asked for.
func setThreads(_ threads: Int?) throws {
    if let threads { Device.cpu.threads = threads }
}

/// Refuses a number of threads that makes no sense.
func checkThreads(_ threads: Int?) throws {
    if let threads, !(1...1024).contains(threads) {
        throw ValidationError("--threads must be from 1 to 1024, not \(threads).")
    }
}
