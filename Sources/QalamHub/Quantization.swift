// SPDX-License-Identifier: Apache-2.0

/// The files of one GGUF model: one file, or the parts that a large one is split into.
package struct GGUFGroup<File> {
    /// The path without `-00001-of-00003` and `.gguf`.
    package let stem: String
    /// The quantization that the name tells, such as `Q4_K_M`; nil if it tells none.
    package let quantization: String?
    /// How many parts there must be.
    package let partCount: Int
    /// The parts that are there, in order.
    package let files: [File]

    /// The last part of the path, for messages.
    package var name: String { stem.split(separator: "/").last.map(String.init) ?? stem }

    /// Whether no part is missing.
    package var isComplete: Bool { files.count == partCount }

    /// Whether `wanted` means this model: its quantization in any case, with or without `UD-`, or its whole name.
    package func matches(_ wanted: String) -> Bool {
        let wanted = wanted.lowercased()
        return quantization?.lowercased() == wanted || name.lowercased() == wanted
    }
}

extension GGUFGroup: Sendable where File: Sendable {}

/// Sorts GGUF files into models, sorted by path; the image parts of multimodal models (`mmproj`) and tables of
/// importances (`imatrix`) are left out.
package func ggufGroups<File>(_ files: [File], path: (File) -> String) -> [GGUFGroup<File>] {
    var parts: [String: (count: Int, files: [(part: Int, file: File)])] = [:]
    for file in files {
        guard let name = GGUFName(path(file)) else { continue }
        parts[name.stem, default: (name.count, [])].files.append((name.part, file))
    }
    return parts.map { stem, found in
        GGUFGroup(
            stem: stem, quantization: quantizationLabel(stem), partCount: found.count,
            files: found.files.sorted { $0.part < $1.part }.map(\.file))
    }.sorted { $0.stem < $1.stem }
}

/// The model that `wanted` means among `groups`; without a wish Q4_K_M, else Q8_0, else the smallest.
package func chooseGroup<File>(
    _ wanted: String?, among groups: [GGUFGroup<File>], model: String, bytes: (GGUFGroup<File>) -> Int
) throws(HubError) -> GGUFGroup<File> {
    func choices(_ groups: [GGUFGroup<File>], _ name: (GGUFGroup<File>) -> String) -> [String] {
        groups.sorted { bytes($0) < bytes($1) }.map { "\(name($0)) (\(byteText(bytes($0))))" }
    }
    var fitting = groups
    if let wanted {
        fitting = groups.filter { $0.matches(wanted) }
        if fitting.isEmpty { fitting = groups.filter { $0.matches("UD-" + wanted) } }
        guard !fitting.isEmpty else {
            throw .noSuchQuantization(
                wanted, model: model, choices: choices(groups) { $0.quantization ?? $0.name })
        }
    } else {
        for usual in ["Q4_K_M", "Q8_0"] where fitting.count == groups.count {
            let found = groups.filter { $0.quantization == usual }
            if !found.isEmpty { fitting = found }
        }
        if fitting.count == groups.count, Set(groups.map(\.quantization)).count == groups.count {
            fitting = groups.min { bytes($0) < bytes($1) }.map { [$0] } ?? []
        }
    }
    guard let chosen = fitting.first else { throw .nothingToPull(model, why: "there is no GGUF file") }
    guard fitting.count == 1 else {
        throw .ambiguousQuantization(wanted, model: model, choices: choices(fitting) { $0.name + ".gguf" })
    }
    guard chosen.isComplete else {
        throw .incompleteSplit(chosen.stem, have: chosen.files.count, of: chosen.partCount)
    }
    return chosen
}

/// A path of a GGUF file, taken apart: `dir/model-Q8_0-00002-of-00003.gguf`.
private struct GGUFName {
    let stem: String
    var part = 1
    var count = 1

    init?(_ path: String) {
        guard path.lowercased().hasSuffix(".gguf") else { return nil }
        let whole = path.dropLast(5)
        let name = whole.split(separator: "/").last.map { $0.lowercased() } ?? ""
        if name.contains("mmproj") || name.contains("imatrix") && quantizationLabel(name) == nil { return nil }
        let words = whole.split(separator: "-", omittingEmptySubsequences: false)
        if words.count > 3, words[words.count - 2] == "of", let part = Self.number(words[words.count - 3]),
            let count = Self.number(words[words.count - 1]), (1...count).contains(part)
        {
            (self.part, self.count) = (part, count)
            stem = words.dropLast(3).joined(separator: "-")
        } else {
            stem = String(whole)
        }
    }

    private static func number(_ word: Substring) -> Int? {
        guard word.utf8.count == 5, let number = Int(word), number > 0 else { return nil }
        return number
    }
}

/// The quantization in the name of a GGUF file without its ending: the last word that is one, such as `Q4_K_M`, `F16`
/// or `UD-Q4_K_XL`, in capitals; nil if there is none.
package func quantizationLabel(_ stem: String) -> String? {
    let name = stem.split(separator: "/").last ?? ""
    let words = name.uppercased().split { $0 == "-" || $0 == "." }
    guard let index = words.lastIndex(where: isQuantization) else { return nil }
    return index > 0 && words[index - 1] == "UD" ? "UD-\(words[index])" : String(words[index])
}

private func isQuantization(_ word: Substring) -> Bool {
    if ["F16", "FP16", "BF16", "F32", "FP32", "MXFP4", "MXFP4_MOE", "NVFP4"].contains(word) { return true }
    var rest = word
    if rest.first == "I" || rest.first == "T" { rest.removeFirst() }
    guard rest.first == "Q", let bits = rest.dropFirst().first, ("1"..."8").contains(bits) else { return false }
    let tail = rest.dropFirst(2)
    return tail.isEmpty || tail.first == "_" && tail.utf8.allSatisfy { isNameByte($0) }
}
