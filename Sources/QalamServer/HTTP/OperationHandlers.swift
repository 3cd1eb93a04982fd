// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamStore

/// Routes for those who run the server.
enum OperationHandlers {
    static let routes: [Route] = [
        .get(
            "/healthz", "Operation", "Whether the server runs", scope: nil,
            answer: .json(.object([.must("status", .oneOf(["ok"]))]))
        ) { _ in Response(json: ["status": "ok"]) },
        .get(
            "/metrics", "Operation", "Counts and times for Prometheus", scope: .admin,
            answer: .bytes(type: "text/plain")
        ) { call in
            var loads: [(id: String, load: ModelLoad)] = []
            for model in call.platform.models.models { loads.append((model.id, await model.load)) }
            let text = call.platform.metrics.text(answers: call.platform.gate.count, models: loads)
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        },
        .get("/openapi.json", "Operation", "This document") { _ in openAPI },
    ]

    /// The document, made once.
    private static let openAPI = Response(json: OpenAPIDocument(QalamServer.routes).json)
}
