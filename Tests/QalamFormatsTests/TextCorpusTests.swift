// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import TestSupport
import Testing

/// Documents from files of every kind.
struct TextCorpusTests {
    private typealias Piece = TextCorpus.Piece

    /// All pieces of `paths`.
    private func pieces(_ paths: [URL], _ change: (inout TextCorpus.Options) -> Void = { _ in }) throws -> [Piece] {
        var options = TextCorpus.Options()
        change(&options)
        var reader = try TextCorpus(paths, options: options).makeReader()
        var all: [Piece] = []
        while let piece = try reader.next() { all.append(piece) }
        #expect(all.allSatisfy { !$0.bytes.isEmpty && $0.bytes.count <= options.pieceLimit })
        return all
    }

    /// The documents of `paths`, pieces joined.
    private func documents(
        _ paths: [URL], _ change: (inout TextCorpus.Options) -> Void = { _ in }
    ) throws -> [[UInt8]] {
        var all: [[UInt8]] = []
        var open = false
        for piece in try pieces(paths, change) {
            if open { all[all.count - 1] += piece.bytes } else { all.append(piece.bytes) }
            open = !piece.endsDocument
        }
        #expect(!open)
        return all
    }

    private func text(_ documents: [[UInt8]]) -> [String] { documents.map { String(decoding: $0, as: UTF8.self) } }

    /// Runs a tool in `folder`; false if it is not there or fails.
    private func run(_ tool: String, _ arguments: [String], in folder: URL) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.currentDirectoryURL = folder
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test func `A text file is one document, its bytes unchanged`() throws {
        try withTemporaryFolder { folder in
            let odd: [UInt8] = [0, 0xFF, 0x0A, 0xC3, 0x28, 0x0D, 0x0A, 0xE2, 0x82]
            try folder.file("a.txt").put(odd)
            #expect(try pieces([folder.file("a.txt")]).map(\.bytes) == [odd])
            try folder.file("empty.txt").put([])
            #expect(try pieces([folder.file("empty.txt")]).isEmpty)
        }
    }

    @Test func `Long documents come in pieces cut at line ends, or between characters`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.txt")
            let lines = (0..<60_000).map { "line \($0) قلم\n" }.joined()
            try url.put(lines.utf8)
            let all = try pieces([url]) { $0.pieceLimit = 10_000 }
            #expect(all.flatMap(\.bytes) == Array(lines.utf8))
            #expect(all.allSatisfy { $0.bytes.last == 0x0A })
            #expect(all.map(\.endsDocument) == Array(repeating: false, count: all.count - 1) + [true])
            let unbroken = String(repeating: "قلم", count: 50_000)
            for shift in 0..<4 {
                try url.put((String(repeating: "x", count: shift) + unbroken).utf8)
                let cut = try pieces([url]) { $0.pieceLimit = 1000 }
                #expect(cut.flatMap(\.bytes).count == shift + unbroken.utf8.count)
                #expect(cut.allSatisfy { String(validating: $0.bytes, as: UTF8.self) != nil })
            }
            try url.put([UInt8](repeating: 0xBF, count: 5000))
            #expect(try pieces([url]) { $0.pieceLimit = 1000 }.flatMap(\.bytes).count == 5000)
        }
    }

    @Test func `Lines can stand between documents, or begin them`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.txt")
            try url.put("<end>\none\ntwo\r\n<end>\r\n\n<end> \nthree\n<end>\n<end>\nfour".utf8)
            #expect(
                text(try documents([url]) { $0.boundary = .line("<end>") })
                    == ["one\ntwo\r\n", "\n<end> \nthree\n", "four"])
            try url.put("a\nb\n\n\nc\n".utf8)
            #expect(text(try documents([url]) { $0.boundary = .line("") }) == ["a\nb\n", "c\n"])
            try url.put("= A =\nx\n== part ==\ny\n= B =\nz = 1\n".utf8)
            #expect(
                text(try documents([url]) { $0.boundary = .lineStartingWith("= ") })
                    == ["= A =\nx\n== part ==\ny\n", "= B =\nz = 1\n"])
            // What looks like a separator inside a long line that comes in parts is none.
            try url.put("\(String(repeating: "y", count: 100))<end>\nz".utf8)
            let whole = try documents([url]) {
                $0.boundary = .line("<end>")
                $0.pieceLimit = 100
            }
            #expect(whole.count == 1)
        }
    }

    @Test func `A piece that ends exactly where its document does says so`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.txt")
            let line = String(repeating: "x", count: 15) + "\n"
            try url.put((line + line + "<>\n" + line).utf8)
            let all = try pieces([url]) {
                $0.boundary = .line("<>")
                $0.pieceLimit = 16
            }
            #expect(all.map(\.endsDocument) == [false, true, true])
        }
    }

    @Test func `A field of each line is a document`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.jsonl")
            try url.put(
                Array(
                    "{\"id\": [1, {\"text\": 2}], \"text\": \"one\\n\\u0000\"}\r\n\n{\"text\": \"\"}\n{\"text\":\"".utf8
                )
                    + [0xFF, 0xC3] + Array("\", \"b\": null}\n{\"text\": \"قلم\\ud83d\\ude00\"}".utf8))
            #expect(
                try documents([url]) == [Array("one\n\0".utf8), [0xFF, 0xC3], Array("قلم😀".utf8)])
            try url.put("{\"story\": \"s\"}".utf8)
            #expect(text(try documents([url]) { $0.field = "story" }) == ["s"])
            let long = String(repeating: "word word\n", count: 300_000)
            try url.put("{\"text\": \(jsonString(long))}\n{\"text\": \"next\"}\n".utf8)
            #expect(text(try documents([url])) == [long, "next"])
        }
    }

    @Test(arguments: [
        ("{\"text\": \"a\"}\n{\"txt\": \"b\"}\n", "line 2: byte 0: there is no field \"text\""),
        ("\n\n[1]\n", "line 3: byte 0: expected \"{\""),
        ("{\"text\": 5}", "line 1: byte 9: the field \"text\" is not a string"),
        ("{\"text\": \"a\", \"text\": \"b\"}", "the field \"text\" comes twice"),
        ("{\"text\": \"a\"} {}", "line 1: byte 14: there is more"),
        ("{\"text\": \"a\n\"}", "line 1: byte 11: a control character in a string must be escaped"),
        ("{\"text\": \"a", "line 1: byte 11: the string has no closing quote"),
        ("{\"text\": \"\(String(repeating: "x", count: 2000))\"}", "line 1: longer than 1000 bytes"),
    ])
    func `Bad records are refused by file and line`(content: String, why: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.jsonl")
            try url.put(content.utf8)
            let text = message { _ = try pieces([url]) { $0.lineLimit = 1000 } }
            #expect(text?.contains("a.jsonl: \(why)") == true || text?.contains(why) == true, "\(text ?? "read")")
        }
    }

    @Test func `Folders come sorted by name, and say what they leave out`() throws {
        try withTemporaryFolder { folder in
            try FileManager.default.createDirectory(at: folder.file("b/deep"), withIntermediateDirectories: true)
            for name in ["c.txt", "a.txt", "b/x.txt", "b/deep/y.jsonl", ".hidden.txt", "image.png", "README"] {
                try folder.file(name).put((name.hasSuffix("jsonl") ? "{\"text\":\"\(name)\"}" : name).utf8)
            }
            #expect(text(try documents([folder])) == ["a.txt", "b/deep/y.jsonl", "b/x.txt", "c.txt"])
            #expect(try TextCorpus([folder]).skipped.map(\.lastPathComponent) == ["README", "image.png"])
            #expect(
                text(try documents([folder.file("c.txt"), folder.file("b")])) == ["c.txt", "b/deep/y.jsonl", "b/x.txt"])
            #expect(message { _ = try TextCorpus([folder.file("image.png")]) }?.contains("is not read; give") == true)
            #expect(message { _ = try TextCorpus([folder.file("none.txt")]) }?.contains("No such file") == true)
            let empty = folder.file("empty")
            try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
            #expect(message { _ = try TextCorpus([empty]) }?.contains("holds no text that can be read") == true)
        }
    }

    private static let packers = [("gz", "gzip"), ("xz", "xz"), ("zst", "zstd")]

    @Test(arguments: packers)
    func `Compressed files read as plain ones, and damage is found`(ending: String, tool: String) throws {
        try withTemporaryFolder { folder in
            let content = (0..<2000).map { "line \($0)\n" }.joined()
            try folder.file("a.txt").put(content.utf8)
            try folder.file("b.jsonl").put("{\"text\": \"قلم\"}\n".utf8)
            guard run(tool, ["-q", "-k", "a.txt", "b.jsonl"], in: folder) else {
                print("skipped: \(tool) is not there")
                return
            }
            let packed = folder.file("a.txt.\(ending)")
            #expect(text(try documents([packed, folder.file("b.jsonl.\(ending)")])) == [content, "قلم"])
            let whole = try packed.bytes
            // Two streams behind each other are one file.
            try packed.put(whole + whole)
            #expect(text(try documents([packed])) == [content + content])
            let cut = folder.file("cut.txt.\(ending)")
            for length in 0..<whole.count where length < 40 || length % 97 == 0 || length > whole.count - 20 {
                try cut.put(whole[..<length])
                let text = message { _ = try pieces([cut]) }
                #expect(text?.contains("cut.txt.\(ending): byte ") == true, "\(length): \(text ?? "read")")
            }
            try cut.put(content.utf8)
            #expect(message { _ = try pieces([cut]) }?.contains("byte 0: this is not \(ending) data") == true)
        }
    }

    @Test func `Archives give the members that are text`() throws {
        try withTemporaryFolder { folder in
            try FileManager.default.createDirectory(at: folder.file("in/قلم"), withIntermediateDirectories: true)
            for name in ["in/b.txt", "in/a.txt", "in/قلم/c.jsonl", "in/d.png", "in/e.txt.gz", "in/empty.txt"] {
                let content = name.hasSuffix("jsonl") ? "{\"text\":\"\(name)\"}\n" : name
                try folder.file(name).put(name.contains("empty") ? [] : Array(content.utf8))
            }
            let members = ["in/b.txt", "in/a.txt", "in/empty.txt", "in/قلم", "in/d.png", "in/e.txt.gz"]
            guard run("tar", ["-cf", "x.tar"] + members, in: folder) else {
                print("skipped: tar is not there")
                return
            }
            let tar = folder.file("x.tar")
            let expected = ["in/b.txt", "in/a.txt", "in/قلم/c.jsonl"]
            #expect(text(try documents([tar])) == expected)
            var reader = try TextCorpus([tar]).makeReader()
            var paths: [String] = []
            while let piece = try reader.next() { paths.append(piece.path) }
            #expect(paths == expected.map { "\(tar.relativePath): \($0)" })
            #expect(reader.skippedMembers == ["in/d.png", "in/e.txt.gz"].map { "\(tar.relativePath): \($0)" })
            if run("xz", ["-q", "-k", "x.tar"], in: folder) {
                #expect(text(try documents([folder.file("x.tar.xz")])) == expected)
            }
            let whole = try tar.bytes
            try tar.put(whole[..<700])
            #expect(message { _ = try pieces([tar]) }?.contains("x.tar: in/") == true)
            try tar.put("this is no archive".utf8)
            #expect(message { _ = try pieces([tar]) }?.contains("x.tar: byte ") == true)
            try tar.put([UInt8](repeating: 0, count: 1024))
            #expect(try pieces([tar]).isEmpty)
        }
    }

    @Test func `Records are read with errors that name their lines`() throws {
        try withTemporaryFolder { folder in
            let url = folder.file("a.jsonl")
            try url.put("{\"n\": 1}\n\n{\"n\": 2}\n{\"n\": \"x\"}\n{".utf8)
            var reader = try JSONLinesReader([url])
            #expect(try reader.next()?.int("n") == 1)
            #expect(try reader.next()?.int("n") == 2)
            let third = try #require(try reader.next())
            #expect(
                message { _ = try third.int("n") }?.hasSuffix("a.jsonl:4: n: expected an integer, found \"x\"") == true)
            do {
                _ = try reader.next()
                Issue.record("the last line is no object")
            } catch {
                #expect("\(error)".contains("a.jsonl:5: byte 1: expected \"\"\""))
            }
        }
    }

    @Test func `The shared corpora stream in little memory`() throws {
        let url = fixtures.file("../../../shared/data/english/wiki_simple_strict.txt.xz").standardizedFileURL
        guard FileManager.default.fileExists(atPath: url.path) else {
            print("skipped: the shared corpora are not there")
            return
        }
        let all = try documents([url]) { $0.boundary = .lineStartingWith("= ") }
        #expect(all.count > 15_000 && all.allSatisfy { $0.starts(with: "= ".utf8) })
    }
}
