/// Questions on small numbers with their answers.
enum Sums {
    /// Question number `index`.
    static func make(_ index: Int, _ random: inout Random) -> Chat {
        switch index % 12 {
        case 0...3: plus(&random)
        case 4...6: minus(&random)
        case 7: times(&random)
        case 8: neighbours(&random)
        case 9: compare(&random)
        case 10: story(&random)
        default: tooHard(&random)
        }
    }

    private static func chat(_ question: String, _ answer: String, _ random: inout Random) -> Chat {
        Chat("sums", English.asTyped(question, &random), answer)
    }

    private static func plus(_ random: inout Random) -> Chat {
        let a = random.below(11), b = random.below(11)
        let (x, y, z) = (English.numbers[a], English.numbers[b], English.numbers[a + b])
        let question = random.pick([
            "What is \(a) + \(b)?", "What is \(a) plus \(b)?", "How much is \(a) + \(b)?", "\(a) + \(b)", "\(a)+\(b)=?",
            "What is \(x) plus \(y)?", "How much is \(x) and \(y)?", "Add \(a) and \(b).",
        ])
        let words = question.contains(x) && x.count > 2
        let answer = words ? "\(English.capitalised(x)) plus \(y) is \(z)." : "\(a) + \(b) = \(a + b)"
        return chat(question, answer, &random)
    }

    private static func minus(_ random: inout Random) -> Chat {
        let b = random.below(11), a = b + random.below(11)
        let (x, y, z) = (English.numbers[a], English.numbers[b], English.numbers[a - b])
        if random.chance(40) {
            let question = random.pick(["What is \(x) minus \(y)?", "How much is \(x) minus \(y)?"])
            return chat(question, "\(English.capitalised(x)) minus \(y) is \(z).", &random)
        }
        let question = random.pick([
            "What is \(a) - \(b)?", "What is \(a) minus \(b)?", "How much is \(a) - \(b)?", "\(a) - \(b)",
            "\(a)-\(b)=?",
            "Take \(b) away from \(a).",
        ])
        return chat(question, "\(a) - \(b) = \(a - b)", &random)
    }

    private static func times(_ random: inout Random) -> Chat {
        let a = random.below(6), b = random.below(6)
        let question = random.pick(["What is \(a) times \(b)?", "What is \(a) x \(b)?", "How much is \(a) times \(b)?"])
        return chat(question, "\(a) times \(b) is \(a * b).", &random)
    }

    private static func neighbours(_ random: inout Random) -> Chat {
        let a = 1 + random.below(20)
        switch random.below(4) {
        case 0: return chat("Which number comes after \(a)?", "\(a + 1) comes after \(a).", &random)
        case 1: return chat("Which number comes before \(a)?", "\(a - 1) comes before \(a).", &random)
        case 2:
            let n = 3 + random.below(8)
            let list = (1...n).map(String.init).joined(separator: ", ")
            let question = random.pick(["Count to \(n).", "Can you count to \(n)?", "Count from 1 to \(n)."])
            return chat(question, "\(list).", &random)
        default:
            let word = a % 2 == 0 ? "even" : "odd"
            return chat("Is \(a) even or odd?", "\(a) is an \(word) number.", &random)
        }
    }

    private static func compare(_ random: inout Random) -> Chat {
        let a = random.below(21)
        let b = (a + 1 + random.below(20)) % 21
        let (low, high) = (min(a, b), max(a, b))
        if random.chance(50) {
            return chat(random.pick(["Which is bigger, \(a) or \(b)?", "Which number is larger: \(a) or \(b)?"]),
                        "\(high) is bigger than \(low).", &random)
        }
        return chat("Which is smaller, \(a) or \(b)?", "\(low) is smaller than \(high).", &random)
    }

    private static func story(_ random: inout Random) -> Chat {
        let thing = random.pick(["apples", "books", "pens", "balls", "cakes", "coins", "eggs", "flowers"])
        let name = random.pick(["Sara", "Omar", "Ben", "Mia", "Ali", "Lucy"])
        let a = 2 + random.below(8), b = 1 + random.below(a)
        if random.chance(50) {
            return chat("\(name) has \(a) \(thing) and gets \(b) more. How many \(thing) does \(name) have now?",
                        "\(a) + \(b) = \(a + b). \(name) has \(a + b) \(thing) now.", &random)
        }
        let left = a - b == 1 ? "1 is left" : "\(a - b) are left"
        return chat("\(name) has \(a) \(thing) and gives away \(b). How many are left?",
                    "\(a) - \(b) = \(a - b). So \(left).", &random)
    }

    private static func tooHard(_ random: inout Random) -> Chat {
        let a = 21 + random.below(979), b = 11 + random.below(989)
        let question = random.pick([
            "What is \(a) times \(b)?", "What is \(a) + \(b)?", "What is \(a) divided by \(b)?", "\(a) * \(b)",
            "What is the square root of \(a)?", "What is \(a) - \(b)?", "Solve x + \(a) = \(b).",
            "What is \(a) percent of \(b)?", "Calculate \(a) x \(b).", "What is the derivative of x^\(2 + a % 5)?",
        ])
        let answer = random.pick([
            "That is too hard for me. I am a very small model, and a calculator can do it better.",
            "I can only do small sums. Please use a calculator for that.",
            "I'm sorry, I don't know. I am a very small model and big numbers are too hard for me.",
        ])
        return chat(question, answer, &random)
    }
}
