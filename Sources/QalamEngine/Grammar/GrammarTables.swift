// SPDX-License-Identifier: Apache-2.0

/// States of the pushdown automaton of a grammar, numbered as they are met, with memory of where each byte leads.
///
/// A *frame* is a place in a rule's graph to go on at, and the frame to return to after that rule. A *thread* is a
/// state of a terminal and the frame that follows the terminal. A *state* is a set of threads and whether the text may
/// end: all ways to read the text so far. Frames and states are interned, so that equal ones are one number and stacks
/// share their tails (as in a graph-structured stack, Tomita 1985).
struct GrammarTables {
    static let unknown = UInt32.max
    /// Deepest nesting of rules; more is refused.
    static let deepestFrame: UInt16 = 500
    /// Most ways to read a text that are followed; a byte that leads to more is refused.
    static let mostThreads = 4_096
    /// States after which a new cache is begun, and after which no more are made.
    static let fullAt = 60_000
    static let stateLimit = 300_000

    struct Frame {
        let place: UInt32
        let parent: UInt32
        let depth: UInt16
    }

    let graph: RuleGraph
    let classOf: [UInt8]
    let classSizes: [Int]
    let sampleOf: [UInt8]
    let classCount: Int
    var lexical: LexicalTables

    /// Frame 0 is the end of the text.
    private(set) var frames = [Frame(place: 0, parent: 0, depth: 0)]
    private var frameIndex: [UInt64: UInt32] = [:]
    /// Threads of each state, sorted: terminal state in the upper half, frame in the lower; state 0 has none.
    private(set) var threads: [[UInt64]] = [[]]
    private(set) var completes = [false]
    private var next: [UInt32]
    private var index: [[UInt64]: UInt32] = [[]: 0]
    private var frameStates: [UInt32: UInt32] = [:]

    init(_ graph: RuleGraph, _ automaton: ByteAutomaton) {
        self.graph = graph
        classOf = automaton.classOf
        classSizes = automaton.classSizes
        sampleOf = automaton.sampleOf
        classCount = automaton.sampleOf.count
        lexical = LexicalTables(automaton)
        next = Array(repeating: 0, count: classCount)
    }

    var isFull: Bool { threads.count + lexical.count > Self.fullAt || frames.count > 4 * Self.fullAt }

    /// The state before the first byte of a rule.
    mutating func start(_ rule: Int) -> UInt32 {
        var reached = Reached()
        expand([(graph.starts[rule], 0)], into: &reached)
        return intern(&reached)
    }

    @inline(__always)
    mutating func step(_ state: UInt32, _ byteClass: Int) -> UInt32 {
        let known = next[Int(state) * classCount + byteClass]
        return known == Self.unknown ? compute(state, byteClass) : known
    }

    /// The state after `text`; 0 if it can't come.
    mutating func step(_ state: UInt32, over text: some Sequence<UInt8>) -> UInt32 {
        var state = state
        for byte in text {
            state = step(state, Int(classOf[Int(byte)]))
            if state == 0 { break }
        }
        return state
    }

    /// Where reading goes on once the terminal before `frame` has ended.
    mutating func state(of frame: UInt32) -> UInt32 {
        if let known = frameStates[frame] { return known }
        var reached = Reached()
        enter(frame, &reached)
        let state = intern(&reached)
        frameStates[frame] = state
        return state
    }

    private mutating func compute(_ state: UInt32, _ byteClass: Int) -> UInt32 {
        guard threads.count < Self.stateLimit, lexical.count < Self.stateLimit else { return 0 }
        var reached = Reached()
        var ended: Set<UInt32> = []
        for thread in threads[Int(state)] {
            let target = lexical.step(UInt32(thread >> 32), byteClass)
            if target == 0 { continue }
            let frame = UInt32(truncatingIfNeeded: thread)
            if lexical.moves[Int(target)] { reached.threads.append(UInt64(target) << 32 | UInt64(frame)) }
            if lexical.accepts[Int(target)], ended.insert(frame).inserted { enter(frame, &reached) }
        }
        let target = reached.threads.count > Self.mostThreads ? 0 : intern(&reached)
        next[Int(state) * classCount + byteClass] = target
        return target
    }

    // MARK: Stacks

    /// What an expansion has come to.
    private struct Reached {
        var threads: [UInt64] = []
        var complete = false
    }

    private mutating func enter(_ frame: UInt32, _ reached: inout Reached) {
        if frame == 0 {
            reached.complete = true
        } else {
            expand([(frames[Int(frame)].place, frames[Int(frame)].parent)], into: &reached)
        }
    }

    /// Follows rules and returns without reading a byte, until terminals are reached.
    private mutating func expand(_ start: [(place: UInt32, parent: UInt32)], into reached: inout Reached) {
        var pending = start
        var seen: Set<UInt64> = []
        while let (place, parent) = pending.popLast() {
            guard seen.insert(UInt64(place) << 32 | UInt64(parent)).inserted else { continue }
            let state = graph.states[Int(place)]
            if state.isFinal {
                if parent == 0 {
                    reached.complete = true
                } else {
                    pending.append((frames[Int(parent)].place, frames[Int(parent)].parent))
                }
            }
            for (terminal, target) in state.terminals {
                guard let frame = push(target, parent) else { continue }
                reached.threads.append(UInt64(lexical.start(terminal)) << 32 | UInt64(frame))
            }
            for (rule, target) in state.rules {
                guard let frame = push(target, parent) else { continue }
                pending.append((graph.starts[Int(rule)], frame))
            }
        }
    }

    /// The frame to go on at `place`; nil past the deepest nesting.
    ///
    /// It is `parent` itself if nothing is left to do there, which keeps lists from growing the stack.
    private mutating func push(_ place: UInt32, _ parent: UInt32) -> UInt32? {
        if graph.states[Int(place)].isTail { return parent }
        let key = UInt64(place) << 32 | UInt64(parent)
        if let known = frameIndex[key] { return known }
        let depth = frames[Int(parent)].depth + 1
        guard depth <= Self.deepestFrame, frames.count < Int(UInt32.max) else { return nil }
        let frame = UInt32(frames.count)
        frames.append(Frame(place: place, parent: parent, depth: depth))
        frameIndex[key] = frame
        return frame
    }

    private mutating func intern(_ reached: inout Reached) -> UInt32 {
        reached.threads.sort()
        var key: [UInt64] = []
        key.reserveCapacity(reached.threads.count + 1)
        for thread in reached.threads where thread != key.last { key.append(thread) }
        let unique = key
        // No thread has this value: frames are fewer.
        if reached.complete { key.append(.max) }
        if let known = index[key] { return known }
        let state = UInt32(threads.count)
        index[key] = state
        threads.append(unique)
        completes.append(reached.complete)
        next.append(contentsOf: repeatElement(Self.unknown, count: classCount))
        return state
    }

    // MARK: From one cache to another

    /// A state in terms that do not depend on the numbers of these tables.
    struct Portable {
        var threads: [(set: [UInt32], places: [UInt32])] = []
        var complete: Bool
    }

    func portable(_ state: UInt32) -> Portable {
        var result = Portable(complete: completes[Int(state)])
        for thread in threads[Int(state)] {
            var places: [UInt32] = []
            var frame = UInt32(truncatingIfNeeded: thread)
            while frame != 0 {
                places.append(frames[Int(frame)].place)
                frame = frames[Int(frame)].parent
            }
            result.threads.append((lexical.set(UInt32(thread >> 32)), places.reversed()))
        }
        return result
    }

    mutating func restore(_ portable: Portable) -> UInt32 {
        var reached = Reached(complete: portable.complete)
        for (set, places) in portable.threads {
            var frame: UInt32 = 0
            for place in places { frame = push(place, frame) ?? frame }
            reached.threads.append(UInt64(lexical.intern(set)) << 32 | UInt64(frame))
        }
        return intern(&reached)
    }
}
