// SPDX-License-Identifier: Apache-2.0

public import Foundation
internal import QalamFormats
internal import QalamTensors

/// How pictures become a data folder.
public struct PicturePackOptions: Codable, Sendable, Equatable {
    /// Side of the pictures in pixels.
    public var size = 64
    /// The share of concepts held out.
    public var heldout = 0.05
    /// Further variants of each colourful picture, each in another named colour.
    public var recolor = 0
    /// Leaves out emoji with a skin tone.
    public var skipsSkinTones = false
    /// Small pictures grow by whole factors, their pixels square.
    public var keepsPixels = false

    /// The usual options.
    public init() {}
}

/// What came out of packing.
public struct PicturePackResult: Sendable {
    /// What is in the folder.
    public var manifest: PictureManifest
    /// Pictures that could not be read, each as path and reason.
    public var faults: [(path: String, why: String)] = []
    /// Pictures that have no caption.
    public var withoutCaption = 0
    /// Pictures with a skin tone that were to be left out.
    public var withSkinTone = 0
    /// How many concepts there are in all.
    public var concepts = 0
}

/// Makes a data folder from folders, archives and caption files; `progress` hears how many pictures of all are done.
///
/// The folder appears whole or not at all. The same inputs, options and seed give the same bytes.
public func packPictures(
    _ inputs: [URL], to folder: URL, _ options: PicturePackOptions = PicturePackOptions(), seed: UInt64 = 1,
    limits: PictureLimits = .standard, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> PicturePackResult {
    let sources = try inputs.map { try PictureSource($0) }
    var packer = PicturePacker(options, seed, limits)
    try replaceFolderAtomically(at: folder) { folder in
        try packer.pack(sources, folder, progress)
    }
    return packer.result
}

/// Two passes: pictures to one file at their final size, then from it to the two halves, once all concepts are known.
private struct PicturePacker {
    private struct Entry {
        var record: PictureRecord
        var character: String?
    }

    private let options: PicturePackOptions
    private let seed: UInt64
    private let limits: PictureLimits
    private var entries: [Entry] = []
    private var concepts = Concepts()
    private(set) var result: PicturePackResult

    init(_ options: PicturePackOptions, _ seed: UInt64, _ limits: PictureLimits) {
        precondition(options.size > 0 && options.recolor >= 0, "size \(options.size), recolor \(options.recolor)")
        self.options = options
        self.seed = seed
        self.limits = limits
        result = PicturePackResult(
            manifest: PictureManifest(
                size: options.size, train: 0, heldout: 0, seed: seed, sources: [], options: options))
    }

    mutating func pack(_ sources: [PictureSource], _ folder: URL, _ progress: (Int, Int) -> Void) throws {
        let all = folder.appending(path: "all.rgba")
        let total = sources.reduce(0) { $0 + $1.count }
        var done = 0
        try writeAtomically(to: all) { writer in
            for source in sources {
                let before = entries.count
                let hash = try source.read(limit: limits.bytes) { path, bytes in
                    if let pixels = add(path, bytes, source) { try writer.write(pixels) }
                    done += 1
                    progress(done, total)
                }
                result.manifest.sources.append(
                    PictureManifest.Source(path: source.path, pictures: entries.count - before, sha256: hash))
            }
        }
        let isHeldout = nameConcepts()
        let pixels = try MappedFile(all)
        result.manifest.train = try write("train", folder, pixels) { !isHeldout[$0] }
        result.manifest.heldout = try write("heldout", folder, pixels) { isHeldout[$0] }
        try FileManager.default.removeItem(at: all)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeAtomically(Array(try encoder.encode(result.manifest)), to: folder.appending(path: "data.json"))
    }

    /// Takes a picture in and returns its pixels, premultiplied; nil if it is left out.
    private mutating func add(_ path: String, _ bytes: [UInt8], _ source: PictureSource) -> [UInt8]? {
        let caption = source.captions.entry(for: path)
        guard let name = caption.name else {
            result.withoutCaption += 1
            return nil
        }
        if options.skipsSkinTones, caption.hasSkinTone || Self.showsSkinTone(caption) {
            result.withSkinTone += 1
            return nil
        }
        let picture: Picture
        do throws(PictureError) {
            if path.lowercased().hasSuffix(".svg") {
                picture = try Picture(drawing: bytes, width: options.size, height: options.size, limits: limits)
            } else {
                picture = try Picture(decoding: bytes, limits: limits)
                    .squared(to: options.size, keepsPixels: options.keepsPixels)
            }
        } catch {
            result.faults.append((path, error.description))
            return nil
        }
        concepts.add(name: name, character: caption.character, picture: picture)
        var record = PictureRecord(name: name, concept: "", style: source.style(of: caption))
        record.captions = caption.captions
        record.keywords = caption.keywords
        entries.append(Entry(record: record, character: caption.character))
        return picture.premultiplied
    }

    private static func showsSkinTone(_ caption: CaptionEntry) -> Bool {
        let toned = caption.character?.unicodeScalars.contains { (0x1F3FB...0x1F3FF).contains($0.value) }
        return toned == true || caption.name?.contains("skin tone") == true
    }

    /// Gives every record its concept and says which pictures are held out.
    private mutating func nameConcepts() -> [Bool] {
        concepts.joinLikenesses()
        let roots = concepts.roots()
        result.concepts = Set(roots).count
        return entries.indices.map { index in
            let concept = Concepts.conceptName(entries[roots[index]].record.name)
            entries[index].record.concept = concept
            var random = CounterRandom(seed: seed, stream: stableHash(concept))
            return random.uniform() < options.heldout
        }
    }

    /// Writes one half and returns how many pictures it has.
    private func write(_ name: String, _ folder: URL, _ pixels: MappedFile, where isIn: (Int) -> Bool) throws -> Int {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let length = 4 * options.size * options.size
        var records: [PictureRecord] = []
        try writeAtomically(to: folder.appending(path: "\(name).rgba")) { writer in
            for (index, entry) in entries.enumerated() where isIn(index) {
                let bytes = UnsafeRawBufferPointer(rebasing: pixels.buffer[index * length..<(index + 1) * length])
                try writer.write(bytes)
                records.append(entry.record)
                for (picture, record) in recolored(Array(bytes), entry) {
                    try writer.write(picture.premultiplied)
                    records.append(record)
                }
            }
        }
        try writeAtomically(to: folder.appending(path: "\(name).jsonl")) { writer in
            for record in records { try writer.write(Array(try encoder.encode(record)) + [0x0A]) }
        }
        withExtendedLifetime(pixels) {}
        return records.count
    }

    /// The variants of a picture in other colours, if it has one main colour and what it shows may have others.
    private func recolored(_ premultiplied: [UInt8], _ entry: Entry) -> [(Picture, PictureRecord)] {
        let record = entry.record
        let scalars = entry.character.map { Array($0.unicodeScalars) } ?? []
        // Emoji that can have a skin tone show people; on faces, some colours would say one.
        guard options.recolor > 0, !scalars.contains(where: \.properties.isEmojiModifierBase),
            NamedColor.suits(record.name, keywords: record.keywords["en"] ?? [])
        else { return [] }
        let isFace = Self.showsFace(scalars) && record.name.contains("face")
        let picture = Picture(width: options.size, height: options.size, premultiplied: premultiplied)
        guard let recoloring = Recoloring(picture) else { return [] }
        var random = CounterRandom(seed: seed, stream: stableHash("\(record.style) \(record.name)"))
        let colors = NamedColor.allCases.filter {
            $0 != recoloring.present && !(isFace && [.black, .white, .brown].contains($0))
        }
        .shuffled(using: &random)
        let variants = colors.lazy.compactMap { color in
            recoloring.picture(in: color).map { ($0, Self.record(record, in: color)) }
        }
        return Array(variants.prefix(options.recolor))
    }

    /// Whether one of `scalars` lies in a part of Unicode that holds smileys.
    private static func showsFace(_ scalars: [Unicode.Scalar]) -> Bool {
        let faces: [ClosedRange<UInt32>] = [0x1F600...0x1F64F, 0x1F910...0x1F97F, 0x1FAE0...0x1FAEF]
        return scalars.contains { scalar in faces.contains { $0.contains(scalar.value) } }
    }

    private static func record(_ record: PictureRecord, in color: NamedColor) -> PictureRecord {
        var variant = record
        variant.name = color.named(record.name, in: CaptionEntry.language(of: record.name))
        variant.color = color.rawValue
        for (language, names) in record.captions {
            variant.captions[language] = names.map { color.named($0, in: language) }
        }
        return variant
    }
}
