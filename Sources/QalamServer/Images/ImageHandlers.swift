// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamImages

/// `/v1/images`: pictures of words, and of other pictures.
enum ImageHandlers {
    static let routes: [Route] = [
        .post(
            "/v1/images/generations", "Images", "Draw pictures", body: .json(ImageShapes.generation),
            answer: .stream(ImageShapes.answer), generate),
        .post(
            "/v1/images/edits", "Images", "Draw parts of a picture anew", body: .form(ImageShapes.editForm),
            answer: .stream(ImageShapes.answer), edit),
        .post(
            "/v1/images/variations", "Images", "Draw pictures like one", body: .form(ImageShapes.variationForm),
            answer: .json(ImageShapes.answer), vary),
        // A page shows a picture without a key, so its name, which nobody can guess, is the key.
        .get(
            "/v1/images/files/{image_id}", "Images", "A picture that an answer gave the URL of", scope: nil,
            answer: .bytes(type: "image/*"), ImageFiles.send),
    ]

    private static func generate(_ call: Call) async throws -> Response {
        let request = ImageRequest(try await call.json(ImageShapes.generation))
        return try await respond(request, call, event: "image_generation")
    }

    private static func edit(_ call: Call) async throws -> Response {
        let form = try await call.form(pictures: ["image", "mask"], ImageShapes.edit)
        let picture = try form.picture("image", call)
        let mask = try form.optionalPicture("mask", call)
        if let mask, mask.width != picture.width || mask.height != picture.height {
            throw RequestField(path: "mask", value: .null).error(
                "has \(mask.width)x\(mask.height) pixels, and the picture \(picture.width)x\(picture.height): "
                    + "they must be of one size.")
        }
        // Without a mask all of it may change, but not beyond recognition.
        let strength = form.fields["strength"]?.double ?? (mask == nil ? 0.8 : 1)
        let source = DrawSource(picture: picture, mask: mask, strength: Float(strength))
        return try await respond(ImageRequest(form.fields, source: source), call, event: "image_edit")
    }

    private static func vary(_ call: Call) async throws -> Response {
        let form = try await call.form(pictures: ["image"], ImageShapes.variation)
        let strength = form.fields["strength"]?.double ?? 0.6
        let source = DrawSource(picture: try form.picture("image", call), strength: Float(strength))
        return try await respond(ImageRequest(form.fields, source: source), call, event: "")
    }

    private static func respond(_ request: ImageRequest, _ call: Call, event: String) async throws -> Response {
        let model = try call.platform.models.drawing(request.model)
        let drawing = try await Drawing(request, model, call)
        guard request.streams else { return try await call.watched { try await drawing.answer() } }
        return call.events { writer in
            var silence = Silence()
            while let next = try await drawing.next() {
                if silence.isDue(next) { try await writer.write(ServerSentEvent.keepAlive.buffer) }
                let buffers = await offLoop { drawing.events(for: next, named: event).map(\.buffer) }
                for buffer in buffers { try await writer.write(buffer) }
            }
        }
    }
}
