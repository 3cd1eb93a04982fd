// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// Reads `multipart/form-data` (RFC 7578) as it comes, without keeping more than a line of it.
struct MultipartReader {
    /// What comes next in a form.
    enum Event: Equatable {
        /// A part starts: its name, and the file's name if it is a file.
        case part(name: String, filename: String?)
        /// More of the part's bytes.
        case bytes([UInt8])
        /// The part has ended.
        case end
    }

    private enum State {
        case preamble, afterBoundary, headers, body, done
    }

    private static let headerLimit = 8192
    private let boundary: [UInt8]
    private var state = State.preamble
    private var buffer: [UInt8] = Array("\r\n".utf8)  // so that the first boundary looks like the others

    /// A reader of a body with this content type.
    /// - Throws: `APIError` if it is no form
    init(contentType: String?) throws(APIError) {
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = HeaderParameters(contentType)["boundary"], (1...70).contains(boundary.utf8.count)
        else {
            throw APIError(
                "The body must be multipart/form-data with a boundary.", status: .unsupportedMediaType,
                code: "invalid_content_type")
        }
        self.boundary = Array("\r\n--\(boundary)".utf8)
    }

    /// Whether the closing boundary has been read.
    var isDone: Bool { state == .done }

    /// Takes more of the body.
    mutating func read(_ bytes: some Sequence<UInt8>) throws(APIError) -> [Event] {
        buffer += bytes
        var events: [Event] = []
        while try step(&events) {}
        return events
    }

    /// Goes one step; false: more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws(APIError) -> Bool {
        switch state {
        case .preamble:
            guard take(until: boundary, keep: false) != nil else { return false }
            state = .afterBoundary
        case .afterBoundary:
            guard buffer.count >= 2 else { return false }
            if buffer.starts(with: "--".utf8) {
                state = .done
            } else if buffer.starts(with: "\r\n".utf8) {
                // The line break stays: it starts the blank line if there are no headers.
                state = .headers
            } else {
                throw .badForm("a boundary is followed by something else than a line break")
            }
        case .headers:
            guard let end = Self.find(Array("\r\n\r\n".utf8), in: buffer) else {
                if buffer.count > Self.headerLimit { throw .badForm("the headers of a part are too long") }
                return false
            }
            let text = String(validating: buffer[..<end], as: UTF8.self)
            buffer.removeFirst(end + 4)
            guard let text else { throw .badForm("the headers of a part are not UTF-8") }
            events.append(try Self.part(text))
            state = .body
        case .body:
            if let bytes = take(until: boundary, keep: true) {
                if !bytes.isEmpty { events.append(.bytes(bytes)) }
                events.append(.end)
                state = .afterBoundary
            } else {
                let sure = buffer.count - boundary.count
                guard sure > 0 else { return false }
                events.append(.bytes(Array(buffer[..<sure])))
                buffer.removeFirst(sure)
                return false
            }
        case .done:
            buffer = []
            return false
        }
        return true
    }

    /// Removes everything up to `mark`, and that; the bytes before it, or nil if it isn't there yet.
    private mutating func take(until mark: [UInt8], keep: Bool) -> [UInt8]? {
        guard let start = Self.find(mark, in: buffer) else {
            if !keep, buffer.count > mark.count { buffer.removeFirst(buffer.count - mark.count) }
            return nil
        }
        let bytes = keep ? Array(buffer[..<start]) : []
        buffer.removeFirst(start + mark.count)
        return bytes
    }

    private static func find(_ mark: [UInt8], in buffer: [UInt8]) -> Int? {
        guard buffer.count >= mark.count else { return nil }
        var start = 0
        let last = buffer.count - mark.count
        while start <= last {
            guard let candidate = buffer[start...last].firstIndex(of: mark[0]) else { return nil }
            if buffer[candidate..<candidate + mark.count].elementsEqual(mark) { return candidate }
            start = candidate + 1
        }
        return nil
    }

    /// What the headers of a part say.
    private static func part(_ text: String) throws(APIError) -> Event {
        for line in text.split(separator: "\r\n") {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2, pair[0].lowercased() == "content-disposition" else { continue }
            let parameters = HeaderParameters(String(pair[1]))
            guard let name = parameters["name"] else { break }
            return .part(name: name, filename: parameters["filename"])
        }
        throw .badForm("a part has no name")
    }
}

/// The parameters of a header's value: `form-data; name="file"; filename="a b.txt"`.
struct HeaderParameters {
    private var values: [String: String] = [:]

    init(_ text: String) {
        var rest = text[...].drop { $0 != ";" }
        while rest.popFirst() != nil {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            let name = rest.prefix { $0 != "=" && $0 != ";" }
            rest = rest.dropFirst(name.count)
            guard rest.first == "=" else { continue }
            rest.removeFirst()
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let next = rest.popFirst(), next != "\"" {
                    if next == "\\", let escaped = rest.first, escaped == "\"" || escaped == "\\" {
                        value.append(escaped)
                        rest.removeFirst()
                    } else {
                        value.append(next)
                    }
                }
            } else {
                value = String(rest.prefix { $0 != ";" })
                rest = rest.dropFirst(value.count)
            }
            values[name.lowercased()] = value
            rest = rest.drop { $0 != ";" }
        }
    }

    /// The value of parameter `name`.
    subscript(name: String) -> String? { values[name] }
}

extension APIError {
    /// A form that can't be read.
    static func badForm(_ why: String) -> APIError {
        APIError("We could not parse the form of your request: \(why).", code: "invalid_form")
    }
}
