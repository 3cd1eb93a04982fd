// SPDX-License-Identifier: Apache-2.0
internal import QalamImages
internal import QalamTensors

extension PictureSplit {
    /// Pictures as the models take them, premultiplied RGBA in -1...1: (indices,S,S,4).
    func batch(_ indices: [Int]) -> Tensor {
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

/// Pictures that a model made, for people to look at: (B,S,S,4) premultiplied in -1...1.
func pictures(_ x: Tensor) -> [Picture] {
    let (S, count) = (x.shape[1], 4 * x.shape[1] * x.shape[2])
    return (0..<x.shape[0]).map { row in
        let bytes = (0..<count).map { UInt8(min(max((x.buffer[row * count + $0] + 1) * 127.5, 0), 255).rounded()) }
        return Picture(width: S, height: S, premultiplied: bytes)
    }
}
