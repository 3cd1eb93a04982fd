// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// The tokens that may still be drawn, with weights proportional to their probabilities.
///
/// Nothing here sorts the vocabulary: it is read two or three times, and the filters select in O(n) on average. Ties
/// are broken by token id, so the outcome depends on the logits alone.
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
    private var sums: [Float] = []
    /// How many are left.
    package private(set) var count = 0

    /// Logits are first looked at in stretches of so many.
    private static let stretch = 256
    /// Logits of 20 temperatures below the best, e^-20 of its probability, are never drawn in practice.
    private static let reach: Float = 20
    /// Where a nucleus mostly ends.
    private static let nearReach: Float = 8

    /// What is left after the first filters.
    package struct Cut {
        /// Keeps the k likeliest; 0 keeps all.
        package var topK = 0
        /// Keeps the likeliest whose probabilities sum to it; 1 keeps all.
        package var topP: Float = 1
        /// Keeps those at least so many times as likely as the likeliest; 0 keeps all.
        package var minP: Float = 0

        /// Keeps everything.
        package init() {}
    }

    /// None yet.
    package init() {}

    /// What is left, in an order that depends on the logits alone.
    package var remaining: ArraySlice<Item> { items[..<count] }

    /// The sum of the weights left.
    package var total: Double { remaining.reduce(0) { $0 + Double($1.weight) } }

    /// Collects what top-k, top-p and min-p, in this order, leave of logits (V) at `temperature`.
    ///
    /// - Returns: the best logit; nothing is collected if it is not finite
    package mutating func gather(_ logits: UnsafeBufferPointer<Float>, temperature: Float, _ cut: Cut) -> Float {
        let best = findPeaks(logits)
        guard best.isFinite else {
            count = 0
            return best
        }
        let far = best - Self.reach * temperature
        let scale = (best: best, inverse: 1 / temperature)
        if cut.topK > 0 {
            collect(logits, floor: max(far, peakFloor(cut.topK)), scale)
            keepBest(cut.topK)
            if cut.topP < 1 { keepShare(cut.topP) }
        } else if cut.topP < 1 {
            // The nucleus is a share of everything, but lies near the top.
            let target = Double(cut.topP) * sumStretches(logits, floor: far, scale)
            collect(logits, floor: best - Self.nearReach * temperature, scale)
            if total < target { collect(logits, floor: far, scale) }
            keepSum(target)
        } else {
            // Logarithms are rounded, so this is not yet the exact bound.
            let near = cut.minP > 0 ? best + (log(cut.minP) - 0.01) * temperature : far
            collect(logits, floor: max(far, near), scale)
        }
        if cut.minP > 0 { keep(weight: cut.minP) }  // the best has weight 1
        return best
    }

    /// The token at the share `u` in 0..<1 of the whole distribution; nil if the best logit is not finite.
    ///
    /// Nothing is collected: sums of stretches lead to the place.
    package mutating func draw(_ logits: UnsafeBufferPointer<Float>, temperature: Float, at u: Double) -> Int32? {
        let best = findPeaks(logits)
        guard best.isFinite else { return nil }
        let floor = best - Self.reach * temperature
        let scale = (best: best, inverse: 1 / temperature)
        var rest = u * sumStretches(logits, floor: floor, scale)
        var place = 0
        for (index, sum) in sums.enumerated() where sum > 0 {
            place = index
            if rest < Double(sum) { break }
            rest -= Double(sum)
        }
        collect(logits, floor: floor, scale, in: place..<place + 1)
        for item in remaining {
            rest -= Double(item.weight)
            if rest < 0 { return item.id }
        }
        return remaining.last?.id  // sums are rounded
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

    /// Sums the weights of each stretch that reaches `floor`, and of all.
    private mutating func sumStretches(
        _ logits: UnsafeBufferPointer<Float>, floor: Float, _ scale: (best: Float, inverse: Float)
    ) -> Double {
        sums.removeAll(keepingCapacity: true)
        var total = 0.0
        for (index, peak) in peaks.enumerated() {
            let start = index * Self.stretch
            let range = start..<min(start + Self.stretch, logits.count)
            let sum = peak >= floor ? logits.sumOfExponentials(in: range, minus: scale.best, times: scale.inverse) : 0
            sums.append(sum)
            total += Double(sum)
        }
        return total
    }

    /// A bound that at least k logits reach: k stretches have a peak as high.
    private mutating func peakFloor(_ k: Int) -> Float {
        guard k > 0, k <= peaks.count else { return -.infinity }
        reserve(peaks.count)
        for (index, peak) in peaks.enumerated() { items[index] = Item(id: Int32(index), weight: 0, key: peak) }
        count = peaks.count
        keepBest(k)
        return remaining.reduce(.infinity) { min($0, $1.key) }
    }

    /// Collects the logits of at least `floor` in some stretches, all of them unless told otherwise.
    private mutating func collect(
        _ logits: UnsafeBufferPointer<Float>, floor: Float, _ scale: (best: Float, inverse: Float),
        in stretches: Range<Int>? = nil
    ) {
        reserve(logits.count)
        count = items.withUnsafeMutableBufferPointer { items in
            var filled = 0
            for index in stretches ?? peaks.indices where peaks[index] >= floor {
                let start = index * Self.stretch
                for i in start..<min(start + Self.stretch, logits.count) {
                    // Written always and kept sometimes: branches would be mispredicted.
                    items[filled].id = Int32(truncatingIfNeeded: i)
                    items[filled].key = logits[i]
                    filled += logits[i] >= floor ? 1 : 0
                }
            }
            for start in stride(from: 0, to: filled, by: 8) {
                let end = min(start + 8, filled)
                var x = Lanes(repeating: 0)
                for i in start..<end { x[i - start] = items[i].key }
                let weights = exponential((x - scale.best) * scale.inverse)
                for i in start..<end { items[i].weight = weights[i - start] }
            }
            return filled
        }
    }

    /// Makes room for `count` items and one that is not kept.
    private mutating func reserve(_ count: Int) {
        if items.count <= count { items = Array(repeating: Item(id: 0, weight: 0, key: 0), count: count + 1) }
    }

    /// Keeps the k with the largest keys.
    package mutating func keepBest(_ k: Int) {
        guard k < count else { return }
        count = select(reaching: Double(k)) { _ in 1 }
    }

    /// Keeps the fewest with the largest keys whose weights sum to the share `p` of all.
    package mutating func keepShare(_ p: Float) {
        keepSum(Double(p) * total)
    }

    /// Keeps the fewest with the largest keys whose weights sum to `target`.
    private mutating func keepSum(_ target: Double) {
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
