// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamTensors
import Testing

@Suite struct PagePoolTests {
    /// Under random operations the pool is as a dictionary of counts and a list of free pages say.
    @Test(arguments: 1...6)
    func agreesWithASimpleModel(seed: UInt64) {
        var random = CounterRandom(seed: seed)
        let count = Int.random(in: 1...12, using: &random)
        var pool = PagePool(count: count)
        var users: [Int32: Int] = [:]
        var free = (0..<Int32(count)).map { $0 }  // next one first
        for _ in 0..<2000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let page = pool.take()
                #expect(page == free.first)
                if let page {
                    free.removeFirst()
                    users[page] = 1
                }
            case 1:
                let page = Int32.random(in: 0..<Int32(count), using: &random)
                pool.retain(page)
                free.removeAll { $0 == page }
                users[page, default: 0] += 1
            default:
                guard let page = users.keys.sorted().randomElement(using: &random) else { continue }
                let keeping = Bool.random(using: &random)
                pool.release(page, keeping: keeping)
                users[page, default: 0] -= 1
                guard users[page] == 0 else { continue }
                users[page] = nil
                free.insert(page, at: keeping ? free.count : 0)
            }
            #expect(pool.freeCount == free.count)
            #expect(pool.usedCount == users.count)
            #expect((0..<Int32(count)).allSatisfy { pool.references(of: $0) == users[$0] ?? 0 })
        }
    }

    @Test func hasNothingToTakeWhenEmpty() {
        var pool = PagePool(count: 0)
        #expect(pool.take() == nil)
    }
}

@Suite struct PrefixCacheTests {
    @Test func findsWholeChainsOnly() throws {
        var cache = PrefixCache(pages: 8, pageSize: 2)
        let start = cache.start(adapter: 0)
        let first = cache.insert(3, after: start, tokens: [1, 2][...])
        let second = cache.insert(5, after: first.position, tokens: [3, 4][...])
        #expect((first.page, second.page) == (3, 5))
        #expect(cache.page(after: start, tokens: [1, 2][...])?.page == 3)
        #expect(cache.page(after: start, tokens: [3, 4][...]) == nil)
        #expect(cache.page(after: first.position, tokens: [3, 4][...])?.page == 5)
        #expect(cache.page(after: cache.start(adapter: 1), tokens: [1, 2][...]) == nil)
    }

    @Test func keepsTheFirstOfEqualPages() {
        var cache = PrefixCache(pages: 8, pageSize: 2)
        let start = cache.start(adapter: 0)
        let first = cache.insert(3, after: start, tokens: [1, 2][...])
        let twin = cache.insert(4, after: start, tokens: [1, 2][...])
        #expect(twin.page == 3 && twin.position == first.position)
        #expect(cache.knows(3) && !cache.knows(4))
    }

    /// What came after a page that was evicted is not found after the same tokens are there again.
    @Test func forgetsWhatWasEvicted() {
        var cache = PrefixCache(pages: 8, pageSize: 2)
        let start = cache.start(adapter: 0)
        let old = cache.insert(3, after: start, tokens: [1, 2][...])
        _ = cache.insert(5, after: old.position, tokens: [3, 4][...])
        cache.forget(3)
        #expect(cache.page(after: start, tokens: [1, 2][...]) == nil)
        let new = cache.insert(6, after: start, tokens: [1, 2][...])
        #expect(cache.page(after: new.position, tokens: [3, 4][...]) == nil)
        cache.forget(5)
        #expect(cache.count == 1)
    }
}

extension PrefixCacheTests {
    @Test func findsThePageThatStartsMostAlike() {
        var cache = PrefixCache(pages: 8, pageSize: 4)
        let start = cache.start(adapter: 0)
        _ = cache.insert(1, after: start, tokens: [1, 2, 3, 4][...])
        _ = cache.insert(2, after: start, tokens: [1, 2, 9][...])
        _ = cache.insert(3, after: start, tokens: [5, 6, 7, 8][...])
        #expect(cache.start(of: [1, 2, 9, 9][...], after: start)?.page == 2)
        #expect(cache.start(of: [1, 2, 9, 9][...], after: start)?.count == 3)
        #expect(cache.start(of: [1, 2, 3][...], after: start)?.count == 3)
        #expect(cache.start(of: [2, 2][...], after: start) == nil)
        #expect(cache.start(of: [][...], after: start) == nil)
        cache.forget(2)
        #expect(cache.start(of: [1, 2, 9, 9][...], after: start)?.count == 2)
        cache.forget(1)
        #expect(cache.start(of: [1, 2][...], after: start) == nil)
    }
}

@Suite struct FairQueueTests {
    @Test func clientsTakeTurnsWithinAPriority() {
        var queue = FairQueue<String>()
        for name in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            queue.append(name, priority: 0, client: String(name.prefix(1)))
        }
        queue.append("low", priority: -1, client: "z")
        queue.append("high", priority: 5, client: "a")
        #expect(queue.count == 8 && queue.first == "high")
        var order: [String] = []
        while let next = queue.pop() { order.append(next) }
        #expect(order == ["high", "a1", "b1", "c1", "a2", "c2", "a3", "low"])
        #expect(queue.first == nil && queue.count == 0)
    }

    @Test func restoresAndRemoves() {
        var queue = FairQueue<Int>()
        for i in 0..<6 { queue.append(i, priority: 0, client: "\(i % 2)") }
        let first = queue.pop()
        #expect(first == 0)
        queue.restore(0, priority: 0, client: "0")
        #expect(queue.first == 0)
        #expect(queue.remove { $0 == 3 } == 3)
        #expect(queue.remove { $0 == 9 } == nil)
        var order: [Int] = []
        while let next = queue.pop() { order.append(next) }
        #expect(order == [0, 1, 2, 5, 4])
    }
}
