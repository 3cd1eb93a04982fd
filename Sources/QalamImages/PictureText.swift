// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation

/// What a PNG says of a drawn picture: which model made it with which seed, and a hash of the prompt, so that who has
/// the words can tell.
public func pictureText(model: String, prompt: String, seed: UInt64) -> [String: String] {
    let hash = SHA256.hash(data: Data(prompt.utf8)).map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
    return ["Software": "Qalam", "Model": model, "Seed": String(seed), "Prompt-SHA256": hash]
}
