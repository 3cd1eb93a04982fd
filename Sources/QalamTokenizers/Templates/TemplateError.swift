// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a chat template or with rendering it; lines count from 1.
public enum TemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The template can't be understood.
    case syntax(line: Int, why: String)
    /// The template asks for something that can't be done with the values it was given.
    case rendering(line: Int, why: String)
    /// The template refused the conversation itself, with `raise_exception`.
    case raised(String)
    /// The template takes more steps, memory or nesting than a chat template can need.
    case limit(line: Int, why: String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .syntax(let line, let why): "chat template, line \(line): \(why); correct the template."
        case .rendering(let line, let why): "chat template, line \(line): \(why); check the messages and the template."
        case .raised(let message): "The chat template refuses this conversation: \(message)"
        case .limit(let line, let why): "chat template, line \(line): \(why); use a simpler template."
        }
    }
}
