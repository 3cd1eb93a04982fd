// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a request to a model.
public enum EngineError: Error, Equatable, CustomStringConvertible {
    /// The prompt leaves no room for an answer.
    case contextOverflow(prompt: Int, limit: Int)
    /// The conversation can't be rendered for this model.
    case badMessages(String)
    /// An option is out of its range, or can't be had.
    case badOption(name: String, why: String)
    /// The prompt's keys and values don't fit the memory set aside for them.
    case memoryOverflow(prompt: Int, limit: Int)
    /// A text to be embedded or ranked, by its number, has no tokens or more than the model takes.
    case badInput(index: Int, tokens: Int, limit: Int)
    /// As many requests run and wait as the engine takes.
    case busy(limit: Int)
    /// No model of this name can be opened.
    case unknownModel(String, known: [String])
    /// The model was opened without an adapter of this name.
    case unknownAdapter(String, known: [String])
    /// The model can't do what is asked of it.
    case unsupported(model: String, what: String)
    /// The models that are at work leave too little memory for another one.
    case noMemory(model: String, bytes: Int, free: Int)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .contextOverflow(let prompt, let limit):
            "This model's maximum context length is \(limit) tokens, and the messages take \(prompt): shorten them."
        case .badMessages(let why): "The conversation can't be rendered for this model: \(why)"
        case .badOption(let name, let why): "\(name) \(why)"
        case .memoryOverflow(let prompt, let limit):
            "The messages take \(prompt) tokens, and the memory for keys and values holds \(limit): shorten them, "
                + "or give it more (--kv-memory)."
        case .badInput(let index, let tokens, let limit):
            tokens == 0
                ? "Input \(index) is empty: it must have at least one token."
                : "Input \(index) has \(tokens) tokens, and this model takes at most \(limit): shorten it."
        case .busy(let limit): "The model is already at work on \(limit) requests, its limit: try again in a moment."
        case .unknownModel(let name, let known):
            "There is no model \(name); there are: \(known.joined(separator: ", "))."
        case .unknownAdapter(let name, let known):
            known.isEmpty
                ? "There is no adapter \(name): the model was opened without any."
                : "There is no adapter \(name); there are: \(known.joined(separator: ", "))."
        case .unsupported(let model, let what): "The model \(model) can't \(what)."
        case .noMemory(let model, let bytes, let free):
            "The model \(model) takes \(bytes >> 20) MiB, and \(free >> 20) MiB for models are free: try again "
                + "when the others are done, or give it more."
        }
    }
}
