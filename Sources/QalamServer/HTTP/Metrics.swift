// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamEngine
import Synchronization

/// Counts and times, for Prometheus.
final class Metrics: Sendable {
    /// How often something took how long.
    struct Histogram {
        static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
        var counts = [Int](repeating: 0, count: bounds.count + 1)
        var sum = 0.0

        mutating func add(_ seconds: Double) {
            counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            sum += seconds
        }
    }

    private struct Request: Hashable {
        var route: String
        var method: String
        var status: Int
    }

    private struct State {
        var requests: [Request: Int] = [:]
        var durations: [String: Histogram] = [:]
        var prompt: [String: Int] = [:]
        var cached: [String: Int] = [:]
        var completion: [String: Int] = [:]
        var firstToken: [String: Histogram] = [:]
        var nextToken: [String: Histogram] = [:]
    }

    private let state = Mutex(State())

    /// Counts an answered request.
    func count(route: String, method: String, status: Int, time: Duration) {
        state.withLock { state in
            state.requests[Request(route: route, method: method, status: status), default: 0] += 1
            state.durations[route, default: Histogram()].add(time / .seconds(1))
        }
    }

    /// Counts tokens.
    func count(_ usage: Usage, model: String) {
        state.withLock { state in
            state.prompt[model, default: 0] += usage.promptTokens
            state.cached[model, default: 0] += usage.cachedTokens
            state.completion[model, default: 0] += usage.completionTokens
        }
    }

    /// Notes when a piece of an answer came: the first after the request, or one after another.
    func piece(isFirst: Bool, after time: Duration, model: String) {
        state.withLock { state in
            if isFirst {
                state.firstToken[model, default: Histogram()].add(time / .seconds(1))
            } else {
                state.nextToken[model, default: Histogram()].add(time / .seconds(1))
            }
        }
    }

    /// All of it in Prometheus's text format (0.0.4).
    func text(answers: Int, models: [(id: String, load: ModelLoad)]) -> String {
        let state = state.withLock { $0 }
        var page = PrometheusText()
        page.head("qalam_requests_total", "counter", "Requests answered.")
        for (request, count) in state.requests {
            page.line(
                "qalam_requests_total",
                [("route", request.route), ("method", request.method), ("status", String(request.status))],
                Double(count))
        }
        page.histograms("qalam_request_seconds", "Time until the answer began.", "route", state.durations)
        page.histograms("qalam_first_token_seconds", "Time to the first token.", "model", state.firstToken)
        page.histograms("qalam_inter_token_seconds", "Time between pieces of text.", "model", state.nextToken)
        page.values("qalam_prompt_tokens_total", "counter", "Tokens read.", "model", state.prompt)
        page.values("qalam_cached_tokens_total", "counter", "Tokens read from a cache.", "model", state.cached)
        page.values("qalam_completion_tokens_total", "counter", "Tokens written.", "model", state.completion)
        page.head("qalam_answers", "gauge", "Answers being written.")
        page.line("qalam_answers", [], Double(answers))
        let loads: [(name: String, help: String, value: (ModelLoad) -> Int)] = [
            ("qalam_running_requests", "Requests that a model answers.", { $0.running }),
            ("qalam_waiting_requests", "Requests that wait for a model.", { $0.waiting }),
            ("qalam_kv_pages", "Pages of keys and values.", { $0.pages }),
            ("qalam_kv_pages_used", "Pages of keys and values in use.", { $0.usedPages }),
        ]
        for (name, help, value) in loads {
            page.head(name, "gauge", help)
            for model in models { page.line(name, [("model", model.id)], Double(value(model.load))) }
        }
        if let memory = Self.residentBytes {
            page.head("process_resident_memory_bytes", "gauge", "Resident memory.")
            page.line("process_resident_memory_bytes", [], Double(memory))
        }
        return page.text
    }

    /// The memory that this process has in use, where the system tells it in a file.
    private static var residentBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

/// Writes Prometheus's text format.
struct PrometheusText {
    private(set) var text = ""

    /// What the following lines are.
    mutating func head(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// One value.
    mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        let number = Int(exactly: value).map(String.init) ?? value.description
        text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(number)\n"
    }

    /// Values that differ in one label.
    mutating func values(_ name: String, _ type: String, _ help: String, _ label: String, _ values: [String: Int]) {
        head(name, type, help)
        for (key, value) in values.sorted(by: { $0.key < $1.key }) { line(name, [(label, key)], Double(value)) }
    }

    /// Histograms that differ in one label.
    mutating func histograms(
        _ name: String, _ help: String, _ label: String, _ histograms: [String: Metrics.Histogram]
    ) {
        head(name, "histogram", help)
        for (key, histogram) in histograms.sorted(by: { $0.key < $1.key }) {
            var total = 0
            for (index, count) in histogram.counts.enumerated() {
                total += count
                let bounds = Metrics.Histogram.bounds
                let bound = index < bounds.count ? bounds[index].description : "+Inf"
                line(name + "_bucket", [(label, key), ("le", bound)], Double(total))
            }
            line(name + "_sum", [(label, key)], histogram.sum)
            line(name + "_count", [(label, key)], Double(total))
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
