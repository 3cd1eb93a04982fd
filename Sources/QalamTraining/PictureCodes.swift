// SPDX-License-Identifier: Apache-2.0
package import QalamImages
package import QalamModels
internal import QalamTensors

/// The codes of all pictures of a split.
package struct PictureCodes {
    private let codes: [Int32]
    private let config: ImageTokenizerConfig

    /// Encodes all pictures; `progress` is called with how many are done.
    package init(_ split: PictureSplit, _ tokenizer: ImageTokenizer, progress: (Int) -> Void) {
        config = tokenizer.config
        var codes: [Int32] = []
        for start in stride(from: 0, to: split.count, by: 32) {
            let end = min(start + 32, split.count)
            let numbers = tokenizer.encode(split.batch(Array(start..<end))).detached
            let rows = numbers.reshaped([numbers.count / config.levels.count, config.levels.count])
            codes += config.quantizer.codes(of: rows)
            progress(end)
        }
        self.codes = codes
    }

    /// The codes of pictures: indices·G².
    package func ids(_ indices: [Int]) -> [Int32] {
        let size = config.grid * config.grid
        return indices.flatMap { codes[$0 * size..<($0 + 1) * size] }
    }

    /// The same as numbers: (indices,G,G,D).
    func tensor(_ indices: [Int]) -> Tensor {
        config.quantizer.values(of: ids(indices))
            .reshaped([indices.count, config.grid, config.grid, config.levels.count])
    }
}
