// SPDX-License-Identifier: Apache-2.0

public import QalamEngine

/// Where a server gets further models from while it runs; the program that runs the server supplies it.
public protocol ModelShelf: Sendable {
    /// The models on this machine: what they are called, and their bytes.
    func models() -> [(name: String, bytes: Int)]
    /// Fetches the model of this name unless it is here, and gives it to be served.
    ///
    /// - Parameters:
    ///   - name: as in `models()`, or the hub's
    ///   - progress: told the bytes that are here, and all that there will be
    /// - Returns: the model, not opened yet
    /// - Throws: an error whose description says what to do
    func fetch(
        _ name: String, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws -> any ServedModel
}
