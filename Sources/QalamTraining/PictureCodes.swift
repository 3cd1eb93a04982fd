// SPDX-License-Identifier: Apache-2.0
package import QalamImages
package import QalamModels
internal import QalamTensors

/// The codes of all pictures of a split.
package struct PictureCodes {
    private let codes: [Int32]
    private let tokenizer: ImageTokenizer

    /// Encodes all pictures; `progress` is called with how many are done.
    package init(_ split: PictureSplit, _ tokenizer: ImageTokenizer, progress: (Int) -> Void) {
        self.tokenizer = tokenizer
        var codes: [Int32] = []
        for start in stride(from: 0, to: split.count, by: 32) {
            let end = min(start + 32, split.count)
            codes += tokenizer.quantizer.codes(of: tokenizer.encode(split.batch(Array(start..<end))))
            progress(end)
        }
        self.codes = codes
    }

    /// The codes of pictures: indices·G².
    package func ids(_ indices: [Int]) -> [Int32] {
        let size = tokenizer.config.grid * tokenizer.config.grid
        return indices.flatMap { codes[$0 * size..<($0 + 1) * size] }
    }

    /// The same as numbers: (indices,G,G,D).
    func tensor(_ indices: [Int]) -> Tensor {
        let c = tokenizer.config
        return tokenizer.quantizer.values(of: ids(indices)).reshaped([indices.count, c.grid, c.grid, c.codes.width])
    }
}
