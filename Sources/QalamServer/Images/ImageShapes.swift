// SPDX-License-Identifier: Apache-2.0

/// The shapes of the images API.
enum ImageShapes {
    /// Sides of pictures that can be asked for; models draw squares of their own size, which are scaled.
    static let sides = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048]
    /// The most pictures of one request.
    static let countLimit = 10

    private static let animated = "pictures are not animated here."
    private static let noSVG = "pictures of lines are not drawn here."

    private static let common: [Shape.Member] = [
        .may("model", .word), .may("n", .integer(1...countLimit)),
        .may("size", .oneOf(["auto"] + sides.map { "\($0)x\($0)" })),
        .may("response_format", .oneOf(["b64_json", "url"])), .may("user", .text), .may("safety_identifier", .text),
        .may("seed", .integer(.min ... .max)), .may("steps", .integer(1...200)), .may("guidance", .number(1...20)),
    ]

    private static let drawn: [Shape.Member] =
        common + [
            .may("background", .oneOf(["transparent", "opaque", "auto"])),
            .may("quality", .oneOf(["low", "medium", "high", "auto", "standard", "hd"])),
            .may("output_format", .oneOf(["png", "webp", "jpeg"])), .may("output_compression", .integer(0...100)),
            .may("stream", .bool), .may("partial_images", .integer(0...3)),
            .may("complexity", .refused("what to draw is not planned here: use quality.")),
            .may("frame_count", .refused(animated)), .may("frame_duration_ms", .refused(animated)),
            .may("svg", .refused(noSVG)),
        ]

    /// The tool `image_generation` of responses.
    static let tool: [Shape.Member] = [
        .may("model", .word), .may("size", .oneOf(["auto"] + sides.map { "\($0)x\($0)" })),
        .may("background", .oneOf(["transparent", "opaque", "auto"])),
        .may("quality", .oneOf(["low", "medium", "high", "auto"])),
        .may("output_format", .oneOf(["png", "webp", "jpeg"])), .may("output_compression", .integer(0...100)),
        .may("partial_images", .integer(0...3)), .may("moderation", .oneOf(["low", "auto"])),
        .may("action", .only(["auto", "generate"], because: "pictures are drawn from words here, not edited.")),
        .may("seed", .integer(.min ... .max)), .may("steps", .integer(1...200)), .may("guidance", .number(1...20)),
        .may("input_fidelity", .refused("pictures are drawn from words here, not edited.")),
        .may("input_image_mask", .refused("pictures are drawn from words here, not edited.")),
    ]

    private static let rules = [
        Shape.Rule(
            [.value("background", [.null, "opaque", "auto"]), .value("output_format", [.null, "png", "webp"])],
            blame: "background", "A transparent background needs output_format png or webp."),
        Shape.Rule(
            [.value("output_compression", [.null, 100]), .value("output_format", ["webp", "jpeg"])],
            blame: "output_compression", "output_compression is only allowed with output_format webp or jpeg."),
        Shape.Rule(
            [.value("partial_images", [.null, 0]), .value("stream", [true])], blame: "partial_images",
            "partial_images is only allowed when stream is true."),
        Shape.Rule(
            [.value("response_format", [.null, "b64_json"]), .value("stream", [.null, false])],
            blame: "response_format", "Streams hold pictures as b64_json."),
    ]

    /// The body of `POST /v1/images/generations`.
    static let generation = Shape.named(
        "CreateImage",
        .ruled(
            .object(
                drawn + [
                    .must("prompt", .string(1...32_000)), .may("moderation", .oneOf(["low", "auto"])),
                    .may("style", .refused("there is one style: describe another in the prompt.")),
                ]), rules))

    /// The form of `POST /v1/images/edits`, but its pictures.
    static let edit = Shape.ruled(.object(editMembers), rules)
    private static let editMembers =
        drawn + [
            .must("prompt", .string(1...32_000)), .may("strength", .number(0...1)),
            .may("input_fidelity", .refused("use strength to say how much may change.")),
        ]

    /// The form of `POST /v1/images/variations`, but its picture.
    static let variation = Shape.object(variationMembers)
    private static let variationMembers = common + [.may("strength", .number(0...1))]

    /// The whole form of edits.
    static let editForm: [Shape.Member] = [.must("image", .text), .may("mask", .text)] + editMembers
    /// The whole form of variations.
    static let variationForm: [Shape.Member] = [.must("image", .text)] + variationMembers

    private static let counts = Shape.object([.must("text_tokens", .count), .must("image_tokens", .count)])

    /// The body of an answer.
    static let answer = Shape.named(
        "Images",
        .object([
            .must("created", .count), .must("background", .oneOf(["transparent", "opaque"])),
            .must("output_format", .oneOf(["png", "webp", "jpeg"])), .must("size", .text),
            .may("quality", .oneOf(["low", "medium", "high"])),
            .must("data", .list(.object([.may("b64_json", .text), .may("url", .text), .must("seed", .anything)]))),
            .must(
                "usage",
                .object([
                    .must("input_tokens", .count), .must("output_tokens", .count), .must("total_tokens", .count),
                    .must("input_tokens_details", counts), .must("output_tokens_details", counts),
                ])),
        ]))
}
