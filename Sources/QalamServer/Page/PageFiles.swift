// SPDX-License-Identifier: Apache-2.0

import CQalamPage
import Crypto
import Foundation
import Hummingbird

/// The files that the page is made of; they are part of the program (CQalamPage).
enum PageFiles {
    /// One file, ready to send.
    struct Asset: Sendable {
        let path: String
        private let type: String
        private let bytes: ByteBuffer
        private let tag: String

        fileprivate init(_ file: page_file) {
            path = String(cString: file.path)
            type = String(cString: file.type)
            bytes = ByteBuffer(bytes: UnsafeBufferPointer(start: file.bytes, count: file.length))
            // A new program means a new tag.
            let sum = SHA256.hash(data: Data(bytes: file.bytes, count: file.length)).prefix(12)
            tag = "\"" + Data(sum).base64EncodedString() + "\""
        }

        /// The file, or word that the browser's copy is still right.
        func respond(to request: Request) -> Response {
            var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache", .eTag: tag]
            for (name, value) in PageFiles.securityHeaders { headers[name] = value }
            if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: bytes))
        }
    }

    /// The heading of their routes; they are no part of the API.
    static let tag = "Page"

    static let routes = assets.map { asset in
        Route.get(asset.path, tag, "A file of the page", answer: .bytes(type: "text/html")) {
            asset.respond(to: $0.request)
        }
    }

    private static let assets: [Asset] = {
        var count = 0
        let files = page_files(&count)
        return UnsafeBufferPointer(start: files, count: count).map(Asset.init)
    }()

    /// Nothing but the page's own files and requests to this server; no page may embed it.
    ///
    /// Text becomes HTML only by way of DOMPurify, and the browser holds the page to that (`trusted-types`).
    private static let securityHeaders: [(HTTPFields.Element.Name, String)] = [
        (
            .contentSecurityPolicy,
            """
            default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; \
            img-src 'self' data: blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
            frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify
            """
        ),
        (.frameOptions, "DENY"),
        (.referrerPolicy, "no-referrer"),
    ]
}
