// SPDX-License-Identifier: Apache-2.0
package import QalamImages
package import QalamTensors

// Models take and make pictures as premultiplied RGBA in -1...1: (B,S,S,4).

/// Pictures of one size as a model takes them.
package func tensorOf(_ pictures: [Picture]) -> Tensor {
    let width = pictures.first?.width ?? 0, height = pictures.first?.height ?? 0
    let out = Tensor(uninitialized: [pictures.count, height, width, 4])
    for (row, picture) in pictures.enumerated() {
        precondition(picture.width == width && picture.height == height, "pictures of different sizes")
        let bytes = picture.premultiplied
        for i in bytes.indices { out.buffer[row * bytes.count + i] = Float(bytes[i]) / 127.5 - 1 }
    }
    return out
}

/// The pictures that a model made.
package func picturesOf(_ x: Tensor) -> [Picture] {
    let (H, W) = (x.shape[1], x.shape[2])
    let count = 4 * W * H
    return (0..<x.shape[0]).map { row in
        // Zero comes first, so that what is no number becomes zero.
        let bytes = (0..<count).map { UInt8(min(max(0, (x.buffer[row * count + $0] + 1) * 127.5), 255).rounded()) }
        return Picture(width: W, height: H, premultiplied: bytes)
    }
}
