// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a file or with writing one; each case says where.
public enum FormatError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file can't be opened or read.
    case unreadable(path: String, why: String)
    /// The file can't be created, written or moved into place.
    case unwritable(path: String, why: String)
    /// The disk can't hold the file: at least `needed` bytes are asked for and `free` are left.
    case diskFull(path: String, needed: Int, free: Int)
    /// The file ends at byte `at`, before `expected`.
    case truncated(path: String, at: Int, expected: Int)
    /// The bytes at offset `at` are not what the format asks for.
    case malformed(path: String, at: Int, why: String)
    /// A line of a text file can't be used; lines count from 1.
    case badLine(path: String, line: Int, why: String)
    /// The value under a key of a JSON file can't be used; `key` is the whole path, as in `rope_scaling.factor`.
    case badKey(path: String, key: String, why: String)
    /// There is no tensor of this name.
    case missing(String, in: String? = nil)
    /// A tensor has another shape than the model needs.
    case shape(String, expected: [Int], got: [Int])
    /// A tensor's numbers are of a type that can't be used here.
    case elementType(String, supported: [String], got: String)
    /// The file is of a kind that Qalam does not read.
    case unsupported(path: String, why: String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .unreadable(let path, let why):
            "\(path): can't be read (\(why)); check the path and the permissions."
        case .unwritable(let path, let why):
            "\(path): can't be written (\(why)); check the folder and its permissions."
        case .diskFull(let path, let needed, let free):
            "\(path): disk full: need \(needed) bytes, and \(free) are free; make room and try again."
        case .truncated(let path, let at, let expected):
            "\(path): the file ends at byte \(at) but must reach byte \(expected); fetch or write it again."
        case .malformed(let path, let at, let why):
            "\(path): byte \(at): \(why); fetch or write the file again."
        case .badLine(let path, let line, let why):
            "\(path): line \(line): \(why); correct or remove the line."
        case .badKey(let path, let key, let why):
            "\(path): \(key): \(why)"
        case .missing(let name, let path):
            "\(path.map { "\($0): " } ?? "")there is no tensor \(name); check that these weights belong to this model."
        case .shape(let name, let expected, let got):
            "\(name): the model needs shape \(expected) and the weights have \(got); check that they match."
        case .elementType(let name, let supported, let got):
            "\(name): numbers of type \(got) can't be used here; convert them to \(supported.joined(separator: ", "))."
        case .unsupported(let path, let why):
            "\(path): \(why)"
        }
    }
}
