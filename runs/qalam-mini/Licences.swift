import Foundation

/// The licence of each source, for the table of sources.
enum Licences {
    private static let known: [String: String] = [
        "aesop_for_children": "public domain (1919)",
        "storybooks_en": "CC BY (Global African Storybook Project, Pratham Books; authors in the data)",
        "fairytaleqa": "Apache-2.0 (FairytaleQA stories, train and validation splits)",
        "self_dialogue": "BSD-3-Clause (Self-dialogue corpus)",
        "wiki_simple": "CC BY-SA 3.0 (Wikipedia)",
        "common_voice_en": "CC0 1.0 (Mozilla Common Voice)",
        "onestopenglish_elementary": "CC BY-SA 4.0 (OneStopEnglish)",
        "qalam_stories": "our own, made by generate.swift",
        "qalam_facts": "our own, made by generate.swift",
        "qalam_conversations": "our own; questions of the small talk in part from BotBuilder PersonalityChat (MIT)",
    ]

    /// Prints the counts and writes them as JSON.
    static func table(_ counts: [String: (documents: Int, bytes: Int)], to url: URL) throws {
        var rows: [String] = []
        var total = 0
        for (source, count) in counts.sorted(by: { $0.value.bytes > $1.value.bytes }) {
            let licence = known[source] ?? "unknown"
            total += count.bytes
            print("pretrain  \(source): \(count.documents) documents, \(count.bytes) bytes, \(licence)")
            rows.append("  {\"source\":\(JSONLines.quoted(source)),\"documents\":\(count.documents),"
                + "\"bytes\":\(count.bytes),\"licence\":\(JSONLines.quoted(licence))}")
        }
        print("pretrain  bytes: \(total)")
        try ("[\n" + rows.joined(separator: ",\n") + "\n]\n").write(to: url, atomically: true, encoding: .utf8)
    }
}
