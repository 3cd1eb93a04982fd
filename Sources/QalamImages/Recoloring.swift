// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Gives a picture's main colour to others: the pixels of that colour take the place of a named colour with their own
/// shades; the rest stays.
struct Recoloring {
    private let picture: Picture
    private let places: [OKLCh]
    /// The mean of the pixels of the main colour.
    private let main: OKLCh
    /// The colour it has already.
    let present: NamedColor

    /// Hues this far from the main one still belong to it, in degrees; from the first number on they do less.
    private static let full: Float = 35
    private static let end: Float = 60
    /// Chroma from which a pixel has a colour.
    private static let leastChroma: Float = 0.05

    /// Finds the main colour; nil if there is none: it must cover a quarter of the picture's surface and three fifths
    /// of what is coloured.
    init?(_ picture: Picture) {
        self.picture = picture
        places = stride(from: 0, to: picture.pixels.count, by: 4).map {
            OKLCh(picture.pixels[$0], picture.pixels[$0 + 1], picture.pixels[$0 + 2])
        }
        var (surface, colored): (Float, Float) = (0, 0)
        var histogram = [Float](repeating: 0, count: 36)
        for (place, alpha) in zip(places, picture.alphas) {
            surface += alpha
            guard place.chroma >= Self.leastChroma else { continue }
            colored += alpha
            histogram[(Int((place.hue + 360) / 10) + 36) % 36] += alpha * place.chroma
        }
        guard surface > 0, colored > 0 else { return nil }
        let smooth = histogram.indices.map { i in (-2...2).reduce(Float(0)) { $0 + histogram[(i + $1 + 36) % 36] } }
        guard let peak = smooth.indices.max(by: { smooth[$0] < smooth[$1] }) else { return nil }
        let hue = Float(peak) * 10 + 5
        var (weight, lightness, chroma, covered): (Float, Float, Float, Float) = (0, 0, 0, 0)
        for (place, alpha) in zip(places, picture.alphas)
        where place.chroma >= Self.leastChroma && abs(hueDifference(place.hue, hue)) <= Self.full {
            covered += alpha
            weight += alpha * place.chroma
            lightness += alpha * place.chroma * place.lightness
            chroma += alpha * place.chroma * place.chroma
        }
        guard covered >= 0.25 * surface, covered >= 0.6 * colored else { return nil }
        let main = OKLCh(lightness: lightness / weight, chroma: chroma / weight, hue: hue)
        self.main = main
        let nearest = NamedColor.allCases.min { Self.distance($0.place, main) < Self.distance($1.place, main) }
        present = nearest ?? .grey
    }

    /// The picture with its main colour as `color`; nil if it does not look so then.
    func picture(in color: NamedColor) -> Picture? {
        let picture = changed(to: color)
        let isGrey = [.black, .white, .grey].contains(color)
        return isGrey || Recoloring(picture)?.present == color ? picture : nil
    }

    private func changed(to color: NamedColor) -> Picture {
        let target = color.place
        var pixels = picture.pixels
        for (index, place) in places.enumerated() where pixels[4 * index + 3] > 0 {
            let share = share(of: place)
            guard share > 0 else { continue }
            let moved = moved(place, to: target).bytes
            let at = 4 * index
            pixels[at] = Self.mix(pixels[at], moved.0, share)
            pixels[at + 1] = Self.mix(pixels[at + 1], moved.1, share)
            pixels[at + 2] = Self.mix(pixels[at + 2], moved.2, share)
        }
        return Picture(width: picture.width, height: picture.height, pixels: pixels)
    }

    /// How much a pixel belongs to the main colour, 0...1.
    private func share(of place: OKLCh) -> Float {
        let distance = abs(hueDifference(place.hue, main.hue))
        let near = 1 - min(1, max(0, (distance - Self.full) / (Self.end - Self.full)))
        return near * min(1, max(0, (place.chroma - 0.015) / 0.035))
    }

    /// The place of a pixel when the main colour's place is `target`: black and white stay, what is between moves.
    private func moved(_ place: OKLCh, to target: OKLCh) -> OKLCh {
        let lightness =
            place.lightness <= main.lightness
            ? place.lightness * target.lightness / main.lightness
            : target.lightness + (place.lightness - main.lightness) * (1 - target.lightness) / (1 - main.lightness)
        return OKLCh(
            lightness: min(1, lightness), chroma: place.chroma * target.chroma / main.chroma,
            hue: target.hue + hueDifference(main.hue, place.hue) * 0.5)
    }

    private static func mix(_ a: UInt8, _ b: UInt8, _ share: Float) -> UInt8 {
        UInt8((Float(a) + share * (Float(b) - Float(a))).rounded())
    }

    private static func distance(_ a: OKLCh, _ b: OKLCh) -> Float {
        func point(_ c: OKLCh) -> SIMD3<Float> {
            SIMD3(c.lightness, c.chroma * cosf(c.hue * .pi / 180), c.chroma * sinf(c.hue * .pi / 180))
        }
        let difference = point(a) - point(b)
        return (difference * difference).sum()
    }
}

extension Picture {
    /// The alpha of every pixel, 0...1.
    fileprivate var alphas: some Sequence<Float> {
        stride(from: 3, to: pixels.count, by: 4).lazy.map { Float(pixels[$0]) / 255 }
    }
}
