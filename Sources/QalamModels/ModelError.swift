// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a model beyond its files' own formats.
public enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The config names an architecture that this version does not know.
    case unsupportedArchitecture(String, known: [String] = DecoderFamily.allCases.map(\.rawValue))
    /// The config asks for a variant that this version does not have.
    case unsupportedSetting(file: String, key: String, value: String)
    /// The model has a part without a gradient.
    case untrainable(DecoderFamily, String)
    /// The weights were opened as they lie in their files, and so can't be changed or written.
    case mapped
    /// Two parts of the folder contradict each other.
    case mismatch(String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .unsupportedArchitecture(let name, let known):
            "The model type \(name) is not supported; known are \(known.joined(separator: ", "))."
        case .unsupportedSetting(let file, let key, let value):
            "\(file): \(key): \(value) is not supported yet; use a model without it."
        case .untrainable(let family, let what):
            "A model of type \(family.rawValue) can't be trained, since \(what) has no gradient; train one of type "
                + DecoderFamily.trainable.map(\.rawValue).joined(separator: " or ") + "."
        case .mapped: "A model that was opened for running can't be written; open it for training."
        case .mismatch(let what): what
        }
    }
}
