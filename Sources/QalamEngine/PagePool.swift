// SPDX-License-Identifier: Apache-2.0

/// Who uses which page of the key-value memory: counts and a list of free pages, not the memory itself.
///
/// A free page may still hold what it held, so that the prefix cache can take it back with `retain`. Pages whose
/// contents are worth keeping are reused last, in the order in which they were given back (least recently used first).
package struct PagePool {
    private var references: [Int32]
    // The free pages as a ring through two arrays: entry `count` is the head, so no case is special.
    private var next: [Int32]
    private var previous: [Int32]
    /// Pages that nobody uses.
    package private(set) var freeCount: Int

    /// A pool of `count` pages, all of them free.
    package init(count: Int) {
        precondition(count >= 0 && count < Int(Int32.max), "pages: \(count)")
        references = Array(repeating: 0, count: count)
        next = (0...Int32(count)).map { ($0 + 1) % Int32(count + 1) }
        previous = (0...Int32(count)).map { ($0 + Int32(count)) % Int32(count + 1) }
        freeCount = count
    }

    /// How many pages there are.
    package var count: Int { references.count }

    /// Pages in use.
    package var usedCount: Int { count - freeCount }

    /// How many users a page has.
    package func references(of page: Int32) -> Int { Int(references[Int(page)]) }

    /// Takes the free page that is least worth keeping; nil if every page is in use.
    package mutating func take() -> Int32? {
        let page = next[count]
        guard page != Int32(count) else { return nil }
        unlink(page)
        references[Int(page)] = 1
        return page
    }

    /// Adds a user to a page, which may be free.
    package mutating func retain(_ page: Int32) {
        if references[Int(page)] == 0 { unlink(page) }
        references[Int(page)] += 1
    }

    /// Drops a user of a page; without users it is free, and reused last if `keeping` its contents, else next.
    package mutating func release(_ page: Int32, keeping: Bool) {
        precondition(references[Int(page)] > 0, "page \(page) is released, but free")
        references[Int(page)] -= 1
        guard references[Int(page)] == 0 else { return }
        let before = keeping ? previous[count] : Int32(count)
        let after = next[Int(before)]
        (previous[Int(page)], next[Int(page)]) = (before, after)
        (next[Int(before)], previous[Int(after)]) = (page, page)
        freeCount += 1
    }

    private mutating func unlink(_ page: Int32) {
        let (before, after) = (previous[Int(page)], next[Int(page)])
        (next[Int(before)], previous[Int(after)]) = (after, before)
        freeCount -= 1
    }
}
