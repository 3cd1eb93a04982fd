// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// A form as it was read: its short fields, and one file that went straight to disk.
struct Form: Sendable {
    /// The fields but the file, as strings; `name[member]` makes an object, as OpenAI's clients write it.
    var fields: JSONValue = [:]
    /// The file's name, if it has one.
    var filename: String?
    /// The file's bytes.
    var file: Blobs.Summary?
}

extension Call {
    /// Reads a form whose part `file` becomes the blob `name`.
    ///
    /// - Throws: `APIError` if the form is broken, has no such part or is too large
    func form(file part: String, as name: String) async throws -> Form {
        let limit = platform.configuration.fileLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit + 65536 {
            throw APIError.bodyTooLarge(limit: limit)
        }
        var reader = try MultipartReader(contentType: request.headers[.contentType])
        var form = Form()
        var current: (name: String, text: [UInt8])?
        var writer: BlobWriter?
        for try await buffer in request.body {
            for event in try reader.read(buffer.readableBytesView) {
                switch event {
                case .part(part, let filename):
                    guard writer == nil, form.file == nil else { throw APIError.badForm("there are two parts \(part)") }
                    form.filename = filename
                    writer = try platform.store.blobs.writer(name)
                case .part(let name, _):
                    current = (name, [])
                case .bytes(let bytes):
                    if let writer {
                        guard await writer.size + bytes.count <= limit else {
                            throw APIError.bodyTooLarge(limit: limit)
                        }
                        try await writer.append(bytes)
                    } else if let held = current {
                        guard held.text.count + bytes.count <= 65536 else {
                            throw APIError.badForm("the field \(held.name) is too long")
                        }
                        current?.text += bytes
                    }
                case .end:
                    if let finished = writer {
                        form.file = try await finished.finish()
                        writer = nil
                    } else if let field = current {
                        try form.add(field.name, field.text)
                        current = nil
                    }
                }
            }
        }
        guard reader.isDone else { throw APIError.badForm("it ends too early") }
        guard form.file != nil else { throw RequestField(path: part, value: .null).missing("a file") }
        return form
    }
}

/// A form whose files are small enough for memory.
struct SmallForm: Sendable {
    /// The fields but the files, as their shapes say.
    var fields: JSONValue
    /// The files, by the names of their parts.
    var files: [(name: String, bytes: [UInt8])]
}

extension Call {
    /// Reads a form with pictures in the parts of these names, or of several called `name[]`, and fields of this shape.
    ///
    /// - Throws: `APIError` if the form is broken or too large, or a field is wrong
    func form(pictures names: [String], _ shape: Shape) async throws -> SmallForm {
        let limit = platform.configuration.bodyLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limit: limit)
        }
        var reader = try MultipartReader(contentType: request.headers[.contentType])
        var form = Form()
        var files: [(name: String, bytes: [UInt8])] = []
        var current: (name: String, bytes: [UInt8])?
        var size = 0
        for try await buffer in request.body {
            size += buffer.readableBytes
            guard size <= limit else { throw APIError.bodyTooLarge(limit: limit) }
            for event in try reader.read(buffer.readableBytesView) {
                switch event {
                case .part(let name, _): current = (name, [])
                case .bytes(let bytes): current?.bytes += bytes
                case .end:
                    guard let part = current else { continue }
                    current = nil
                    if names.contains(part.name) || names.contains(where: { part.name == "\($0)[]" }) {
                        files.append(part)
                    } else {
                        try form.add(part.name, part.bytes)
                    }
                }
            }
        }
        guard reader.isDone else { throw APIError.badForm("it ends too early") }
        let fields = JSONValue.object(
            (form.fields.members ?? []).map { .init($0.name, shape.member($0.name)?.reading($0.value) ?? $0.value) })
        try shape.check(RequestField(body: fields))
        return SmallForm(fields: fields, files: files)
    }
}

extension Shape {
    /// The shape of an object's member called `name`.
    fileprivate func member(_ name: String) -> Shape? {
        switch self {
        case .object(let members): members.first { $0.name == name }?.shape
        case .named(_, let shape), .ruled(let shape, _): shape.member(name)
        default: nil
        }
    }

    /// A value of this shape that was written as text, as in queries and forms; what isn't one stays text.
    func reading(_ value: JSONValue) -> JSONValue {
        guard let text = value.text else { return value }
        switch self {
        case .integer: return Int(text).map(JSONValue.integer) ?? value
        case .number: return Double(text).map(JSONValue.number) ?? value
        case .bool: return ["true": .bool(true), "false": .bool(false)][text] ?? value
        default: return value
        }
    }
}

extension Form {
    /// Adds a field.
    fileprivate mutating func add(_ name: String, _ bytes: [UInt8]) throws(APIError) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .badForm("\(name) is not UTF-8") }
        let base = String(name.prefix { $0 != "[" })
        guard base.count < name.count else {
            guard fields[name] == nil else { throw .badForm("there are two parts \(name)") }
            // An object may stand in a field as JSON, too.
            let object = text.hasPrefix("{") ? try? JSONValue(parsing: bytes) : nil
            fields = fields.setting(name, object ?? .string(text))
            return
        }
        let key = String(name.dropFirst(base.count + 1).dropLast())
        // Forms have no numbers: what looks like a whole one is taken as such.
        let value = Int(text).map(JSONValue.integer) ?? .string(text)
        fields = fields.setting(base, (fields[base] ?? [:]).setting(key, value))
    }
}
