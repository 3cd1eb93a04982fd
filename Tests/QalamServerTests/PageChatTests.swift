// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import QalamStore
import Testing

@Suite("The page's conversations")
struct PageChatTests {
    private func make(
        _ client: any TestClientProtocol, _ title: String, _ text: String = "x", labels: [String] = [],
        headers: HTTPFields = [:]
    ) async throws -> String {
        let body: JSONValue = [
            "title": .string(title), "labels": .array(labels.map(JSONValue.string)), "head": "m1",
            "messages": [["id": "m1", "role": "user", "content": .string(text)]],
        ]
        let response = try await client.send(.post, "/page/chats", body.encoded, headers: headers)
        #expect(response.status == .ok, "\(response.text)")
        return try #require(response.json["id"]?.text)
    }

    private func titles(_ client: any TestClientProtocol, _ query: String) async throws -> [String] {
        let encoded = query.addingPercentEncoding(withAllowedCharacters: .urlQueryAllowed) ?? query
        let list = try await client.send(.get, "/page/chats?\(encoded)").json
        return (list["data"]?.elements ?? []).compactMap { $0["title"]?.text }
    }

    @Test("a conversation is made, added to, changed, branched, deleted")
    func life() async throws {
        try await withServer(.saying("a")) { client in
            let id = try await make(client, "First", "Hello")
            let path = "/page/chats/\(id)"
            let answers = """
                {"head": "m3", "messages": [{"id": "m2", "parent": "m1", "role": "assistant", "content": "Hi",
                 "model": "fake", "statistics": {"tokens": 3, "seconds": 0.5, "first": 0.1}, "ended": "stop"},
                 {"id": "m3", "parent": "m1", "role": "assistant", "content": "Hey", "reasoning": "Hm",
                 "pictures": [{"data": "iVBO", "type": "image/png", "alt": "a fox", "seed": 7}]}]}
                """
            #expect(try await client.send(.post, path + "/messages", answers).json["head"] == "m3")
            let changed = #"{"messages": [{"id": "m2", "parent": "m1", "role": "assistant", "content": "Ho"}]}"#
            _ = try await client.send(.post, path + "/messages", changed)
            let update = #"{"title": "قلم", "labels": ["work"], "head": "m2", "settings": {"temperature": 0.1}}"#
            #expect(try await client.send(.post, path, update).json["title"] == "قلم")
            let whole = try await client.send(.get, path).json
            #expect(whole["messages"]?.elements?.compactMap { $0["content"]?.text } == ["Hello", "Ho", "Hey"])
            #expect(whole["messages"]?[2]?["pictures"]?[0]?["alt"] == "a fox")
            #expect(whole["labels"] == ["work"] && whole["head"] == "m2" && whole["owner"] == nil)
            #expect(whole["settings"] == ["temperature": 0.1])
            let labels = try await client.send(.get, "/page/labels").json
            #expect(labels["data"] == [["label": "work", "count": 1]])
            #expect(try await client.send(.delete, path).json["deleted"] == true)
            #expect(try await client.send(.get, path).status == .notFound)
            #expect(try await client.send(.delete, path).status == .notFound)
            let orphan = try await client.send(.post, path + "/messages", changed)
            #expect(orphan.status == .notFound)
        }
    }

    @Test("titles and messages are searched, whatever capitals, accents and vowel signs; labels narrow the list")
    func search() async throws {
        try await withServer(.saying("a")) { client in
            _ = try await make(client, "A fox", "It ran 100% of the way", labels: ["tales"])
            _ = try await make(client, "Café talk", "نصٌّ عن القَلَمِ وأحمد في المدرسة", labels: ["tales", "عمل"])
            _ = try await make(client, "Third", "nothing")
            let expected: [(String, [String])] = [
                ("search=FOX", ["A fox"]), ("search=cafe", ["Café talk"]), ("search=القلم", ["Café talk"]),
                ("search=احمد المدرسه", ["Café talk"]), ("search=cafe fox", []), ("search=100% ran", ["A fox"]),
                ("search=_", []), ("search=%%", []), ("label=tales", ["Café talk", "A fox"]),
                ("label=عمل", ["Café talk"]), ("label=tales&search=fox", ["A fox"]),
                ("", ["Third", "Café talk", "A fox"]), ("limit=1&offset=1", ["Café talk"]),
            ]
            for (query, found) in expected { #expect(try await titles(client, query) == found, "\(query)") }
            #expect(try await client.send(.get, "/page/chats?limit=2").json["has_more"] == true)
        }
    }

    @Test("what has the wrong shape is refused by name")
    func refusals() async throws {
        try await withServer(.saying("a")) { client in
            let id = try await make(client, "One")
            let cases: [(String, String, String)] = [
                ("/page/chats", #"{"title": ""}"#, "title"), ("/page/chats", #"{}"#, "title"),
                ("/page/chats", #"{"title": "x", "owner": "y"}"#, "owner"),
                ("/page/chats/\(id)", #"{"settings": {"temperature": 9}}"#, "settings.temperature"),
                (
                    "/page/chats/\(id)/messages", #"{"messages": [{"id": "a", "role": "system", "content": ""}]}"#,
                    "messages[0].role"
                ),
            ]
            for (path, body, param) in cases {
                let response = try await client.send(.post, path, body)
                #expect(response.status == .badRequest)
                #expect(try response.json["error"]?["param"]?.text == param, "\(response.text)")
            }
            let lost = #"{"messages": [{"id": "a", "parent": "none", "role": "user", "content": ""}]}"#
            #expect(try await client.send(.post, "/page/chats/\(id)/messages", lost).status == .notFound)
        }
    }

    @Test("they belong to the name of the key, and stay when the server is gone")
    func owners() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "qalam-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func secret(_ name: String) async throws -> HTTPFields {
            let key = APIKey(name: name, scopes: [.infer], created: 1)
            return [.authorization: "Bearer \(try await Store(folder).add(key))"]
        }
        let (maryam, yusuf) = (try await secret("maryam"), try await secret("yusuf"))
        let id = try await withServer(.saying("a"), store: try Store(folder)) { client in
            try await make(client, "Mine", headers: maryam)
        }
        let later = try await secret("maryam")
        try await withServer(.saying("a"), store: try Store(folder)) { client in
            let path = "/page/chats/\(id)"
            let mine = try await client.send(.get, path, headers: maryam).status
            let alsoMine = try await client.send(.get, path, headers: later).status
            #expect(mine == .ok && alsoMine == .ok)
            let seen = try await client.send(.get, path, headers: yusuf).status
            let deleted = try await client.send(.delete, path, headers: yusuf).status
            #expect(seen == .notFound && deleted == .notFound)
            let list = try await client.send(.get, "/page/chats", headers: yusuf).json
            #expect(list["data"] == [])
        }
    }
}
