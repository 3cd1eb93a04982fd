// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// Measures a model on the held-out half of packed data; nil if there is none.
///
/// Bits per byte divides the loss by the bytes of the predicted tokens' text, so that models with different tokenizers
/// compare.
/// - Parameters:
///   - decoder: the model
///   - data: packed with `tokenizer`
///   - tokenizer: tells how many bytes each token stands for
///   - T: the length of a row
///   - step: steps trained so far, for the record
///   - limit: the most rows to read, spread evenly over the data
/// - Returns: the figures, or nil if nothing is held out
/// - Throws: `FormatError` if the packed data is damaged.
public func evaluate(
    _ decoder: Decoder, _ data: PackedData, tokenizer: Tokenizer, context T: Int, step: Int = 0, rows limit: Int = 256
) throws -> Evaluation? {
    let available = data.heldout.rowCount(length: T)
    guard available > 0 else { return nil }
    let count = min(available, limit)
    let rows = (0..<count).map { $0 * available / count }
    let perPass = max(1, 4096 / T)
    var (total, tokens, bytes) = (0.0, 0, 0)
    for start in stride(from: 0, to: count, by: perPass) {
        let batch = try data.heldout.batch(Array(rows[start..<min(start + perPass, count)]), length: T)
        var context = CausalContext(batch: batch.rows, length: T)
        let hidden = decoder.hidden(batch.inputs, &context).detached
        let loss = linearCrossEntropy(
            hidden, head: decoder.head.detached, targets: batch.targets, softcap: decoder.config.logitSoftcap)
        total += loss.total
        tokens += loss.targets
        bytes += batch.targets.reduce(0) { $0 + ($1 < 0 ? 0 : tokenizer.bytes(of: $1)?.count ?? 0) }
    }
    guard tokens > 0 else { return nil }
    let mean = total / Double(tokens)
    return Evaluation(
        step: step, loss: mean,
        measures: ["bits_per_byte": total / log(2) / Double(max(bytes, 1)), "perplexity": exp(mean)], count: tokens)
}
