// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// A model that draws, opened.
public struct OpenedImageModel: DrawingModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    private let model: any ImageModel

    /// `model`, called `id` unless that is nil.
    public init(_ model: any ImageModel, id: String? = nil, created: Int = 0) {
        self.model = model
        self.id = id ?? model.name
        self.created = created
    }

    /// Opens the folder at `url`, on a thread that no one else waits for.
    public static func open(_ url: URL, id: String? = nil) async throws -> OpenedImageModel {
        let model = try await onOwnThread { try openImageModel(url) }
        return OpenedImageModel(model, id: id, created: modelDate(url))
    }

    /// Pixels of a side of what it draws.
    public var nativeSize: Int { model.nativeSize }

    /// Draws.
    public func draw(_ request: DrawRequest) async throws -> AsyncThrowingStream<DrawEvent, any Error> {
        model.draw(request)
    }
}

/// A model that draws, open only while it is needed.
public struct LibraryImageModel: DrawingModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    /// Pixels of a side of what it draws.
    public let nativeSize: Int
    private let library: ServedLibrary

    /// The model called `id` in `library`.
    init(id: String, created: Int, nativeSize: Int, library: ServedLibrary) {
        self.id = id
        self.created = created
        self.nativeSize = nativeSize
        self.library = library
    }

    /// Draws; the model stays open at least until the stream has ended or is dropped.
    public func draw(_ request: DrawRequest) async throws -> AsyncThrowingStream<DrawEvent, any Error> {
        let lease = try await library.lease(id)
        guard let model = lease.model as? any DrawingModel else {
            throw EngineError.unsupported(model: id, what: "draw")
        }
        let events = try await model.draw(request)
        return AsyncThrowingStream {
            defer { withExtendedLifetime(lease) {} }
            var iterator = events.makeAsyncIterator()
            return try await iterator.next()
        }
    }
}
