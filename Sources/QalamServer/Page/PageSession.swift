// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Hummingbird
import QalamEngine
import QalamStore

/// `/page/session`: where a browser leaves its key, so that people are asked for it once.
///
/// The key lies in a cookie that scripts can't read. Requests from pages elsewhere are refused before it is looked at
/// (`BrowserGuard`).
enum PageSession {
    /// The name of the cookie.
    static let cookie = "qalam_key"

    private static let shape = Shape.named(
        "PageSession",
        .object([
            .must("object", .oneOf(["page.session"])), .maybe("key", PageKeys.shape),
            .must("may_make_first_key", .bool), .must("writers", .list(.text)),
            .must("painters", .list(.text)),
        ]))

    static let routes: [Route] = [
        .get(
            "/page/session", PageChats.tag, "Whose key the browser has, and what models can do", answer: .json(shape)
        ) { call in
            let isOpen = call.asker.key == nil
            let models = call.platform.models
            func able(_ isAble: (any ServedModel) -> Bool) -> JSONValue {
                .array(models.names.filter { (try? models.find($0)).map(isAble) ?? false }.map(JSONValue.string))
            }
            return Response(json: [
                "object": "page.session", "key": call.asker.key.map(PageKeys.json) ?? .null,
                "may_make_first_key": .bool(isOpen && call.platform.configuration.isLoopback),
                "writers": able { $0 is any ChatModel }, "painters": able { $0 is any ImageModel },
            ])
        },
        .post(
            "/page/session", PageChats.tag, "Leave a key in the browser (a form with the field key)", scope: nil,
            answer: .none, begin),
        .delete(
            "/page/session", PageChats.tag, "Take the key out of the browser",
            answer: .json(.object([.must("deleted", .bool)]))
        ) { call in
            var response = Response(json: ["deleted": true])
            response.headers[.setCookie] = cookie("", seconds: 0, call)
            return response
        },
    ]

    private static func begin(_ call: Call) async throws -> Response {
        let form = String(decoding: try await call.bytes(), as: UTF8.self)
        let field = form.split(separator: "&").first { $0.hasPrefix("key=") }?.dropFirst(4) ?? ""
        let secret = (String(field).removingPercentEncoding ?? "").trimmingCharacters(in: .whitespaces)
        let key = try await call.platform.store.identify(secret: secret).key
        guard let key, key.holds(at: Platform.now) else { throw APIError.wrongKey }
        return Response(
            status: .seeOther, headers: [.location: "/", .setCookie: cookie(secret, seconds: 31_536_000, call)])
    }

    private static func cookie(_ secret: String, seconds: Int, _ call: Call) -> String {
        let secure = call.platform.configuration.certificate == nil ? "" : "; Secure"
        return "\(cookie)=\(secret); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Lax\(secure)"
    }

    /// The key in a request's cookies.
    static func secret(of headers: HTTPFields) -> String? {
        for header in headers[values: .cookie] {
            for part in header.split(separator: ";") {
                let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if pair.count == 2, pair[0] == cookie { return String(pair[1]) }
            }
        }
        return nil
    }
}

/// What people see instead of the page until they have given a key: one file of HTML without any script.
enum PageDoor {
    /// Whether a browser asked for the page, or sent the door's form.
    static func stands(before request: Request) -> Bool {
        guard request.headers[.accept]?.contains("text/html") == true else { return false }
        return ["/", "/page/session"].contains(request.uri.path)
    }

    /// The door, told why it is shut.
    static func response(wrong: Bool) -> Response {
        var response = Response(
            status: .unauthorized,
            headers: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", .referrerPolicy: "same-origin",
                .contentSecurityPolicy: policy, .frameOptions: "DENY", .wwwAuthenticate: #"Bearer realm="Qalam""#,
            ])
        let message = wrong ? "<p role=alert>\(wrongKey)</p>" : ""
        response.body = .init(byteBuffer: ByteBuffer(string: html.replacing("<!--message-->", with: message)))
        return response
    }

    private static let policy: String = {
        let hash = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return "default-src 'none'; style-src 'sha256-\(hash)'; form-action 'self'; base-uri 'none'; "
            + "frame-ancestors 'none'"
    }()

    private static let wrongKey =
        "This key is not known, or no longer. <span lang=ar dir=rtl>هذا المفتاح غير معروف أو انتهى.</span>"

    private static let style = """
        :root { color-scheme: light dark; font: 1rem/1.6 system-ui, "Noto Sans Arabic", sans-serif; }
        body { display: grid; place-items: center; min-height: 90vh; margin: 0; padding: 1rem; }
        :is(p, label) [lang=ar] { display: block; }
        form { display: grid; gap: 1rem; width: min(24rem, 100%); }
        h1 { margin: 0; font-weight: 600; }
        label { display: grid; gap: .5rem; }
        input, button { font: inherit; padding: .625rem .875rem; border-radius: .625rem; border: 1px solid GrayText; }
        button { background: #274690; color: #fff; border-color: #274690; cursor: pointer; }
        [role=alert] { margin: 0; color: light-dark(#9d2b1f, #ff9d8f); }
        """

    private static let html = """
        <!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
        <title>Qalam</title><style>\(style)</style>
        <form method=post action="/page/session"><h1><span lang=ar>قلم</span> Qalam</h1><!--message-->
        <label><span>This server needs a key. <span lang=ar dir=rtl>هذا الخادم يطلب مفتاحًا.</span></span>
        <input name=key type=password autocomplete=current-password required autofocus dir=ltr></label>
        <button>Open · <span lang=ar>افتح</span></button></form></html>
        """
}
