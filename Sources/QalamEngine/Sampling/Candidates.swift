// SPDX-License-Identifier: Apache-2.0

/// The tokens that may still be drawn, with weights proportional to their probabilities.
///
/// Nothing here sorts the vocabulary: it is read twice, and the filters select in O(n) on average. Ties are broken by
/// token id, so the outcome depends on the logits alone.
package struct Candidates: Sendable {
    /// A token, its weight, and what selection orders by: the larger comes first.
    package struct Item: Sendable {
        /// The token.
        package var id: Int32
        /// e^((logit − best) / temperature).
        package var weight: Float
        /// Its logit at first.
        package var key: Float

        @inline(__always)
        func precedes(_ other: Item) -> Bool { key > other.key || (key == other.key && id < other.id) }
    }

    /// More than are left: the first `count` count.
    private var items: [Item] = []
    private var peaks: [Float] = []
    /// How many are left.
    package private(set) var count = 0
    /// Logits are first looked at in stretches of so many.
    private static let stretch = 256
    /// Logits of 20 temperatures below the best, e^-20 of its probability, are never drawn in practice.
    private static let reach: Float = 20

    /// None yet.
    package init() {}

    /// What is left, in an order that depends on the logits alone.
    package var remaining: ArraySlice<Item> { items[..<count] }

    /// The sum of the weights left.
    package var total: Double { remaining.reduce(0) { $0 + Double($1.weight) } }

    /// Collects from logits (V) what can be drawn at `temperature`, at least the `topK` likeliest if that isn't 0.
    ///
    /// - Returns: the best logit; nothing is collected if it is not finite
    package mutating func gather(_ logits: UnsafeBufferPointer<Float>, temperature: Float, topK: Int) -> Float {
        if items.count < logits.count + 8 {
            items = Array(repeating: Item(id: 0, weight: 0, key: 0), count: logits.count + 8)
        }
        let best = findPeaks(logits)
        count = 0
        guard best.isFinite else { return best }
        let floor = max(best - Self.reach * temperature, peakFloor(topK))
        count = 0  // the peaks were there for a moment
        let scale = 1 / temperature
        items.withUnsafeMutableBufferPointer { items in
            for (index, peak) in peaks.enumerated() where peak >= floor {
                let end = min((index + 1) * Self.stretch, logits.count)
                var i = index * Self.stretch
                while i + 8 <= end {
                    let x = logits.lanes(at: i)
                    let isKept = x .>= floor
                    if any(isKept) {
                        let weights = exponential((x - best) * scale)
                        for lane in 0..<8 {
                            items[count] = Item(id: Int32(i + lane), weight: weights[lane], key: x[lane])
                            count += isKept[lane] ? 1 : 0
                        }
                    }
                    i += 8
                }
                while i < end {
                    if logits[i] >= floor {
                        let weight = exponential(Lanes(repeating: (logits[i] - best) * scale))[0]
                        items[count] = Item(id: Int32(i), weight: weight, key: logits[i])
                        count += 1
                    }
                    i += 1
                }
            }
        }
        return best
    }

    /// Finds the largest logit of each stretch and of all.
    private mutating func findPeaks(_ logits: UnsafeBufferPointer<Float>) -> Float {
        peaks.removeAll(keepingCapacity: true)
        var best = -Float.infinity
        for start in stride(from: 0, to: logits.count, by: Self.stretch) {
            let peak = logits.largest(in: start..<min(start + Self.stretch, logits.count))
            peaks.append(peak)
            best = max(best, peak)
        }
        return best
    }

    /// A bound that at least k logits reach: k stretches have a peak as high.
    private mutating func peakFloor(_ k: Int) -> Float {
        guard k > 0, k <= peaks.count else { return -.infinity }
        for (index, peak) in peaks.enumerated() { items[index] = Item(id: Int32(index), weight: 0, key: peak) }
        count = peaks.count
        keepBest(k)
        return remaining.reduce(.infinity) { min($0, $1.key) }
    }

    /// Keeps the k with the largest keys.
    package mutating func keepBest(_ k: Int) {
        guard k < count else { return }
        count = select(reaching: Double(k)) { _ in 1 }
    }

    /// Keeps the fewest with the largest keys whose weights sum to the share `p` of all.
    package mutating func keepShare(_ p: Float) {
        let target = Double(p) * total
        count = select(reaching: target) { Double($0.weight) }
    }

    /// Keeps those with at least this weight.
    package mutating func keep(weight least: Float) {
        items.withUnsafeMutableBufferPointer { items in
            var kept = 0
            for i in 0..<count where items[i].weight >= least {
                items[kept] = items[i]
                kept += 1
            }
            count = kept
        }
    }

    /// Drops all with at least this weight but the least likely of them.
    package mutating func dropTop(weight least: Float) {
        var last: Item?
        var found = 0
        for item in remaining where item.weight >= least {
            found += 1
            // The key may be something else than likelihood by now.
            let isLater = last.map { item.weight < $0.weight || (item.weight == $0.weight && item.id > $0.id) } ?? true
            if isLater { last = item }
        }
        guard found > 1, let last else { return }
        items.withUnsafeMutableBufferPointer { items in
            var kept = 0
            for i in 0..<count where items[i].weight < least || items[i].id == last.id {
                items[kept] = items[i]
                kept += 1
            }
            count = kept
        }
    }

    /// Orders by these keys from now on.
    package mutating func rekey(_ key: (Item) -> Float) {
        for i in 0..<count { items[i].key = key(items[i]) }
    }

    /// The item at the share `u` in 0..<1 of the total weight.
    package func item(at u: Double) -> Item {
        var rest = u * total
        for item in remaining {
            rest -= Double(item.weight)
            if rest < 0 { return item }
        }
        return items[count - 1]
    }

    /// Moves the first items in order to the front, as many as are needed for their measures to reach `target`.
    ///
    /// Quickselect (Hoare 1961) on a running sum in place of a rank.
    /// - Returns: how many; at least 1
    private mutating func select(reaching target: Double, _ measure: (Item) -> Double) -> Int {
        items.withUnsafeMutableBufferPointer { items in
            var (low, high, sum) = (0, count, 0.0)
            while high - low > 24 {
                let middle = partition(items, low, high)
                let left = items[low..<middle].reduce(0) { $0 + measure($1) }
                if sum + left >= target {
                    high = middle
                } else {
                    sum += left + measure(items[middle])
                    low = middle + 1
                    if sum >= target { return low }
                }
            }
            items[low..<high].sort { $0.precedes($1) }
            while low < high {
                sum += measure(items[low])
                low += 1
                if sum >= target { break }
            }
            return max(low, 1)
        }
    }
}

/// Moves what precedes a pivot in `low..<high` to the left of it; returns the pivot's place.
private func partition(_ items: UnsafeMutableBufferPointer<Candidates.Item>, _ low: Int, _ high: Int) -> Int {
    let last = high - 1
    let middle = low + (high - low) / 2
    // The median of three ends up last.
    if items[middle].precedes(items[low]) { items.swapAt(middle, low) }
    if items[last].precedes(items[low]) { items.swapAt(last, low) }
    if items[middle].precedes(items[last]) { items.swapAt(middle, last) }
    let pivot = items[last]
    var store = low
    for i in low..<last where items[i].precedes(pivot) {
        items.swapAt(i, store)
        store += 1
    }
    items.swapAt(store, last)
    return store
}
