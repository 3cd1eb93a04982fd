// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamHub

/// One line of progress on standard error: rewritten in place in a terminal, a line every ten seconds elsewhere.
struct ProgressLine {
    private let label: String
    private let start = ContinuousClock.now
    private var shown: ContinuousClock.Instant?
    private var first: (count: Int, time: ContinuousClock.Instant)?
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(_ label: String) { self.label = label }

    /// Shows how far it is, with a bar and the time left.
    mutating func show(done: Int, total: Int) {
        guard isDue else { return }
        let share = total > 0 ? Double(done) / Double(total) : 1
        let left = share > 0 ? (1 - share) / share * seconds : 0
        put("\(bar(share)) \(done)/\(total) | eta \(duration(left))")
    }

    /// Shows how many bytes are there, with a bar, the speed since the first call, and the time left.
    mutating func showBytes(done: Int, total: Int) {
        let first = self.first ?? (done, .now)
        self.first = first
        guard isDue else { return }
        let speed = Double(max(0, done - first.count)) / max((ContinuousClock.now - first.time) / .seconds(1), 0.001)
        let left = speed > 0 ? " | eta \(duration(Double(total - done) / speed))" : ""
        put(
            "\(bar(total > 0 ? Double(done) / Double(total) : 1)) \(byteText(done)) of \(byteText(total)) | "
                + "\(byteText(Int(speed)))/s\(left)")
    }

    private func bar(_ share: Double) -> String {
        let filled = min(24, max(0, Int(share * 24)))
        return String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
    }

    /// Shows a count without a known end.
    mutating func show(_ text: String) {
        if isDue { put(text) }
    }

    /// Ends the line, with what came out.
    mutating func finish(_ text: String?) {
        guard let text else {
            if shown != nil, isTerminal { standardError("") }
            return
        }
        put("\(text) in \(duration(seconds))")
        if isTerminal { standardError("") }
    }

    private var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    private var isDue: Bool {
        guard let shown else { return isTerminal || seconds > 10 }
        return ContinuousClock.now - shown > (isTerminal ? .milliseconds(100) : .seconds(10))
    }

    private mutating func put(_ text: String) {
        shown = .now
        if isTerminal {
            FileHandle.standardError.write(Data("\r\u{1B}[K\(label): \(text)".utf8))
        } else {
            standardError("\(label): \(text)")
        }
    }
}

/// "2h05m", "3m20s" or "12s".
func duration(_ seconds: Double) -> String {
    let total = Int(seconds.rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if total >= 3600 { return "\(total / 3600)h\(two(total / 60 % 60))m" }
    if total >= 60 { return "\(total / 60)m\(two(total % 60))s" }
    return "\(total)s"
}
