// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

extension Scheduler {
    /// Draws tokens, keeps what was proposed rightly, and drops what has ended.
    mutating func settle(_ logits: Tensor?, _ hidden: Tensor?, _ emit: (Int, GenerationEvent) -> Void) {
        var (row, hiddenRow) = (0, 0)
        var ended: [Int] = []
        for part in step.parts {
            let i = part.sequence
            defer {
                row += part.logits
                hiddenRow += part.hidden
            }
            guard running[i].request.work == .write else {
                let isOver = running[i].settlePrompt(
                    part.rows.count, logits: part.logits > 0 ? logits?.rows(row..<row + part.logits) : nil,
                    hidden: part.hidden > 0 ? hidden?.rows(hiddenRow..<hiddenRow + part.hidden) : nil, emit)
                running[i].advance(part.rows.count, &store)
                if isOver { ended.append(i) }
                continue
            }
            guard part.logits > 0, let logits else {
                running[i].advance(part.rows.count, &store)
                continue
            }
            let isOver = draw(i, logits.rows(row..<row + part.logits), part, emit)
            if isOver { ended.append(i) }
        }
        for i in ended.sorted(by: >) { retire(i) }
    }

    /// Draws the tokens of one sequence from its logits (1 + proposed, V); returns whether that was its end.
    private mutating func draw(
        _ i: Int, _ logits: Tensor, _ part: Step.Part, _ emit: (Int, GenerationEvent) -> Void
    ) -> Bool {
        let proposed = part.logits - 1
        running[i].advance(part.rows.count - proposed, &store)
        for accepted in 0...proposed {
            let buffer = logits.rows(accepted..<accepted + 1).buffer
            guard let token = running[i].sample(buffer, &scratch, emit) else {
                count(proposed: proposed, accepted: accepted)
                return true
            }
            guard accepted < proposed, token == running[i].proposed[accepted] else {
                count(proposed: proposed, accepted: accepted)
                running[i].settle(accepted: accepted)
                running[i].table.shrink(to: running[i].tokens.count, into: &store)
                break
            }
            // The row after this one was computed for this very token.
            running[i].advance(1, &store)
        }
        return false
    }
}
