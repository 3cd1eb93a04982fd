// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamEngine
internal import QalamFormats
internal import QalamImages
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// Writes pictures side by side as a PNG and reports it.
func writeSheet(
    _ cells: [Picture], columns: Int, to url: URL, _ report: (TrainingEvent) -> Void
) throws {
    guard !cells.isEmpty else { return }
    let sheet = ContactSheet(cells.map { $0.composed() }, columns: columns)
    try writeAtomically(try sheet.picture.encoded(as: .png()), to: url)
    report(.picture(url))
}

/// Draws the sample prompts of a run, four pictures each: `samples.png` in `folder`.
func writeSamples(
    of model: Drawer, _ images: ImageTokenizer, _ text: Tokenizer, _ settings: RunSettings, to folder: URL,
    _ report: (TrainingEvent) -> Void
) throws {
    let sampler = model.sampler(images)
    let wanted = settings.samplePrompts.flatMap { prompt in
        let ids = captionTokens(prompt, text)
        return (0..<4).map { CodeRequest(text: ids, seed: settings.seed &+ UInt64($0)) }
    }
    var cells: [Picture] = []
    for start in stride(from: 0, to: wanted.count, by: 16) {
        guard let codes = sampler.draw(Array(wanted[start..<min(start + 16, wanted.count)])) else { return }
        images.quantizer.snap(codes)
        cells += picturesOf(images.decode(codes).detached)
    }
    try writeSheet(cells, columns: 16, to: folder.appending(path: "samples.png"), report)
}

/// How alike two opaque pictures of one size are.
struct Likeness {
    /// The peak signal-to-noise ratio over red, green and blue, in decibels; at most 60.
    let psnr: Double
    /// The structural similarity of their brightness, 1 for equal ones.
    ///
    /// Wang et al. 2004.
    let ssim: Double

    init(of a: Picture, to b: Picture) {
        precondition(
            a.width == b.width && a.height == b.height,
            "likeness: \(a.width)×\(a.height) to \(b.width)×\(b.height)")
        var squares = 0.0
        for i in a.pixels.indices where i % 4 != 3 {
            let difference = Double(a.pixels[i]) - Double(b.pixels[i])
            squares += difference * difference
        }
        let mean = squares / Double(3 * a.width * a.height)
        psnr = min(60, 10 * log10(255 * 255 / max(mean, 1e-9)))
        ssim = Self.similarity(Self.brightness(a), Self.brightness(b), width: a.width, height: a.height)
    }

    private static func brightness(_ picture: Picture) -> [Double] {
        stride(from: 0, to: picture.pixels.count, by: 4).map { i in
            let (red, green) = (Double(picture.pixels[i]), Double(picture.pixels[i + 1]))
            let blue = Double(picture.pixels[i + 2])
            return 0.299 * red + 0.587 * green + 0.114 * blue
        }
    }

    /// The paper's formula with its Gaussian window of 11 pixels and deviation 1.5, over windows that fit.
    private static func similarity(_ a: [Double], _ b: [Double], width: Int, height: Int) -> Double {
        let raw = (-5...5).map { exp(-Double($0 * $0) / 4.5) }, sum = raw.reduce(0, +)
        let window = raw.map { $0 / sum }
        guard width >= window.count, height >= window.count else { return .nan }
        func blurred(_ x: [Double]) -> [Double] {
            let inner = width - window.count + 1
            var rows = [Double](repeating: 0, count: height * inner)
            for y in 0..<height {
                for column in 0..<inner {
                    for k in window.indices { rows[y * inner + column] += window[k] * x[y * width + column + k] }
                }
            }
            return (0..<(height - window.count + 1) * inner).map { at in
                window.indices.reduce(0) { $0 + window[$1] * rows[at + $1 * inner] }
            }
        }
        let (ma, mb) = (blurred(a), blurred(b))
        let (aa, bb) = (blurred(zip(a, a).map(*)), blurred(zip(b, b).map(*)))
        let ab = blurred(zip(a, b).map(*))
        let (c1, c2) = (0.01 * 255 * 0.01 * 255, 0.03 * 255 * 0.03 * 255)
        let values = ma.indices.map { i in
            let covariance = ab[i] - ma[i] * mb[i]
            let variances = aa[i] - ma[i] * ma[i] + bb[i] - mb[i] * mb[i]
            return (2 * ma[i] * mb[i] + c1) * (2 * covariance + c2)
                / ((ma[i] * ma[i] + mb[i] * mb[i] + c1) * (variances + c2))
        }
        return values.reduce(0, +) / Double(values.count)
    }
}
