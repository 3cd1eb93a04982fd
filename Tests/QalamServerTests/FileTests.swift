// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamServer
import QalamStore
import Testing

extension TestClientProtocol {
    /// Sends a form with fields and one file.
    func form(
        _ path: String, file: (name: String, filename: String, text: String)?, fields: [(String, String)] = []
    ) async throws -> TestResponse {
        var body = ""
        for (name, value) in fields {
            body += "--b0\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        if let file {
            body += "--b0\r\nContent-Disposition: form-data; name=\"\(file.name)\"; filename=\"\(file.filename)\"\r\n"
            body += "Content-Type: application/octet-stream\r\n\r\n\(file.text)\r\n"
        }
        body += "--b0--\r\n"
        return try await send(.post, path, body, headers: [.contentType: "multipart/form-data; boundary=b0"])
    }

    /// Uploads a file and gives its id.
    func upload(_ text: String, purpose: String = "user_data") async throws -> String {
        let response = try await form("/v1/files", file: ("file", "a.jsonl", text), fields: [("purpose", purpose)])
        return try response.json["id"]?.text ?? response.text
    }
}

@Suite("Files and uploads")
struct FileTests {
    @Test("a file goes up, is listed, comes down as it was, and is deleted")
    func roundTrip() async throws {
        let text = "line\r\n--b1\r\nقلم\u{0}\r\n--b"
        try await withServer(.saying("a")) { client in
            let made = try await client.form(
                "/v1/files", file: ("file", "a \\\"b\\\".txt", text),
                fields: [
                    ("purpose", "user_data"), ("expires_after[anchor]", "created_at"),
                    ("expires_after[seconds]", "3600"),
                ])
            #expect(made.status == .ok, "\(made.text)")
            let file = try made.json
            let id = try #require(file["id"]?.text)
            #expect(file["bytes"] == .integer(text.utf8.count) && file["filename"] == "a \"b\".txt")
            #expect(file["sha256"] == nil)
            let created = try #require(file["created_at"]?.int)
            #expect(file["expires_at"] == .integer(created + 3600))
            #expect(try await client.send(.get, "/v1/files/\(id)").json == file)
            let content = try await client.send(.get, "/v1/files/\(id)/content")
            #expect(content.text == text && content.headers[.contentDisposition] == "attachment")
            let list = try await client.send(.get, "/v1/files?purpose=user_data&limit=1&order=asc").json
            #expect(list["data"]?[0] == file && list["has_more"] == false && list["first_id"] == .string(id))
            #expect(try await client.send(.get, "/v1/files?purpose=batch").json["data"] == [])
            #expect(try await client.send(.delete, "/v1/files/\(id)").json["deleted"] == true)
            for path in ["/v1/files/\(id)", "/v1/files/\(id)/content", "/v1/files?after=\(id)"] {
                #expect(try await client.send(.get, path).status == .notFound)
            }
        }
    }

    @Test("broken forms are refused, and nothing of them stays")
    func broken() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "qalam-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try Store(folder)
        try await withServer(.saying("a"), store: store) { client in
            func status(_ body: String, _ type: String = "multipart/form-data; boundary=b0") async throws -> Int {
                try await client.send(.post, "/v1/files", body, headers: [.contentType: type]).status.code
            }
            let head = "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nabc"
            #expect(try await status("{}", "application/json") == 415)
            #expect(try await status("", "multipart/form-data") == 415)
            #expect(try await status("") == 400)
            #expect(try await status(head) == 400)
            #expect(try await status(head + "\r\n--b0--") == 400)  // no purpose
            #expect(try await status("--b0\r\n\r\nx\r\n--b0--") == 400)
            #expect(try await status("--b0x" + head) == 400)
            #expect(try await status(String(repeating: "x", count: 100_000)) == 400)
            #expect(try await status("--b0\r\n" + String(repeating: "h: x\r\n", count: 5000)) == 400)
            let bad = try await client.form("/v1/files", file: ("file", "a", "x"), fields: [("purpose", "fun")])
            #expect(try bad.json["error"]?["param"] == "purpose")
            let odd = try await client.form(
                "/v1/files", file: ("file", "a", "x"), fields: [("purpose", "vision"), ("odd", "1")])
            #expect(try odd.json["error"]?["param"] == "odd")
        }
        try await Task.sleep(for: .milliseconds(100))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "files").path).isEmpty)
        #expect(try await store.list(RecordQuery(.file)).records.isEmpty)
    }

    @Test("an upload is made of its parts, once")
    func uploads() async throws {
        try await withServer(.saying("a")) { client in
            let body = #"{"bytes": 6, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"}"#
            let upload = try await client.send(.post, "/v1/uploads", body).json
            let id = try #require(upload["id"]?.text)
            #expect(upload["status"] == "pending" && upload["file"] == .null)
            var parts: [String] = []
            for text in ["def", "abc", "zzz"] {
                let part = try await client.form("/v1/uploads/\(id)/parts", file: ("data", "p", text)).json
                parts.append(try #require(part["id"]?.text))
            }
            func complete(_ ids: [String], _ more: String = "") async throws -> TestResponse {
                let list = ids.map { "\"\($0)\"" }.joined(separator: ",")
                return try await client.send(.post, "/v1/uploads/\(id)/complete", "{\"part_ids\": [\(list)]\(more)}")
            }
            #expect(try await complete([parts[0]]).status == .badRequest)
            #expect(try await complete([parts[0], parts[0]]).status == .badRequest)
            #expect(try await complete([parts[0], "part_x"]).status == .notFound)
            let wrong = #", "md5": "\#(String(repeating: "0", count: 32))""#
            #expect(try await complete([parts[1], parts[0]], wrong).status == .badRequest)
            let right = #", "md5": "e80b5017098950fc58aad83c8c14978e""#
            let done = try await complete([parts[1], parts[0]], right).json
            #expect(done["status"] == "completed", "\(done.encoded)")
            let file = try #require(done["file"]?["id"]?.text)
            #expect(try await client.send(.get, "/v1/files/\(file)/content").text == "abcdef")
            #expect(try await complete([parts[2]]).status == .conflict)
            #expect(try await client.send(.post, "/v1/uploads/\(id)/cancel").status == .conflict)
        }
    }
}
