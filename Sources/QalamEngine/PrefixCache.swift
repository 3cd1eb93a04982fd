// SPDX-License-Identifier: Apache-2.0

/// Finds pages that already hold the keys and values of a prompt's beginning.
///
/// Every page is known by its tokens and by the entry of the page before it; the first page of a text by the
/// adapter that computed it. Entries are numbered and a number is never used twice, so a match means that all ids from
/// the first on are equal: nothing rests on a hash alone. Evicting a page orphans the pages after it, which is why
/// sequences give their pages back last page first (as in vLLM, Kwon et al. 2023, and SGLang's radix tree, Zheng et al.
/// 2024, with pages for nodes).
package struct PrefixCache {
    /// Tokens of a page.
    package let pageSize: Int
    private var entries: [Key: Entry] = [:]
    private var keys: [Key?]
    private var siblings: [Opening: [Int32]] = [:]
    private var roots: [Int: Int] = [:]
    private var lastNumber = 0

    private struct Key: Hashable {
        var parent: Int
        var tokens: [Int32]
    }

    /// What pages of one place that start alike share.
    private struct Opening: Hashable {
        var parent: Int
        var token: Int32

        init?(_ parent: Int, _ tokens: some Collection<Int32>) {
            guard let token = tokens.first else { return nil }
            (self.parent, self.token) = (parent, token)
        }
    }

    private struct Entry {
        var number: Int
        var page: Int32
    }

    /// A place in the cache: after this page, or at the start of a text.
    package struct Position: Sendable, Equatable {
        fileprivate var number: Int
    }

    /// An empty cache over `pages` pages of `pageSize` tokens.
    package init(pages: Int, pageSize: Int) {
        self.pageSize = pageSize
        keys = Array(repeating: nil, count: pages)
    }

    /// How many pages it knows.
    package var count: Int { entries.count }

    /// Where texts computed with this adapter start; 0 is the model alone.
    package mutating func start(adapter: Int) -> Position {
        if let number = roots[adapter] { return Position(number: number) }
        lastNumber += 1
        roots[adapter] = lastNumber
        return Position(number: lastNumber)
    }

    /// The page that holds `tokens` after `position`, and the position after it.
    package func page(after position: Position, tokens: ArraySlice<Int32>) -> (page: Int32, position: Position)? {
        guard let entry = entries[Key(parent: position.number, tokens: Array(tokens))] else { return nil }
        return (entry.page, Position(number: entry.number))
    }

    /// The page after `position` that starts with the most of `tokens`, and how many those are; nil if none does.
    package func start(
        of tokens: ArraySlice<Int32>, after position: Position
    ) -> (page: Int32, count: Int)? {
        guard let opening = Opening(position.number, tokens), let pages = siblings[opening] else { return nil }
        return pages.lazy.map { page in
            let held = keys[Int(page)]?.tokens ?? []
            return (page, zip(held, tokens).prefix { $0 == $1 }.count)
        }.max { $0.1 < $1.1 }
    }

    /// Notes that `page` holds `tokens` after `position`; fewer than a page's are of use to `start` only.
    ///
    /// If another page already holds them, that one stays; it is returned, and the caller had better use it.
    package mutating func insert(
        _ page: Int32, after position: Position, tokens: ArraySlice<Int32>
    ) -> (page: Int32, position: Position) {
        precondition((1...pageSize).contains(tokens.count), "page of \(tokens.count) tokens, \(pageSize) at most")
        let key = Key(parent: position.number, tokens: Array(tokens))
        if let entry = entries[key] { return (entry.page, Position(number: entry.number)) }
        lastNumber += 1
        entries[key] = Entry(number: lastNumber, page: page)
        keys[Int(page)] = key
        if let opening = Opening(key.parent, key.tokens) { siblings[opening, default: []].append(page) }
        return (page, Position(number: lastNumber))
    }

    /// Whether it knows what is in a page.
    package func knows(_ page: Int32) -> Bool { keys[Int(page)] != nil }

    /// Forgets a page, because something else is about to be written to it.
    package mutating func forget(_ page: Int32) {
        guard let key = keys[Int(page)] else { return }
        entries[key] = nil
        keys[Int(page)] = nil
        guard let opening = Opening(key.parent, key.tokens) else { return }
        siblings[opening]?.removeAll { $0 == page }
        if siblings[opening]?.isEmpty == true { siblings[opening] = nil }
    }
}
