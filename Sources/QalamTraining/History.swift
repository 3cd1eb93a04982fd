// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats

/// The losses of a run so far, and its curve as a picture.
struct History: Codable, Sendable {
    /// Mean loss of each step.
    var losses: [Double] = []
    /// Every look at the held-out data.
    var evaluations: [Evaluation] = []

    /// Draws the curve as SVG: training loss (smoothed, the raw values behind it) and held-out loss over steps.
    func writeCurve(to url: URL, steps: Int, unit: String) throws {
        guard !losses.isEmpty else { return }
        try writeAtomically(Array(LossCurve(self, steps: steps, unit: unit).svg.utf8), to: url)
    }
}

/// The picture of a loss curve.
private struct LossCurve {
    private let history: History
    private let steps: Int
    private let unit: String
    private let low: Double
    private let high: Double
    private let width = 800.0
    private let height = 420.0
    private let left = 60.0
    private let bottom = 40.0
    private let top = 34.0

    init(_ history: History, steps: Int, unit: String) {
        self.history = history
        self.unit = unit
        self.steps = max(steps, 2)
        let all = history.losses + history.evaluations.map(\.loss)
        low = (all.min() ?? 0).rounded(.down)
        high = max((all.max() ?? 1).rounded(.up), low + 1)
    }

    var svg: String {
        let raw = history.losses.enumerated().map { (Double($0 + 1), $1) }
        let heldout = history.evaluations.map { (Double($0.step), $0.loss) }
        let last = history.evaluations.last.map { evaluation in
            ([("held-out", evaluation.loss)] + evaluation.measures.sorted { $0.key < $1.key }.map { ($0, $1) })
                .map { " · \($0.replacing("_", with: " ")) \(number($1))" }.joined()
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
            font-family="system-ui, sans-serif" font-size="12">
            <style>svg{background:#fff;color:#333}\
            @media(prefers-color-scheme:dark){svg{background:#1b1b1d;color:#ddd}}</style>
            <text x="\(number(left))" y="20" font-size="14" fill="currentColor">loss, \(unit) · step \
            \(history.losses.count) of \(steps)\(last ?? "")</text>
            \(grid)
            <polyline fill="none" stroke="#9db7d5" stroke-opacity="0.6" points="\(points(thinned(raw)))"/>
            <polyline fill="none" stroke="#1f5fa8" stroke-width="2" points="\(points(thinned(smoothed(raw))))"/>
            <polyline fill="none" stroke="#d2691e" stroke-width="2" points="\(points(heldout))"/>
            <text x="\(number(width - 190))" y="50" fill="#1f5fa8">training (smoothed)</text>
            <text x="\(number(width - 190))" y="66" fill="#d2691e">held-out</text>
            </svg>

            """
    }

    private var grid: String {
        let lines = stride(from: low, through: high, by: max(1, ((high - low) / 8).rounded(.up))).map { loss in
            """
            <line x1="\(number(left))" x2="\(number(width - 10))" y1="\(number(y(loss)))" y2="\(number(y(loss)))" \
            stroke="currentColor" stroke-opacity="0.2"/><text x="\(number(left - 8))" y="\(number(y(loss) + 4))" \
            text-anchor="end" fill="currentColor">\(number(loss))</text>
            """
        }
        let marks = (0...4).map { quarter in
            let step = Double(steps) * Double(quarter) / 4
            return """
                <text x="\(number(x(step)))" y="\(number(height - bottom + 20))" text-anchor="middle" \
                fill="currentColor">\(Int(step))</text>
                """
        }
        return (lines + marks).joined(separator: "\n")
    }

    private func x(_ step: Double) -> Double { left + step / Double(steps) * (width - left - 20) }

    private func y(_ loss: Double) -> Double { top + (high - loss) / (high - low) * (height - top - bottom) }

    private func points(_ pairs: [(Double, Double)]) -> String {
        pairs.map { "\(number(x($0.0))),\(number(y($0.1)))" }.joined(separator: " ")
    }

    /// At most 1,000 points, so that the file stays small.
    private func thinned(_ pairs: [(Double, Double)]) -> [(Double, Double)] {
        let interval = pairs.count / 1000 + 1
        return pairs.indices.filter { $0 % interval == 0 || $0 == pairs.count - 1 }.map { pairs[$0] }
    }

    /// An exponential mean, corrected for its start.
    private func smoothed(_ pairs: [(Double, Double)]) -> [(Double, Double)] {
        var (mean, weight) = (0.0, 0.0)
        return pairs.map { step, loss in
            mean = 0.95 * mean + 0.05 * loss
            weight = 0.95 * weight + 0.05
            return (step, mean / weight)
        }
    }

    /// Two decimals, none where they are zero.
    private func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}
