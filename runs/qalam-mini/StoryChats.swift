/// Turns stories into conversations: somebody asks for one, and sometimes talks about it afterwards.
struct StoryChats {
    let maker: StoryMaker
    let seed: UInt64

    /// Conversation number `index`, with the story of the same number.
    func make(_ index: Int) throws -> Chat {
        var random = Random(seed: seed, name: "story chat", index: index)
        let story = try maker.make(index)
        switch random.below(100) {
        case 0..<72: return ask(story, &random)
        case 72..<82: return continueStory(story, &random)
        case 82..<88: return summarise(story, &random)
        case 88..<92: return Chat("stories", "Give me a title for this story: \(story.summary)", "\"\(story.title)\"")
        default:
            var chat = ask(story, &random)
            let other = try maker.make(index + 5_000_000)
            chat.turns.append(("user", English.asTyped(random.pick([
                "Another one, please.", "Tell me another story.", "One more!", "And another story, please.",
            ]), &random)))
            chat.turns.append(("assistant", other.text))
            return chat
        }
    }

    /// A request that names something of the story, or nothing, and the story.
    private func ask(_ story: Story, _ random: inout Random) -> Chat {
        var about: String?
        var lead = ""
        let draw = random.below(100)
        let subjects = story.subjects
        if draw < 55, let subject = subjects.isEmpty ? nil : random.pick(subjects) {
            about = random.chance(75) ? noun(subject) : English.plural(subject)
            lead = noun(subject)
        } else if draw < 68, subjects.count > 1 {
            let two = Array(random.shuffled(subjects).prefix(2))
            if !two[0].contains(two[1]) && !two[1].contains(two[0]) {
                about = "\(noun(two[0])) and \(noun(two[1]))"
                lead = about ?? ""
            }
        } else if draw < 76, !story.heroName.isEmpty, !story.heroKind.isEmpty {
            about = "\(English.withArticle(story.heroKind)) \(random.pick(["named", "called"])) \(story.heroName)"
            lead = about ?? ""
        } else if draw < 88, !story.themes.isEmpty {
            about = random.pick(story.themes)
            lead = about ?? ""
        }
        let question = English.asTyped(request(about, &random), &random)
        var answer = story.text
        if about != nil && random.chance(40) {
            answer = random.pick(["Here is a story about \(lead).", "Of course! Here is a story about \(lead)."])
                + "\n\n" + answer
        } else if random.chance(12) {
            answer = story.title + "\n\n" + answer
        }
        var chat = Chat("stories", question, answer)
        if random.chance(16) { followUp(story, &chat, &random) }
        return chat
    }

    private func noun(_ subject: String) -> String {
        switch subject {
        case "moon", "storm", "king", "queen", "rainbow", "map", "seed", "tree", "bicycle", "sea":
            ["moon", "sea"].contains(subject) ? "the \(subject)" : English.withArticle(subject)
        case "snow", "soup", "woods": subject == "woods" ? "the woods" : subject
        default: English.withArticle(subject)
        }
    }

    private func request(_ about: String?, _ random: inout Random) -> String {
        let kind = random.pick([
            "story", "story", "story", "short story", "little story", "bedtime story", "nice story",
        ])
        guard let about else {
            return random.pick([
                "Tell me a \(kind).", "Can you tell me a \(kind)?", "I want to hear a \(kind).",
                "Please tell me a \(kind).",
                "A \(kind), please.", "Do you know a \(kind)?", "Write a \(kind).", "Tell a \(kind) for children.",
                "Tell me a story for my daughter.", "My son wants a story.", "Make up a \(kind).",
            ])
        }
        return random.pick([
            "Tell me a \(kind) about \(about).", "Tell me a \(kind) about \(about).", "Write a \(kind) about \(about).",
            "Can you tell me a \(kind) about \(about)?", "I would like a \(kind) about \(about).",
            "A \(kind) about \(about), please.", "Do you know a \(kind) about \(about)?",
            "Please write a \(kind) about \(about).", "Make up a \(kind) about \(about).",
            "Story about \(about)", "I want a \(kind) about \(about).", "Can you write a \(kind) about \(about)?",
        ])
    }

    private func followUp(_ story: Story, _ chat: inout Chat, _ random: inout Random) {
        var pairs: [(String, String)] = [
            (random.pick(["What is the moral of the story?", "What can we learn from it?", "What is the lesson?"]),
             story.moral),
            (random.pick(["Thank you!", "That was nice.", "I liked it.", "What a lovely story!"]),
             random.pick(["I am glad you liked it!", "You are welcome!", "Thank you! Would you like another one?"])),
            (random.pick(["What happened in the story?", "What is it about?", "Tell me the story in one sentence."]),
             story.summary),
            (random.pick(["What is the title?", "What is the story called?", "Give it a title."]),
             "The story is called \"\(story.title)\"."),
        ]
        if !story.heroName.isEmpty && story.text.contains(story.heroName) && story.heroKind != "keeper" {
            let name = story.heroName
            pairs += [
                ("What was the name of the \(story.heroKind)?", "The \(story.heroKind) was called \(name)."),
                ("Who is the story about?", "It is about \(English.withArticle(story.heroKind)) called \(name)."),
            ]
        }
        let pair = random.pick(pairs)
        chat.turns.append(("user", English.asTyped(pair.0, &random)))
        chat.turns.append(("assistant", pair.1))
    }

    private func continueStory(_ story: Story, _ random: inout Random) -> Chat {
        let cut = story.beats.count > 4 ? 1 + random.below(2) : 1
        let start = story.beats.prefix(cut).joined(separator: " ")
        let rest = story.beats.dropFirst(cut).joined(separator: " ")
        let lead = random.pick([
            "Continue this story:", "How does this story go on?", "Please finish this story:", "Go on with the story:",
            "What happens next?",
        ])
        return Chat("stories", "\(lead) \(start)", rest)
    }

    private func summarise(_ story: Story, _ random: inout Random) -> Chat {
        let lead = random.pick([
            "Summarise this story in one sentence:", "What is this story about?", "Tell me this story in one sentence:",
        ])
        return Chat("stories", "\(lead) \(story.beats.joined(separator: " "))", story.summary)
    }
}
