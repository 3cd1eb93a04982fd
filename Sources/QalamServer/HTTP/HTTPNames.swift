// SPDX-License-Identifier: Apache-2.0

package import HTTPTypes

extension HTTPField.Name {
    /// Names a request in logs and bug reports; OpenAI's clients show it in exceptions.
    package static let requestID = make("x-request-id")
    /// "false" keeps OpenAI's clients from sending a request again.
    package static let shouldRetry = make("x-should-retry")
    /// The key, as Anthropic's clients send it.
    package static let apiKey = make("x-api-key")
    /// The W3C trace that a request belongs to.
    package static let traceParent = make("traceparent")
    /// Which pages may embed this one; the older twin of `frame-ancestors`.
    package static let frameOptions = make("x-frame-options")
    /// What a link out of the page tells the next one.
    package static let referrerPolicy = make("referrer-policy")
    /// Which sites may load this as a script, picture and so on.
    package static let resourcePolicy = make("cross-origin-resource-policy")

    /// A name known to be made of the right characters.
    private static func make(_ name: String) -> Self {
        guard let made = Self(name) else { preconditionFailure("not a header name: \(name)") }
        return made
    }
}
