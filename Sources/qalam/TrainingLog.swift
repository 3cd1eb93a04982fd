// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamTraining

/// Renders training events: a line a step in a terminal, rewritten in place; every hundredth of the run elsewhere.
struct TrainingLog {
    private let json: Bool
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var interval = 1
    private var pace = 0.0

    init(json: Bool) { self.json = json }

    /// Shows one event.
    mutating func show(_ event: TrainingEvent) {
        if json { return showJSON(event) }
        switch event {
        case .started(let parameters, let settings, let step):
            interval = max(1, settings.steps / 100)
            let millions = String(format: "%.1f", Double(parameters) / 1e6)
            let resumed = step > 0 ? ", going on from step \(step)" : ""
            line(
                "\(millions)M parameters | \(settings.steps) steps of \(settings.batch) rows | "
                    + "\(settings.optimizer.rawValue), \(settings.schedule.rawValue)\(resumed)")
        case .step(let report): show(report)
        case .evaluated(let e):
            line(
                "held-out at step \(e.step): loss \(String(format: "%.4f", e.loss))"
                    + e.measures.sorted { $0.key < $1.key }.map {
                        " | \($0.replacing("_", with: " ")) \(String(format: "%.4f", $1))"
                    }.joined())
        case .sample(let prompt, let text):
            line("sample: \(prompt)\u{203A}\(text.replacingOccurrences(of: "\n", with: "⏎"))")
        case .picture(let url): line("picture: \(url.relativePath)")
        case .checkpoint(let step): if isTerminal { line("checkpoint at step \(step)") }
        case .finished(let step, let isComplete, let model):
            line(
                isComplete
                    ? "done: \(model.relativePath)" : "stopped at step \(step); the same command goes on from here")
        }
    }

    private mutating func show(_ r: StepReport) {
        pace = pace == 0 ? r.seconds : 0.9 * pace + 0.1 * r.seconds
        let width = String(r.steps).count
        let text = String(
            format:
                "step %0*d/%d %5.1f%% | loss %.4f | lr %.2e | norm %.2f | %.0f ms | %.0f %@/s | %.0f GFLOP/s | eta %@",
            width, r.step, r.steps, 100 * Double(r.step) / Double(r.steps), r.loss, r.learningRate, r.gradientNorm,
            1000 * r.seconds, Double(r.count) / r.seconds, r.unit, r.flops / r.seconds / 1e9,
            duration(pace * Double(r.steps - r.step)))
        if isTerminal {
            write("\r\u{1B}[K\(text)")
        } else if r.step % interval == 0 || r.step == 1 || r.step == r.steps {
            write(text + "\n")
        }
    }

    /// A line that stays.
    private func line(_ text: String) { write(isTerminal ? "\r\u{1B}[K\(text)\n" : text + "\n") }

    private func showJSON(_ event: TrainingEvent) {
        let object: [String: Any]
        switch event {
        case .started(let parameters, let settings, let step):
            object = ["event": "started", "parameters": parameters, "steps": settings.steps, "step": step]
        case .step(let r):
            object = [
                "event": "step", "step": r.step, "loss": r.loss, "lr": r.learningRate, "norm": r.gradientNorm,
                "seconds": r.seconds, "\(r.unit)_s": Double(r.count) / r.seconds, "gflops": r.flops / r.seconds / 1e9,
            ]
        case .evaluated(let e):
            object = ["event": "evaluated", "step": e.step, "loss": e.loss].merging(e.measures) { own, _ in own }
        case .sample(let prompt, let text): object = ["event": "sample", "prompt": prompt, "text": text]
        case .picture(let url): object = ["event": "picture", "path": url.relativePath]
        case .checkpoint(let step): object = ["event": "checkpoint", "step": step]
        case .finished(let step, let isComplete, let model):
            object = ["event": "finished", "step": step, "complete": isComplete, "model": model.relativePath]
        }
        // Every value above is a JSON value, and what a log can't show must not end the run.
        try? printJSON(object)
    }
}
