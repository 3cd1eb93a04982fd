// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import TestSupport
import Testing

/// Files and folders that are replaced whole or not at all.
struct AtomicWriteTests {
    private struct Interruption: Error {}

    private func names(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func `A file appears whole, and replaces the old one`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a")
            try writeAtomically(to: url) { writer in
                try writer.write("one ")
                try writer.write([UInt8](repeating: 0x61, count: 3 << 20))
                #expect(writer.count == 4 + 3 << 20)
            }
            #expect(try url.bytes.count == 4 + 3 << 20)
            try writeAtomically(Array("two".utf8), to: url)
            #expect(try url.bytes == Array("two".utf8))
            // A reservation that turns out too long is given back.
            try writeAtomically(to: url, size: 4096) { try $0.write("three") }
            #expect(try url.bytes == Array("three".utf8))
            #expect(try names(folder) == ["a"])
        }
    }

    @Test func `An error in the body leaves the old file and nothing else`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a")
            try writeAtomically(Array("old".utf8), to: url)
            #expect(throws: Interruption.self) {
                try writeAtomically(to: url) { writer in
                    try writer.write([UInt8](repeating: 0, count: 2 << 20))
                    throw Interruption()
                }
            }
            #expect(try url.bytes == Array("old".utf8))
            #expect(try names(folder) == ["a"])
        }
    }

    @Test func `A folder that is not there, or a folder in the way, is an error that names the file`() throws {
        try withTemporaryFolder { folder in
            let text = message { try writeAtomically([1], to: folder.file("no/a")) }
            #expect(text?.contains("no/a: can't be written (No such file or directory)") == true)
            try FileManager.default.createDirectory(at: folder.file("b/c"), withIntermediateDirectories: true)
            #expect(message { try writeAtomically([1], to: folder.file("b")) }?.contains("can't be written") == true)
            #expect(try names(folder) == ["b"])
        }
    }

    @Test func `A full disk leaves the old file, and says how much is needed`() throws {
        try withTemporaryFolder { folder in
            guard run("/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path]) else {
                print("skipped: a full disk needs the right to mount a small tmpfs")
                return
            }
            defer { _ = run("/bin/umount", [folder.path]) }
            let url = folder.file("a")
            try writeAtomically(Array("old".utf8), to: url)
            let big = [UInt8](repeating: 1, count: 2 << 20)
            for size in [nil, big.count] {
                let text = message { try writeAtomically(to: url, size: size) { try $0.write(big) } }
                #expect(text?.contains("disk full: need") == true, "\(text ?? "written")")
                #expect(try url.bytes == Array("old".utf8))
                #expect(try names(folder) == ["a"])
            }
        }
    }

    private func run(_ tool: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test func `A folder is replaced whole`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("checkpoint")
            for content in ["one", "two"] {
                try replaceFolderAtomically(at: url) { partial in
                    try FileManager.default.createDirectory(
                        at: partial.file("inner"), withIntermediateDirectories: true)
                    try partial.file("inner/weights").put(content.utf8)
                    try partial.file(content).put([])
                }
                #expect(try url.file("inner/weights").bytes == Array(content.utf8))
                #expect(try names(url) == ["inner", content])
                #expect(try names(folder) == ["checkpoint"])
            }
            #expect(throws: Interruption.self) { try replaceFolderAtomically(at: url) { _ in throw Interruption() } }
            #expect(try names(url) == ["inner", "two"])
            #expect(try names(folder) == ["checkpoint"])
        }
    }

    @Test(arguments: [
        (["checkpoint": "old", "checkpoint.partial": "half"], "old"),
        (["checkpoint": "new", "checkpoint.partial": "old"], "new"),
        (["checkpoint.previous": "old", "checkpoint.partial": "new"], "old"),
        (["checkpoint": "new", "checkpoint.previous": "old"], "new"),
        (["checkpoint.partial": "half"], nil),
        ([:], nil),
    ])
    func `Whatever a crash left behind, the folder is old or new`(state: [String: String], kept: String?) throws {
        try withTemporaryFolder { folder in
            for (name, content) in state {
                try FileManager.default.createDirectory(at: folder.file(name), withIntermediateDirectories: true)
                try folder.file(name).file("content").put(content.utf8)
            }
            let url = folder.file("checkpoint")
            try recoverFolder(at: url)
            #expect(try names(folder) == (kept == nil ? [] : ["checkpoint"]))
            if let kept { #expect(try url.file("content").bytes == Array(kept.utf8)) }
            try replaceFolderAtomically(at: url) { try $0.file("content").put("newer".utf8) }
            #expect(try url.file("content").bytes == Array("newer".utf8))
            #expect(try names(folder) == ["checkpoint"])
        }
    }
}
