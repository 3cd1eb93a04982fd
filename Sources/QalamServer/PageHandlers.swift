// SPDX-License-Identifier: Apache-2.0

import Hummingbird

/// The chat page: a few files that are part of the program.
enum PageHandlers {
    /// One file of the page, ready to send.
    struct Asset: Sendable {
        private let type: String
        private let bytes: ByteBuffer
        private let tag: String

        /// A file of type `type`.
        init(_ bytes: [UInt8], type: String) {
            self.type = type
            self.bytes = ByteBuffer(bytes: bytes)
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a: a new program means a new tag
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            tag = "\"" + String(hash, radix: 16) + "\""
        }

        /// The file, or word that the browser's copy is still right.
        func respond(to request: Request) -> Response {
            var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache", .eTag: tag]
            for (name, value) in PageHandlers.securityHeaders { headers[name] = value }
            if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: bytes))
        }
    }

    /// The heading of its routes; they are no part of the API.
    static let tag = "Page"

    static let routes = assets.map { path, asset in
        Route.get(path, tag, "A file of the page", answer: .bytes(type: "text/html")) { asset.respond(to: $0.request) }
    }

    /// The files, by the path they are served at.
    static let assets: [(path: String, asset: Asset)] = [
        ("/", Asset(PackageResources.index_html, type: "text/html; charset=utf-8")),
        ("/style.css", Asset(PackageResources.style_css, type: "text/css; charset=utf-8")),
        ("/script.js", Asset(PackageResources.script_js, type: javaScript)),
        ("/client.js", Asset(PackageResources.client_js, type: javaScript)),
        ("/markdown.js", Asset(PackageResources.markdown_js, type: javaScript)),
        ("/parts.js", Asset(PackageResources.parts_js, type: javaScript)),
        ("/store.js", Asset(PackageResources.store_js, type: javaScript)),
        ("/strings.js", Asset(PackageResources.strings_js, type: javaScript)),
    ]
    private static let javaScript = "text/javascript; charset=utf-8"

    /// Nothing but the page's own files and requests to this server; no page may embed it.
    private static let securityHeaders: [(HTTPFields.Element.Name, String)] = [
        (
            .contentSecurityPolicy,
            """
            default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
            base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """
        ),
        (.frameOptions, "DENY"),
        (.referrerPolicy, "no-referrer"),
    ]
}
