import Foundation

/// Longer conversations put together from single exchanges.
struct Chains {
    let seed: UInt64

    private static let openings = ["hello", "hi", "hey", "good morning", "good evening"]
    private static let closings = ["thank you", "thanks", "bye", "goodbye", "see you"]

    /// `count` conversations of two to four exchanges: often a greeting first and thanks or a farewell last.
    func make(_ count: Int, from singles: [Chat], greetings: [Chat]) -> [Chat] {
        let opening = greetings.filter { starts($0, Chains.openings) }
        let closing = greetings.filter { starts($0, Chains.closings) }
        let middle = singles.filter { chat in
            !starts(chat, Chains.openings) && !starts(chat, Chains.closings) && standsAlone(chat)
        }
        guard !opening.isEmpty, !closing.isEmpty, !middle.isEmpty else { return [] }
        return (0..<count).map { index in
            var random = Random(seed: seed, name: "chains", index: index)
            var turns: [(role: String, content: String)] = []
            if random.chance(45) { turns += random.pick(opening).turns }
            let first = random.pick(middle)
            turns += first.turns
            let same = random.chance(45)
            for _ in 0..<(random.below(2) + (turns.count == 2 ? 1 : 0)) {
                var next = random.pick(middle)
                for _ in 0..<6 where same && next.category != first.category { next = random.pick(middle) }
                turns += next.turns
            }
            if random.chance(35) { turns += random.pick(closing).turns }
            return Chat("chains", turns: turns)
        }
    }

    /// False for answers that would be wrong when the user has said something before, and for greetings in Arabic.
    private func standsAlone(_ chat: Chat) -> Bool {
        let answer = chat.turns.last?.content ?? ""
        return !answer.contains("You have not told me") && !answer.contains("I cannot know that")
            && !answer.contains("أنا")
    }

    private func starts(_ chat: Chat, _ words: [String]) -> Bool {
        guard chat.turns.count == 2, let text = chat.turns.first?.content.lowercased() else { return false }
        return text.utf8.count < 30 && words.contains { text.hasPrefix($0) }
    }
}
