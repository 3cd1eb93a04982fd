import Foundation

/// Builds the training texts of qalam-mini. Arguments: this folder, the unpacked data, the output folder.
@main
struct Generate {
    let here: URL
    let data: URL
    let out: URL
    let lists: [String: [String]]
    let plots: [Block]

    static func main() {
        let arguments = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
        guard arguments.count == 3 else { return fail("Give three folders: texts, unpacked data, output.") }
        do {
            try Generate(here: arguments[0], data: arguments[1], out: arguments[2]).run()
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ message: String) {
        FileHandle.standardError.write(Data("qalam-mini: \(message)\n".utf8))
        exit(1)
    }

    init(here: URL, data: URL, out: URL) throws {
        self.here = here
        self.data = data
        self.out = out
        let texts = here.appending(path: "texts")
        var lists = try GrammarFile.lists(texts.appending(path: "lists.txt"))
        lists["invented"] = Generate.inventedNames(1500)
        self.lists = lists
        plots = try ["stories-1", "stories-2", "stories-3"].flatMap { name -> [Block] in
            let url = texts.appending(path: "\(name).txt")
            return FileManager.default.fileExists(atPath: url.path) ? try GrammarFile.blocks(url) : []
        }
    }

    /// Names that mean nothing, so that the right answer is "I don't know".
    private static func inventedNames(_ count: Int) -> [String] {
        let starts = ["Br", "Kr", "T", "V", "Z", "Gl", "M", "D", "Fr", "H", "L", "N", "P", "R", "S", "Tr", "Qu", "J",
                      "B"]
        let vowels = ["a", "e", "i", "o", "u", "ai", "ou"]
        let middles = ["nd", "lm", "rk", "st", "v", "z", "lt", "r", "mb", "sk", "th", "rn", "dr", "l", "x"]
        let ends = ["a", "o", "in", "us", "ia", "el", "ov", "ik", "en", "ar", "oth", "ez", "ansk", "ville", "i"]
        return (0..<count).map { index in
            var random = Random(seed: 3, name: "invented", index: index)
            let middle = random.chance(60) ? random.pick(vowels) + random.pick(middles) : ""
            return random.pick(starts) + middle + random.pick(vowels) + random.pick(middles) + random.pick(ends)
        }
    }

    /// Writes everything.
    func run() throws {
        try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
        let held = try promptSet()
        let chats = try supervised().filter { !isHeldPrompt($0, held) }
        try write(chats, to: "sft")
        var documents = try generatedDocuments()
        let own = documents.prefix(4000).map(\.text)
        let cleaner = try Cleaner(unsafeList: here.appending(path: "texts/unsafe.txt"))
        var reader = SourceReader(folder: data, cleaner: cleaner, names: lists["name"] ?? ["Ann", "Ben"])
        documents += try reader.documents(generated: own)
        try write(documents)
    }

    private func maker(_ seed: UInt64, _ scale: Double) -> ChatMaker {
        let stories = StoryMaker(plots: plots, lists: lists, seed: seed)
        return ChatMaker(lists: lists, stories: stories, texts: here.appending(path: "texts"), seed: seed, scale: scale)
    }

    /// Single exchanges and conversations of all kinds with one seed.
    private func chats(seed: UInt64, scale: Double, stories: Int, repeats: Int) throws -> [Chat] {
        let maker = maker(seed, scale)
        let talk = try maker.talk()
        let facts = try maker.facts() + maker.arithmetic()
        let rows = try JSONLines.read(data.appending(path: "ms_chitchat_en.jsonl"))
        let chitchat = try maker.chitchat(rows)
        let storyChats = StoryChats(maker: maker.stories, seed: seed)
        var result = try talk + facts + chitchat + maker.flows() + (0..<stories).map { try storyChats.make($0) }
        let singles = (talk + facts + chitchat).filter { $0.category != "care" && $0.turns.count == 2 }
        result += Chains(seed: seed).make(Int(9000 * scale), from: singles, greetings: try maker.talk())
        let written = try dialogues()
        for _ in 0..<repeats { result += written }
        return result
    }

    private func supervised() throws -> [Chat] {
        var random = Random(seed: 11, name: "order", index: 0)
        var all = try chats(seed: 11, scale: 0.62, stories: 7000, repeats: 10)
        for i in all.indices where random.chance(7) {
            let system = random.pick([
                "You are Qalam, a small and friendly language model.", "You are Qalam.", "You are a helpful assistant.",
                "You are a kind assistant. Answer shortly.", "Be kind and brief.",
            ])
            all[i].turns.insert(("system", system), at: 0)
        }
        return random.shuffled(all)
    }

    /// The hand-written conversations.
    private func dialogues() throws -> [Chat] {
        try JSONLines.read(here.appending(path: "dialogues.jsonl")).map { row in
            let messages = row["messages"] as? [[String: Any]] ?? []
            return Chat("dialogues", turns: messages.map {
                ($0["role"] as? String ?? "user", $0["content"] as? String ?? "")
            })
        }
    }

    private func generatedDocuments() throws -> [Document] {
        let stories = StoryMaker(plots: plots, lists: lists, seed: 23)
        var result = try (0..<24_000).map { index -> Document in
            let story = try stories.make(index)
            let text = index % 3 == 0 ? story.text : story.title + "\n\n" + story.text
            return Document(source: "qalam_stories", text: text)
        }
        result += try maker(29, 1).statements(7000).map { Document(source: "qalam_facts", text: $0) }
        for (i, seed) in [UInt64(31), 37].enumerated() {
            result += try chats(seed: seed, scale: 0.75, stories: 2500, repeats: i == 0 ? 4 : 3).map {
                Document(source: "qalam_conversations", text: $0.page)
            }
        }
        return result
    }

    // MARK: Writing

    private func promptSet() throws -> Set<String> {
        let text = try String(contentsOf: here.appending(path: "prompts.txt"), encoding: .utf8)
        return Set(text.split(separator: "\n").map { Generate.key(String($0)) })
    }

    private static func key(_ text: String) -> String {
        String(text.lowercased().filter { $0.isLetter || $0.isNumber })
    }

    /// Evaluation prompts must not stand in the training conversations.
    private func isHeldPrompt(_ chat: Chat, _ held: Set<String>) -> Bool {
        chat.turns.contains { $0.role == "user" && held.contains(Generate.key($0.content)) }
    }

    private func write(_ chats: [Chat], to name: String) throws {
        var train = "", held = ""
        var counts: [String: Int] = [:]
        var copies: [String: Int] = [:]
        for chat in chats {
            let line = chat.json
            copies[line, default: 0] += 1
            if copies[line, default: 0] > 4 && chat.category != "dialogues" { continue }
            counts[chat.category, default: 0] += 1
            if Random.hash(line) % 100 == 7 { held += line + "\n" } else { train += line + "\n" }
        }
        try train.write(to: out.appending(path: "\(name).jsonl"), atomically: true, encoding: .utf8)
        try held.write(to: out.appending(path: "\(name)-heldout.jsonl"), atomically: true, encoding: .utf8)
        for (category, count) in counts.sorted(by: { $0.key < $1.key }) { print("sft  \(category): \(count)") }
        print("sft  bytes: \(train.utf8.count)")
    }

    private func write(_ documents: [Document]) throws {
        var random = Random(seed: 5, name: "documents", index: 0)
        var train = "", held = ""
        var counts: [String: (documents: Int, bytes: Int)] = [:]
        for document in random.shuffled(documents) {
            let line = "{\"text\":\(JSONLines.quoted(document.text))}\n"
            if Random.hash(document.text) % 100 == 7 { held += line } else { train += line }
            counts[document.source, default: (0, 0)].documents += 1
            counts[document.source, default: (0, 0)].bytes += document.text.utf8.count
        }
        try train.write(to: out.appending(path: "pretrain.jsonl"), atomically: true, encoding: .utf8)
        try held.write(to: out.appending(path: "pretrain-heldout.jsonl"), atomically: true, encoding: .utf8)
        try Licences.table(counts, to: out.appending(path: "sources.json"))
    }
}
