// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub

/// `qalam rm`: deletes a model from the folder of models.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Delete a model from the folder of models.")

    @Argument(help: "owner/name with all of its quantizations, or owner/name:Q4_K_M.")
    var name: String

    @Flag(help: "Do not ask.")
    var yes = false

    func run() throws {
        let store = ModelStore()
        let removal = try store.removal(of: name)
        if !yes {
            write("Delete \(removal.name) (\(byteText(removal.size)))?\n")
            for path in removal.paths { write("  \(path.path)\n") }
            write("[y/N] ")
            guard ["y", "yes"].contains(readLine()?.lowercased().trimmingCharacters(in: .whitespaces)) else {
                write("Nothing was deleted.\n")
                throw ExitCode(1)
            }
        }
        write("\(removal.name) is deleted, \(byteText(try store.remove(removal))) are free.\n")
    }
}
