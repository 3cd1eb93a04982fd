// SPDX-License-Identifier: Apache-2.0

/// What is kept: each kind is a table of JSON documents in the order of their creation.
public enum RecordKind: String, Sendable, CaseIterable {
    /// A file; its bytes lie in the `Blobs`, under its id.
    case file = "files"
    /// A picture that an answer gave the URL of; its bytes lie in the `Blobs`, under its id.
    case image = "images"
    /// A file that comes in parts.
    case upload = "uploads"
    /// A part of an upload; its bytes lie in the `Blobs`, under its id.
    case uploadPart = "upload_parts"
    /// A batch of requests.
    case batch = "batches"
    /// The answer to one line of a batch; its id is the line's number.
    case batchLine = "batch_lines"
    /// A response of the Responses API.
    case response = "responses"
    /// What a response was asked.
    case responseInput = "response_inputs"
    /// An event of a response's stream; its id is the sequence number.
    case responseEvent = "response_events"
    /// A conversation.
    case conversation = "conversations"
    /// A turn, call or result in a conversation.
    case conversationItem = "conversation_items"
    /// A stored chat completion.
    case completion = "completions"
    /// A message that a stored chat completion was asked with.
    case completionMessage = "completion_messages"

    /// The kind that records of this one belong to; they go with it when it is deleted.
    public var parent: RecordKind? {
        switch self {
        case .uploadPart: .upload
        case .batchLine: .batch
        case .responseInput, .responseEvent: .response
        case .conversationItem: .conversation
        case .completionMessage: .completion
        default: nil
        }
    }
}

/// Where a record is: its kind, its id, and whose it is if its kind has a parent.
public struct RecordKey: Sendable, Hashable {
    /// Its kind.
    public var kind: RecordKind
    /// The id of its parent.
    public var parent: String?
    /// Its id, which no other record of the same kind and parent has.
    public var id: String

    /// The record `id` of `kind`, which belongs to `parent`.
    public init(_ kind: RecordKind, _ id: String, in parent: String? = nil) {
        precondition((kind.parent == nil) == (parent == nil), "\(kind) with parent \(parent ?? "none")")
        self.kind = kind
        self.parent = parent
        self.id = id
    }
}

/// A JSON document in the store.
public struct Record: Sendable, Equatable {
    /// Its id.
    public var id: String
    /// When it was made, in Unix seconds.
    public var created: Int
    /// How often it has been written: what `RecordChange.update` compares.
    public var revision: Int
    /// The document, as JSON.
    public var body: String
}

/// One step of a transaction.
public enum RecordChange: Sendable {
    /// Adds a record; its id must be new.
    case insert(RecordKey, created: Int, body: String)
    /// Adds a record, or replaces its document whatever it was.
    case put(RecordKey, created: Int, body: String)
    /// Replaces a record's document, if its revision is the one given.
    case update(RecordKey, revision: Int, body: String)
    /// Removes a record with all that belongs to it.
    case delete(RecordKey)
}

/// Which records to list.
public struct RecordQuery: Sendable {
    /// Which kind.
    public var kind: RecordKind
    /// Whose; needed if the kind has a parent.
    public var parent: String?
    /// The id after which to go on; nil: from the start.
    public var after: String?
    /// The most records to give.
    public var limit: Int
    /// Whether the newest come first.
    public var newestFirst: Bool
    /// Members that the documents must have with these texts: a path such as `$.status`, and the text.
    public var filters: [(path: String, text: String)] = []

    /// Records of `kind`, in the order of their creation unless `newestFirst`.
    public init(
        _ kind: RecordKind, in parent: String? = nil, after: String? = nil, limit: Int = 100, newestFirst: Bool = false
    ) {
        precondition((kind.parent == nil) == (parent == nil), "\(kind) with parent \(parent ?? "none")")
        self.kind = kind
        self.parent = parent
        self.after = after
        self.limit = limit
        self.newestFirst = newestFirst
    }
}

/// A part of a list.
public struct RecordPage: Sendable, Equatable {
    /// The records.
    public var records: [Record]
    /// Whether there are more.
    public var hasMore: Bool
}
