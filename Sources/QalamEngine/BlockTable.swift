// SPDX-License-Identifier: Apache-2.0

/// The pages of one model's key-value memory: who uses them, and what the prefix cache knows of them.
struct PageStore {
    private(set) var pool: PagePool
    private(set) var prefixes: PrefixCache?
    /// Tokens of a page.
    let pageSize: Int

    init(pages: Int, pageSize: Int, prefixCache: Bool) {
        pool = PagePool(count: pages)
        prefixes = prefixCache ? PrefixCache(pages: pages, pageSize: pageSize) : nil
        self.pageSize = pageSize
    }

    /// How many pages hold so many tokens.
    func pages(for tokens: Int) -> Int { (tokens + pageSize - 1) / pageSize }

    mutating func take() -> Int32? {
        guard let page = pool.take() else { return nil }
        prefixes?.forget(page)
        return page
    }

    mutating func release(_ page: Int32) { pool.release(page, keeping: prefixes?.knows(page) ?? false) }

    fileprivate mutating func start(adapter: Int) -> PrefixCache.Position? { prefixes?.start(adapter: adapter) }

    /// The known page with `tokens` after `position`, with one more user.
    fileprivate mutating func adopt(
        after position: PrefixCache.Position, _ tokens: ArraySlice<Int32>
    ) -> (page: Int32, position: PrefixCache.Position)? {
        guard let found = prefixes?.page(after: position, tokens: tokens) else { return nil }
        pool.retain(found.page)
        return found
    }

    /// The known page after `position` that starts with the most of `tokens`.
    fileprivate func start(
        of tokens: ArraySlice<Int32>, after position: PrefixCache.Position
    ) -> (page: Int32, count: Int)? { prefixes?.start(of: tokens, after: position) }

    /// Notes what a page holds that nobody will write to again.
    fileprivate mutating func keep(_ page: Int32, after position: PrefixCache.Position, _ tokens: ArraySlice<Int32>) {
        _ = prefixes?.insert(page, after: position, tokens: tokens)
    }

    /// Notes what a full page holds; returns the page to use for it from now on, which may be one that was there
    /// before.
    fileprivate mutating func share(
        _ page: Int32, after position: PrefixCache.Position, _ tokens: ArraySlice<Int32>
    ) -> (page: Int32, position: PrefixCache.Position)? {
        guard let known = prefixes?.insert(page, after: position, tokens: tokens) else { return nil }
        if known.page != page {
            pool.retain(known.page)
            release(page)
        }
        return known
    }
}

/// Where one sequence's keys and values are: token i in page `pages[i / pageSize]`.
///
/// Pages are only ever used by several when full, and only the last one is written, so none needs to be copied on
/// writing; but the first page of its own may start with a copy of what another page starts with. Pages go back with
/// `release`; the pool's tests watch that none is lost.
struct BlockTable {
    private(set) var pages: [Int32] = []
    /// Where in the prefix cache the pages that it knows end.
    private var position: PrefixCache.Position?
    private var known = 0

    /// Takes over the known pages that start `tokens`, all but the last token; returns how many tokens they hold.
    mutating func adopt(_ tokens: [Int32], adapter: Int, from store: inout PageStore) -> Int {
        precondition(pages.isEmpty, "adopting with \(pages.count) pages")
        known = 0
        position = store.start(adapter: adapter)
        let size = store.pageSize
        while let here = position, (known + 1) * size < tokens.count,
            let found = store.adopt(after: here, tokens[known * size..<(known + 1) * size])
        {
            pages.append(found.page)
            position = found.position
            known += 1
        }
        return known * size
    }

    /// What to copy into the first page of its own before anything is written: of which page, and how many of its
    /// tokens are those that follow here; never the last of `tokens`.
    func opening(of tokens: [Int32], in store: PageStore) -> (from: Int32, to: Int32, count: Int)? {
        let start = known * store.pageSize, end = min(start + store.pageSize, tokens.count - 1)
        guard let position, known < pages.count, start < end,
            let found = store.start(of: tokens[start..<end], after: position)
        else { return nil }
        return (found.page, pages[known], found.count)
    }

    /// Takes pages until `tokens` tokens fit; gives back what it took and returns false if there are too few.
    mutating func grow(to tokens: Int, from store: inout PageStore) -> Bool {
        let before = pages.count
        while pages.count < store.pages(for: tokens) {
            guard let page = store.take() else {
                drop(to: before, into: &store)
                return false
            }
            pages.append(page)
        }
        return true
    }

    /// Gives back pages that `tokens` tokens don't need.
    mutating func shrink(to tokens: Int, into store: inout PageStore) {
        drop(to: store.pages(for: tokens), into: &store)
    }

    /// Tells the prefix cache of the pages that the first `count` of `tokens` have filled.
    mutating func share(_ tokens: [Int32], count: Int, with store: inout PageStore) {
        let size = store.pageSize
        while let here = position, (known + 1) * size <= count,
            let shared = store.share(pages[known], after: here, tokens[known * size..<(known + 1) * size])
        {
            pages[known] = shared.page
            position = shared.position
            known += 1
        }
    }

    /// Gives all pages back, of which the first `count` of `tokens` have keys and values.
    mutating func release(_ tokens: [Int32], count: Int, into store: inout PageStore) {
        let start = known * store.pageSize
        if let position, start < count { store.keep(pages[known], after: position, tokens[start..<count]) }
        drop(to: 0, into: &store)
        known = 0
        position = nil
    }

    /// The last page first, so that the prefix cache loses the ends of texts before their beginnings.
    private mutating func drop(to count: Int, into store: inout PageStore) {
        while pages.count > count { store.release(pages.removeLast()) }
    }
}
