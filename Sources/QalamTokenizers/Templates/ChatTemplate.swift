// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A chat template: the program in Jinja's language with which a model's makers lay out conversations.
///
/// What is understood is what such templates use, with the settings they are written for (`trim_blocks`,
/// `lstrip_blocks`, `tojson` without escapes for HTML, `break` and `continue`, `raise_exception`, `strftime_now`,
/// `generation` blocks). Rendering reads and writes nothing but its values, and has limits on steps, memory and
/// nesting: a template from anywhere can be tried safely.
public struct ChatTemplate: Sendable {
    private let statements: [Statement]

    /// Reads the template `source`.
    /// - Throws: `TemplateError` with the line of the fault.
    public init(_ source: String) throws {
        statements = try TemplateParser.statements(of: source)
    }

    /// The text that the template makes of `variables`, such as `messages` and `add_generation_prompt`.
    /// - Throws: `TemplateError` with the line of the fault, or with what the template itself objects to.
    public func render(_ variables: [String: TemplateValue]) throws -> String {
        try render(variables, now: Date())
    }

    /// As `render(_:)`, with the time that `strftime_now` tells.
    func render(_ variables: [String: TemplateValue], now: Date) throws(TemplateError) -> String {
        let renderer = TemplateRenderer(now: now)
        return String(decoding: try renderer.render(statements, variables), as: UTF8.self)
    }
}
