// SPDX-License-Identifier: Apache-2.0

/// What the server keeps, and all that it knows of how: documents, keys, usage and leases.
///
/// `Store` keeps them in SQLite, for any number of servers on one machine; a database server for several machines would
/// be another implementation.
public protocol PlatformStore: Sendable {
    /// The bytes of files.
    var blobs: Blobs { get }

    /// The record there, if any.
    func find(_ key: RecordKey) async throws -> Record?
    /// Records in order.
    /// - Throws: `StoreError.unknownCursor` if `after` is no record of the list
    func list(_ query: RecordQuery) async throws -> RecordPage
    /// Makes all changes, or none; on return they are on disk.
    /// - Throws: `StoreError.exists`, `.missing` or `.conflict` for the first change that can't be made
    func apply(_ changes: [RecordChange]) async throws

    /// The key with this secret, whether it still holds or not; and whether there are any keys at all.
    func identify(secret: String?) async throws -> (key: APIKey?, anyKeys: Bool)
    /// The same, if it can be told without waiting; nil: it can't.
    func known(secret: String?) -> (key: APIKey?, anyKeys: Bool)?
    /// Keeps a new key, and returns its secret, which can't be had again.
    func add(_ key: APIKey) async throws -> String
    /// All keys, revoked ones too, in the order of their creation.
    func keys() async throws -> [APIKey]
    /// Ends the key with this id for good.
    /// - Throws: `StoreError.missing`
    func revoke(_ id: String, at time: Int) async throws
    /// Adds to what keys have used.
    func add(_ usage: [UsageEntry]) async throws
    /// What keys have used since `day`, by day, key and model.
    func usage(since day: String) async throws -> [UsageEntry]

    /// The page's conversations that `query` asks for, those changed last first.
    func chats(_ query: ChatQuery) async throws -> RecordPage
    /// The labels on the page's conversations of `owner`, each with how many have it, in the order of the alphabet.
    func chatLabels(owner: String) async throws -> [(label: String, count: Int)]

    /// Takes a request of `key`, and `tokens` that earlier ones have used, from its minute, which refills evenly.
    /// - Returns: nil, or the seconds until there is one again
    func spend(_ key: APIKey, tokens: Int, at time: Double) async throws -> Double?
    /// Removes what has expired, and what killed requests have left.
    func sweep() async throws

    /// Takes or prolongs the lease called `name` for `holder`; false if another holder has it.
    func claim(_ name: String, holder: String, seconds: Int) async throws -> Bool
    /// Gives a lease back.
    func release(_ name: String, holder: String) async throws
}

/// Why the store can't do what it is asked.
public enum StoreError: Error, Equatable, CustomStringConvertible {
    /// There is a record of this id already.
    case exists(String)
    /// There is no such record.
    case missing(String)
    /// The record has been written since it was read.
    case conflict(String)
    /// A list can't go on after a record that is not in it.
    case unknownCursor(String)
    /// The folder was written by a later version of Qalam.
    case newer(String)
    /// The folder can't be used.
    case folder(String, why: String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .exists(let id): "There is a record \(id) already."
        case .missing(let id): "There is no record \(id)."
        case .conflict(let id): "Another request has changed \(id) meanwhile: read it again and retry."
        case .unknownCursor(let id): "No record \(id) in this list: take the id of a listed record."
        case .newer(let path): "\(path) was written by a later version of Qalam: use that, or another folder (--data)."
        case .folder(let path, let why): "\(path) can't hold Qalam's data: \(why)."
        }
    }
}
