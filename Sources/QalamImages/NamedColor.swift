// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// The colours that pictures are given, with their words.
enum NamedColor: String, CaseIterable, Sendable {
    case red, orange, yellow, green, blue, purple, pink, brown, black, white, grey

    /// The Arabic adjective, for words of either gender.
    var arabic: (masculine: String, feminine: String) {
        switch self {
        case .red: ("أحمر", "حمراء")
        case .orange: ("برتقالي", "برتقالية")
        case .yellow: ("أصفر", "صفراء")
        case .green: ("أخضر", "خضراء")
        case .blue: ("أزرق", "زرقاء")
        case .purple: ("بنفسجي", "بنفسجية")
        case .pink: ("وردي", "وردية")
        case .brown: ("بني", "بنية")
        case .black: ("أسود", "سوداء")
        case .white: ("أبيض", "بيضاء")
        case .grey: ("رمادي", "رمادية")
        }
    }

    /// Where it lies: lightness 0...1, chroma, and hue in degrees.
    var place: OKLCh {
        switch self {
        case .red: OKLCh(lightness: 0.59, chroma: 0.21, hue: 27)
        case .orange: OKLCh(lightness: 0.74, chroma: 0.17, hue: 58)
        case .yellow: OKLCh(lightness: 0.87, chroma: 0.17, hue: 94)
        case .green: OKLCh(lightness: 0.65, chroma: 0.18, hue: 145)
        case .blue: OKLCh(lightness: 0.58, chroma: 0.18, hue: 257)
        case .purple: OKLCh(lightness: 0.53, chroma: 0.19, hue: 303)
        case .pink: OKLCh(lightness: 0.77, chroma: 0.14, hue: 352)
        case .brown: OKLCh(lightness: 0.45, chroma: 0.08, hue: 55)
        case .black: OKLCh(lightness: 0.25, chroma: 0.005, hue: 270)
        case .white: OKLCh(lightness: 0.95, chroma: 0.004, hue: 90)
        case .grey: OKLCh(lightness: 0.64, chroma: 0.004, hue: 270)
        }
    }

    /// Whether a colour may be said of something of this name, with these keywords: not where one is said already, and
    /// not of people, flags and what is holy.
    static func suits(_ name: String, keywords: [String]) -> Bool {
        let words = Set(name.lowercased().split { !$0.isLetter }.map(String.init))
        let colors = Set(allCases.map(\.rawValue))
        return words.isDisjoint(with: colors.union(unsuited))
            && unsuited.isDisjoint(with: keywords.map { $0.lowercased() })
    }

    private static let unsuited: Set<String> = [
        "gray", "colour", "color", "gold", "golden", "silver", "bronze", "rainbow", "violet", "dark", "light", "flag",
        "man", "woman", "men", "women", "person", "people", "boy", "girl", "adult", "baby", "child", "children",
        "family", "religion", "religious", "worship", "temple", "church", "mosque", "synagogue", "kaaba",
    ]

    /// `text` with this colour said of it in `language`: "blue cat face", "وجه قطة أزرق".
    func named(_ text: String, in language: String) -> String {
        guard language == "ar" else { return "\(rawValue) \(text)" }
        return "\(text) \(adjective(for: text))"
    }

    /// The Arabic adjective for a name: of the gender of its first word, which is feminine if it ends so or is one of
    /// the common ones that don't.
    func adjective(for text: String) -> String {
        let first = CaptionSampler.normalized(text).split { $0 == " " || $0 == ":" }.first.map(String.init) ?? ""
        let feminine: Set<String> = [
            "يد", "عين", "شمس", "أرض", "نار", "قدم", "أذن", "ساق", "كأس", "سن", "بئر", "دار", "نفس", "ريح", "سوق",
            "روح", "أصابع", "أزهار", "كتب", "قلوب", "أيدي", "عيون", "نجوم",
        ]
        let isFeminine = ["ة", "اء", "ى"].contains { first.hasSuffix($0) } || feminine.contains(first)
        return isFeminine ? arabic.feminine : arabic.masculine
    }
}

/// A colour by lightness, chroma and hue in degrees (OKLCh; Ottosson 2020), in which equal steps look equal.
struct OKLCh: Sendable {
    var lightness: Float
    var chroma: Float
    var hue: Float

    init(lightness: Float, chroma: Float, hue: Float) {
        self.lightness = lightness
        self.chroma = chroma
        self.hue = hue
    }

    /// The place of an sRGB colour of bytes.
    init(_ r: UInt8, _ g: UInt8, _ b: UInt8) {
        let (r, g, b) = (Self.linear[Int(r)], Self.linear[Int(g)], Self.linear[Int(b)])
        let l = cbrtf(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
        let m = cbrtf(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        let s = cbrtf(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        lightness = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s
        let a = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s
        let b2 = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
        chroma = hypotf(a, b2)
        hue = atan2f(b2, a) * 180 / .pi
    }

    /// The nearest sRGB colour of this lightness and hue, as bytes: chroma gives way.
    var bytes: (UInt8, UInt8, UInt8) {
        var color = self
        for _ in 0..<24 {
            let rgb = color.linearRGB
            if rgb.min() >= -0.001, rgb.max() <= 1.001 { break }
            color.chroma *= 0.9
        }
        let rgb = color.linearRGB.clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 1))
        func byte(_ x: Float) -> UInt8 {
            UInt8((255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * powf(x, 1 / 2.4) - 0.055)).rounded())
        }
        return (byte(rgb.x), byte(rgb.y), byte(rgb.z))
    }

    private var linearRGB: SIMD3<Float> {
        let (a, b) = (chroma * cosf(hue * .pi / 180), chroma * sinf(hue * .pi / 180))
        let l = lightness + 0.3963377774 * a + 0.2158037573 * b
        let m = lightness - 0.1055613458 * a - 0.0638541728 * b
        let s = lightness - 0.0894841775 * a - 1.2914855480 * b
        let (l3, m3, s3) = (l * l * l, m * m * m, s * s * s)
        return SIMD3(
            4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
            -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
            -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3)
    }

    private static let linear: [Float] = (0..<256).map {
        let x = Float($0) / 255
        return x <= 0.04045 ? x / 12.92 : powf((x + 0.055) / 1.055, 2.4)
    }
}

/// The way from hue `a` to hue `b` in degrees, the shorter one: -180...180.
func hueDifference(_ a: Float, _ b: Float) -> Float { (b - a).remainder(dividingBy: 360) }
