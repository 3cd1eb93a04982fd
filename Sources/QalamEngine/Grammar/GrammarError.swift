// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a JSON Schema, a regular expression or a grammar that is to constrain an answer.
package enum GrammarError: Error, Equatable, CustomStringConvertible {
    /// The text can't be read: what is wrong, and at which byte (JSON), scalar (regex) or line (grammar).
    case syntax(at: Int, reason: String)
    /// A JSON Schema asks for what is not enforced: the keyword, and the JSON Pointer (RFC 6901) of its schema.
    case unsupported(pointer: String, keyword: String)
    /// A keyword of a JSON Schema has a value that the standard does not allow.
    case invalid(pointer: String, reason: String)
    /// A regular expression uses what is not supported.
    case unsupportedRegex(String, at: Int)
    /// A rule of a grammar is used but not defined, defined twice, or left-recursive.
    case rule(String, reason: String)
    /// The automaton would be larger than is sensible.
    case tooLarge(String)
    /// Nothing satisfies the constraint.
    case empty

    /// One sentence that says what to do.
    package var description: String {
        switch self {
        case .syntax(let place, let reason): "At \(place): \(reason)."
        case .unsupported(let pointer, let keyword):
            "\"\(keyword)\" in the schema at \"#\(pointer)\" is not supported: leave it out or express it otherwise."
        case .invalid(let pointer, let reason): "The schema at \"#\(pointer)\" is not valid: \(reason)."
        case .unsupportedRegex(let what, let place):
            "The regular expression uses \(what) at \(place), which is not supported: express it otherwise."
        case .rule(let name, let reason): "The rule \"\(name)\" \(reason)."
        case .tooLarge(let what): "\(what) makes the grammar too large: use smaller bounds or fewer alternatives."
        case .empty: "No text can satisfy this constraint: check that its parts don't contradict each other."
        }
    }
}
