// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import QalamFormats

/// How the states of a text's tokens become one vector, as folders of sentence-transformers and GGUF files say it.
public struct SentencePooling: Sendable, Equatable {
    /// Which row or rows stand for the text.
    public enum Pooling: Sendable, Equatable {
        /// The mean over its tokens.
        case mean
        /// The first token's.
        case first
        /// The last token's.
        case last
    }

    /// Which states count.
    public var pooling = Pooling.mean
    /// Whether the vector is scaled to length one.
    public var normalised = true

    /// The mean, normalised.
    public init() {}

    /// What `1_Pooling/config.json` says of the rows and `modules.json` of the length; the mean, normalised, where they
    /// are missing.
    package init(folder url: URL) throws {
        let pooling = url.appending(path: "1_Pooling/config.json")
        if FileManager.default.fileExists(atPath: pooling.path) {
            let j = try JSONReader(contentsOf: pooling)
            if try j.bool("pooling_mode_cls_token", default: false) {
                self.pooling = .first
            } else if try j.bool("pooling_mode_lasttoken", default: false) {
                self.pooling = .last
            } else if try !j.bool("pooling_mode_mean_tokens", default: true) {
                throw ModelError.unsupportedSetting(
                    file: j.file, key: "pooling_mode", value: "neither mean nor CLS nor last token")
            }
        }
        let modules = url.appending(path: "modules.json")
        if FileManager.default.fileExists(atPath: modules.path) {
            // Its top is a list, which the reader takes under a key.
            let list = Array(#"{"modules":"#.utf8) + Array(try Data(contentsOf: modules)) + Array("}".utf8)
            normalised = try JSONReader(list, file: "modules.json").objects("modules").contains {
                try $0.string("type").hasSuffix(".Normalize")
            }
        }
    }

    /// What `<architecture>.pooling_type` of a GGUF file says: 1 mean, 2 first, 3 last; the mean where it is missing.
    init(_ metadata: GGUFMetadata) throws {
        let architecture = try metadata.string("general.architecture")
        let key = "\(architecture).pooling_type"
        switch try metadata.optionalInt(key) {
        case nil, 0, 1: pooling = .mean
        case 2: pooling = .first
        case 3: pooling = .last
        case let other?:
            throw ModelError.unsupportedSetting(file: metadata.path, key: key, value: "\(other)")
        }
    }
}
