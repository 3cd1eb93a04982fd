import Foundation

/// A conversation for supervised training.
struct Chat {
    var category: String
    var turns: [(role: String, content: String)]

    init(_ category: String, _ user: String, _ assistant: String) {
        self.category = category
        turns = [("user", user), ("assistant", assistant)]
    }

    init(_ category: String, turns: [(role: String, content: String)]) {
        self.category = category
        self.turns = turns
    }

    /// One line of `sft.jsonl`.
    var json: String {
        let messages = turns.map {
            "{\"role\":\"\($0.role)\",\"content\":\(JSONLines.quoted($0.content))}"
        }
        return "{\"messages\":[\(messages.joined(separator: ","))]}"
    }

    /// The conversation as a page of text.
    var page: String {
        turns.map { ($0.role == "user" ? "User: " : $0.role == "system" ? "" : "Qalam: ") + $0.content }
            .joined(separator: "\n")
    }
}

/// Makes conversations from the text files of this folder.
struct ChatMaker {
    let lists: [String: [String]]
    let stories: StoryMaker
    let texts: URL
    let seed: UInt64
    /// The share of each block's `n` to draw.
    let scale: Double

    /// Questions and answers without slots that need more than one draw: talk, identity, limits, care and skills.
    func talk() throws -> [Chat] {
        try ["talk", "identity", "unknown", "care", "skills"].flatMap { file -> [Chat] in
            let blocks = try GrammarFile.blocks(texts.appending(path: "\(file).txt"))
            return try blocks.flatMap { try draw($0, blocks, file: file) }
        }
    }

    /// Questions about the tables of facts.
    func facts() throws -> [Chat] {
        let blocks = try ["facts-1", "facts-2"].flatMap { try GrammarFile.blocks(texts.appending(path: "\($0).txt")) }
        return try blocks.flatMap { try draw($0, blocks, file: "facts") }
    }

    /// Statements of the fact tables, in paragraphs, for plain reading.
    func statements(_ count: Int) throws -> [String] {
        let files = ["facts-1", "facts-2", "skills"]
        let blocks = try files.flatMap { try GrammarFile.blocks(texts.appending(path: "\($0).txt")) }
            .filter { !$0.templates("=").isEmpty && !$0.rows.isEmpty }
        return try (0..<count).map { index in
            var random = Random(seed: seed, name: "statements", index: index)
            let block = random.pick(blocks)
            let rows = random.shuffled(block.rows).prefix(3 + random.below(4))
            return try rows.map { row in
                var scene = self.scene(row, random)
                random = scene.random
                return tidy(try scene.fill(random.pick(block.templates("="))))
            }.joined(separator: random.chance(50) ? "\n" : " ")
        }
    }

    private func scene(_ row: [String], _ random: Random) -> Scene {
        var scene = Scene(lists: lists, random: random)
        for (i, cell) in row.enumerated() { scene.words["\(i + 1)"] = cell }
        return scene
    }

    private func draw(_ block: Block, _ all: [Block], file: String) throws -> [Chat] {
        let questions = block.templates("?")
        let answers = block.templates("-")
        guard !questions.isEmpty, !answers.isEmpty else { return [] }
        var rows = block.rows
        if let other = block.options["rows"] { rows = all.first { $0.name == other }?.rows ?? [] }
        let n = Double(block.options["n"] ?? "5") ?? 5
        let count = max(1, Int((n * scale * Double(max(1, rows.count))).rounded()))
        return try (0..<count).map { index in
            var scene = scene(rows.isEmpty ? [] : rows[index % rows.count],
                              Random(seed: seed, name: file + block.name, index: index))
            let question = try scene.fill(scene.random.pick(questions))
            var answer = try scene.fill(scene.random.pick(answers))
            if answer == "SAME" { answer = English.capitalised(ChatMaker.quotedPart(question)) }
            return Chat(file, English.asTyped(tidy(question), &scene.random), tidy(answer))
        }
    }

    private static func quotedPart(_ text: String) -> String {
        let parts = text.components("\"")
        return parts.count > 2 ? parts[1] : text
    }

    /// Line ends of poems, and no space at an end.
    private func tidy(_ text: String) -> String {
        text.components("\\n").joined(separator: "\n").trimmingCharacters(in: .whitespaces)
    }

    /// Whole conversations with several turns.
    func flows() throws -> [Chat] {
        try GrammarFile.blocks(texts.appending(path: "flows.txt")).flatMap { block -> [Chat] in
            let n = Int((Double(block.options["n"] ?? "100") ?? 100) * scale)
            return try (0..<n).map { index in
                var scene = Scene(lists: lists, random: Random(seed: seed, name: block.name, index: index))
                var turns: [(role: String, content: String)] = []
                for line in block.lines where line.mark == ">" || line.mark == "<" {
                    var text = tidy(try scene.fill(line.template))
                    if line.mark == ">" { text = English.asTyped(text, &scene.random) }
                    turns.append((line.mark == ">" ? "user" : "assistant", text))
                }
                return Chat("flows", turns: turns)
            }
        }
    }

    /// The outside list of small-talk questions with our own answers: each block names one question of its intent.
    func chitchat(_ rows: [[String: Any]]) throws -> [Chat] {
        var intents: [String: [String]] = [:]
        for row in rows where row["persona"] as? String == "friendly" {
            let questions = (row["questions"] as? [String] ?? []).filter { !$0.contains("editorial") }
            for question in questions { intents[question] = questions }
        }
        let cleaner = try Cleaner(unsafeList: texts.appending(path: "unsafe.txt"))
        return try GrammarFile.blocks(texts.appending(path: "chitchat.txt")).flatMap { block -> [Chat] in
            var random = Random(seed: seed, name: block.name, index: 0)
            guard let probe = block.options["probe"], let questions = intents[probe] else { return [] }
            let good = random.shuffled(questions.compactMap { cleaner.normalised($0) })
                .filter { cleaner.isSafe($0) || block.options["all"] != nil }
            return try good.prefix(Int(70 * scale)).map { question in
                var scene = Scene(lists: lists, random: random)
                let answer = try scene.fill(scene.random.pick(block.templates("-")))
                random = scene.random
                return Chat("chitchat", question, tidy(answer))
            }
        }
    }

    /// Sums, comparisons and counting with small numbers.
    func arithmetic() -> [Chat] {
        let count = Int(4200 * scale)
        return (0..<count).map { index in
            var random = Random(seed: seed, name: "sums", index: index)
            return Sums.make(index, &random)
        }
    }
}
