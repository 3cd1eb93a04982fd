// SPDX-License-Identifier: Apache-2.0

/// A queue that serves higher priorities first and, within one, clients in turn: who sends many requests waits behind
/// their own, not others behind them.
package struct FairQueue<Element> {
    private var levels: [Level] = []  // priorities, highest first
    /// How many wait.
    package private(set) var count = 0

    private struct Level {
        let priority: Int
        /// Whose turn it is comes first; none of them is empty.
        var clients: [Client]
    }

    private struct Client {
        let name: String
        var waiting: [Element]  // the next one last
    }

    /// An empty queue.
    package init() {}

    /// The element that `pop` would return.
    package var first: Element? { levels.first?.clients.first?.waiting.last }

    /// Adds an element behind the others of its client.
    package mutating func append(_ element: Element, priority: Int, client: String) {
        insert(element, priority: priority, client: client, atFront: false)
    }

    /// Puts an element back that was interrupted: it is the next of its priority.
    package mutating func restore(_ element: Element, priority: Int, client: String) {
        insert(element, priority: priority, client: client, atFront: true)
    }

    /// Takes the next element; its client's turn comes again after the others'.
    package mutating func pop() -> Element? {
        guard !levels.isEmpty else { return nil }
        var client = levels[0].clients.removeFirst()
        let element = client.waiting.popLast()
        if !client.waiting.isEmpty { levels[0].clients.append(client) }
        if levels[0].clients.isEmpty { levels.removeFirst() }
        count -= 1
        return element
    }

    /// Takes out the first element that satisfies `condition`.
    package mutating func remove(where condition: (Element) -> Bool) -> Element? {
        for l in levels.indices {
            for c in levels[l].clients.indices {
                guard let index = levels[l].clients[c].waiting.lastIndex(where: condition) else { continue }
                let element = levels[l].clients[c].waiting.remove(at: index)
                if levels[l].clients[c].waiting.isEmpty { levels[l].clients.remove(at: c) }
                if levels[l].clients.isEmpty { levels.remove(at: l) }
                count -= 1
                return element
            }
        }
        return nil
    }

    private mutating func insert(_ element: Element, priority: Int, client name: String, atFront: Bool) {
        count += 1
        let l = levels.firstIndex { $0.priority <= priority } ?? levels.count
        if l == levels.count || levels[l].priority != priority {
            levels.insert(Level(priority: priority, clients: []), at: l)
        }
        let known = levels[l].clients.firstIndex { $0.name == name }
        if atFront {
            var client = known.map { levels[l].clients.remove(at: $0) } ?? Client(name: name, waiting: [])
            client.waiting.append(element)
            levels[l].clients.insert(client, at: 0)
        } else if let known {
            levels[l].clients[known].waiting.insert(element, at: 0)
        } else {
            levels[l].clients.append(Client(name: name, waiting: [element]))
        }
    }
}
