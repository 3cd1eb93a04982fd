// SPDX-License-Identifier: Apache-2.0
internal import QalamImages
package import QalamTensors

extension PictureSplit {
    /// Pictures as the models take them, premultiplied RGBA in -1...1: (indices,S,S,4).
    package func batch(_ indices: [Int]) -> Tensor {
        let count = 4 * size * size
        let out = Tensor(uninitialized: [indices.count, size, size, 4])
        for (row, index) in indices.enumerated() {
            withPixels(of: index) { pixels in
                for i in 0..<count { out.buffer[row * count + i] = Float(pixels[i]) / 127.5 - 1 }
            }
        }
        return out
    }
}
