/// A story with what it is about, so that it can be asked for.
struct Story {
    var title: String
    var beats: [String]
    var moral: String
    var summary: String
    /// Words that stand in the story and can be asked for: "fox", "red kite".
    var subjects: [String]
    var themes: [String]
    var heroName: String
    var heroKind: String
    /// The paragraphs of the story as one text.
    var text: String
}

/// Makes stories from the plots in the `stories-*.txt` files.
struct StoryMaker {
    let plots: [Block]
    let lists: [String: [String]]
    let seed: UInt64

    private static let places: [(name: String, within: String, toward: String)] = [
        ("forest", "in the forest", "to the forest"), ("park", "in the park", "to the park"),
        ("meadow", "in the meadow", "to the meadow"), ("garden", "in the garden", "into the garden"),
        ("river", "by the river", "to the river"), ("hill", "on the hill", "up the hill"),
        ("lake", "by the lake", "to the lake"), ("field", "in the field", "to the field"),
        ("pond", "by the pond", "to the pond"), ("orchard", "in the orchard", "to the orchard"),
        ("woods", "in the woods", "into the woods"), ("old bridge", "near the old bridge", "to the old bridge"),
    ]
    private static let habitats: [(kinds: Set<String>, phrase: String, name: String, home: String)] = [
        (["camel", "lizard"], "in the desert", "desert", "house"),
        (["lion", "elephant", "zebra", "giraffe", "hippo", "eagle"], "in the wide grassland", "grassland", "home"),
        (["tiger", "monkey", "parrot"], "in the jungle", "jungle", "house"),
        (["goat", "sheep", "lamb", "horse", "donkey", "cow", "pony"], "on a farm", "farm", "stable"),
        (["hen", "pig", "duck", "goose", "dog", "cat", "kitten", "puppy", "chick"], "on a farm", "farm", "house"),
        (["frog", "turtle"], "by the pond", "pond", "house"), (["beaver"], "by the river", "valley", "house"),
        (["rabbit", "mouse", "mole", "hedgehog"], "in the forest", "forest", "burrow"),
        (["fox", "bear", "wolf", "badger"], "in the forest", "forest", "den"),
        (["fish", "whale", "dolphin", "crab", "seal", "octopus", "starfish", "otter"], "in the sea", "sea", "home"),
        (["dragon"], "in the mountains", "mountains", "cave"), (["spider"], "in the garden", "garden", "web"),
    ]
    /// Things that some plots are about; they must stand in the text at least twice.
    private static let motifs = [
        "king", "queen", "bicycle", "seed", "moon", "snow", "soup", "rainbow", "storm", "tree", "map", "cake", "star",
        "rocket", "book", "library", "train", "sea", "tooth", "farm", "letter", "treasure",
    ]
    private static let childish: Set<String> = ["kitten", "puppy", "lamb", "chick", "pony"]

    /// Story number `index`; the same index always gives the same story.
    func make(_ index: Int) throws -> Story {
        for attempt in 0..<12 {
            let random = Random(seed: seed, name: "story", index: index * 16 + attempt)
            let story = try draft(random)
            let words = story.text.split(whereSeparator: { $0 == " " || $0 == "\n" }).count
            if (60...185).contains(words) { return story }
        }
        throw GrammarError.missing("story plots that give 60 to 185 words")
    }

    private func draft(_ start: Random) throws -> Story {
        var scene = Scene(lists: lists, random: start)
        let plot = scene.random.pick(plots)
        var cast = Cast(option: plot.options)
        bindHero(&scene, &cast)
        bindFriend(&scene, &cast)
        bindThings(&scene, &cast)
        var beats = try fillBeats(plot, &scene)
        introduceHero(&beats, &scene, cast)
        let title = English.capitalised(try scene.fill(scene.random.pick(plot.templates("%"))))
        let summary = try scene.fill(scene.random.pick(plot.templates("^")))
        let moral = try scene.fill(scene.random.pick(plot.templates("!")))
        let themes = try plot.templates(":").flatMap { try scene.fill($0).lowercased().components(" | ") }
        var text = layOut(beats, &scene.random)
        if scene.random.chance(40) { text += (scene.random.chance(50) ? "\n\n" : " ") + moral }
        let spaced = " " + String(text.lowercased().map { $0.isLetter || $0 == "-" ? $0 : " " }) + " "
        let subjects = cast.subjects.filter { spaced.contains(" \($0) ") }
            + StoryMaker.motifs.filter { spaced.components(" \($0) ").count > 2 }
        return Story(
            title: title, beats: beats, moral: moral, summary: summary, subjects: subjects, themes: themes,
            heroName: scene.words["heroname"] ?? "", heroKind: scene.words["kind"] ?? "", text: text)
    }

    /// Who plays in one story.
    private struct Cast {
        let option: [String: String]
        var heroIsChild = false
        var heroIsAnimal = false
        var subjects: [String] = []
    }

    private func bindHero(_ scene: inout Scene, _ cast: inout Cast) {
        let female = scene.random.chance(50)
        bindPronouns(&scene, female: female, prefix: "")
        var hero = cast.option["hero"] ?? "child"
        if hero == "any" { hero = scene.random.chance(45) ? "child" : "land" }
        let lists = ["land": "landanimal", "bird": "singer", "sea": "seaanimal", "tiny": "tiny", "prey": "prey",
                     "farm": "farm"]
        let single = ["camel", "dragon", "spider", "cat"].contains(hero)
        if single || lists[hero] != nil {
            let kind = single ? hero : scene.random.pick(self.lists[lists[hero] ?? ""] ?? ["fox"])
            bindAnimal(&scene, kind)
            cast.heroIsAnimal = true
            cast.subjects.append(kind)
        } else if hero == "child" {
            let name = scene.random.pick(self.lists[female ? "girl" : "boy"] ?? ["Sam"])
            let kind = female ? "girl" : "boy"
            bindName(&scene, name, kind: kind)
            let trait = scene.random.chance(35) ? scene.random.pick(self.lists["trait"] ?? ["kind"]) + " " : ""
            scene.once["intro"] = English.withArticle(trait + (scene.random.chance(30) ? "little " : "") + kind)
                + " \(scene.random.pick(["named", "called"])) \(name)"
            cast.heroIsChild = true
            cast.subjects.append(kind)
        } else if hero == "robot" {
            bindName(&scene, scene.random.pick(self.lists["robotname"] ?? ["Bip"]), kind: "robot")
            cast.subjects.append("robot")
        } else if hero == "keeper" {
            scene.words["keeper"] = scene.random.pick(self.lists["oldman"] ?? ["Elias"])
            bindName(&scene, scene.words["keeper"] ?? "", kind: "keeper")
            cast.subjects += ["lighthouse", "ship", "boat"]
        } else if hero == "wind" {
            scene.words["kind"] = "wind"
            cast.subjects.append("wind")
        } else {
            let kind = scene.random.pick(self.lists[hero == "thing" ? "thing" : "vehicle"] ?? ["lamp"])
            scene.words["kind"] = kind
            cast.subjects.append(kind)
        }
    }

    private func bindName(_ scene: inout Scene, _ name: String, kind: String) {
        scene.words["heroname"] = name
        scene.words["hero"] = name
        scene.words["kind"] = kind
    }

    private func bindAnimal(_ scene: inout Scene, _ kind: String) {
        let name = scene.random.pick(lists["pet"] ?? ["Pip"])
        bindName(&scene, name, kind: kind)
        scene.references["hero"] = [name, name, name, "the " + kind]
        let adjectives = StoryMaker.childish.contains(kind) ? ["", "small "]
            : ["little ", "young ", "small ", "little \(scene.random.pick(paints)) "]
        let adjective = scene.random.pick(adjectives)
        scene.once["intro"] = English.withArticle(adjective + kind)
            + " \(scene.random.pick(["named", "called"])) \(name)"
        let place = StoryMaker.habitats.first { $0.kinds.contains(kind) }
            ?? (Set(), "in the forest", "forest", "house")
        scene.words["habitat"] = place.phrase
        scene.words["habitatname"] = place.name
        scene.words["habitatcap"] = English.capitalised(place.phrase)
        scene.words["home"] = place.home
    }

    private var paints: [String] { ["brown", "grey", "white", "black"] }

    private func bindPronouns(_ scene: inout Scene, female: Bool, prefix: String) {
        scene.words[prefix + "he"] = female ? "she" : "he"
        scene.words[prefix + "him"] = female ? "her" : "him"
        scene.words[prefix + "his"] = female ? "her" : "his"
        scene.words[prefix + "himself"] = female ? "herself" : "himself"
    }

    private func bindFriend(_ scene: inout Scene, _ cast: inout Cast) {
        let female = scene.words["he"] == "he"
        bindPronouns(&scene, female: female, prefix: "f")
        var option = cast.option["friend"] ?? "none"
        if option == "same" { option = cast.heroIsChild ? "child" : "land" }
        let animals = ["land": "landanimal", "bird": "helperbird", "small": "smallanimal", "sea": "seaanimal",
                       "big": "big", "predator": "predator", "winter": "winteranimal",
                       "farm": "farm", "mouse": "mouse"]
        if let listName = animals[option] {
            var kind = scene.random.pick(lists[listName] ?? ["owl"])
            for _ in 0..<20 where kind == scene.words["kind"] { kind = scene.random.pick(lists[listName] ?? ["owl"]) }
            var name = scene.random.pick(lists["pet"] ?? ["Dot"])
            while name == scene.words["heroname"] { name = scene.random.pick(lists["pet"] ?? ["Dot"]) }
            scene.words["fkind"] = kind
            scene.words["friend"] = name
            scene.once["fintro"] = English.withArticle((StoryMaker.childish.contains(kind) ? "" :
                scene.random.pick(["", "", "old ", "young ", "friendly "])) + kind) + " named \(name)"
            if option == "big" { scene.once["fintro"] = "a big \(kind) named \(name)" }
            scene.words["fhabitat"] = scene.words["habitat"] ?? "in the forest"
            if cast.option["friend"] != "same" || cast.option["greet"] != nil {
                scene.once["friend"] = "\(scene.words["his"] ?? "his") friend \(name) the \(kind)"
            }
            cast.subjects.append(kind)
        } else if option == "child" {
            scene.words["fkind"] = female ? "girl" : "boy"
            let name = scene.random.pick(lists[female ? "girl" : "boy"] ?? ["Kim"])
            scene.words["friend"] = name
            if cast.option["greet"] != nil { scene.once["friend"] = "\(scene.words["his"] ?? "his") friend \(name)" }
        }
        let name = scene.random.pick(lists[female ? "girl" : "boy"] ?? ["Kim"])
        scene.words["pal"] = name
        scene.words["hero2"] = name
        scene.once["pintro"] = "a \(female ? "girl" : "boy") named \(name)"
        scene.once["intro2"] = "a \(female ? "girl" : "boy") named \(name)"
        for word in ["he", "him", "his"] { scene.words[word + "2"] = scene.words["f" + word] }
    }

    private func bindThings(_ scene: inout Scene, _ cast: inout Cast) {
        switch cast.option["item"] ?? "" {
        case "toy":
            scene.words["toy"] = scene.random.pick(lists["toy"] ?? ["ball"])
            scene.words["colour"] = scene.random.pick(paint)
            cast.subjects.insert("\(scene.words["colour"] ?? "") \(scene.words["toy"] ?? "")", at: 0)
            cast.subjects.append(scene.words["toy"] ?? "")
        case "gift":
            scene.words["gift"] = scene.random.pick(lists["gift"] ?? ["hat"])
            scene.words["colour"] = scene.random.pick(paint)
            cast.subjects.append(scene.words["gift"] ?? "")
        default: break
        }
        if let need = cast.option["need"] { cast.subjects += [need, need] }
        let place = scene.random.pick(StoryMaker.places)
        scene.words["place"] = place.name
        scene.words["inplace"] = place.within
        scene.words["toplace"] = place.toward
        if cast.option["place"] != nil { cast.subjects.append(place.name) }
        let elder = scene.random.pick(lists["elder"] ?? ["mother"])
        scene.words["elder"] = elder
        let female = ["grandmother", "mother", "aunt"].contains(elder)
        bindPronouns(&scene, female: female, prefix: "e")
    }

    private var paint: [String] { lists["paint"] ?? ["red"] }

    private func fillBeats(_ plot: Block, _ scene: inout Scene) throws -> [String] {
        var choices: [[Template]] = []
        for line in plot.lines {
            if line.mark == "~" { choices.append([line.template]) }
            if line.mark == "|", !choices.isEmpty { choices[choices.count - 1].append(line.template) }
        }
        return try choices.map { try scene.fill(scene.random.pick($0)) }.filter { !$0.isEmpty }
    }

    /// An animal must be introduced with its kind; a child sometimes is.
    private func introduceHero(_ beats: inout [String], _ scene: inout Scene, _ cast: Cast) {
        guard let intro = scene.once["intro"], !beats.isEmpty else { return }
        if cast.heroIsAnimal {
            let lead = scene.random.pick(["There once was \(intro).", "Once upon a time there was \(intro)."])
            beats[0] = lead + " " + beats[0]
        } else if cast.heroIsChild && scene.random.chance(30) {
            beats[0] = English.capitalised(intro) + " lived in a small \(scene.random.pick(["town", "village"])). "
                + beats[0]
        }
    }

    /// Joins the beats into one to four paragraphs.
    private func layOut(_ beats: [String], _ random: inout Random) -> String {
        let paragraphs = random.chance(40) ? 1 : 3
        var text = ""
        for (i, beat) in beats.enumerated() {
            if i > 0 { text += paragraphs > 1 && i % 3 == 0 ? "\n\n" : " " }
            text += beat
        }
        return text
    }
}

extension String {
    /// The parts between `separator`.
    func components(_ separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
