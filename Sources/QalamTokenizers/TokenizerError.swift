/// What can be wrong with a tokenizer file or with what a tokenizer is asked to be.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file cannot be read.
    case unreadable(file: String, reason: String)
    /// The file cannot be written.
    case unwritable(file: String, reason: String)
    /// The bytes are not the format: where, and what was expected.
    case malformed(file: String, offset: Int, reason: String)
    /// A field has a wrong or missing value: its path, such as `model.vocab`.
    case invalid(file: String, field: String, reason: String)
    /// A field asks for something Qalam does not do.
    case unsupported(file: String, field: String, value: String)
    /// A setting for training or loading is out of range.
    case badSetting(name: String, reason: String)

    /// One sentence that says what is wrong, where, and what helps.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "\(file): \(reason); check the path and its permissions."
        case .unwritable(let file, let reason):
            "\(file): it cannot be written: \(reason); check the folder, its permissions and the space left."
        case .malformed(let file, let offset, let reason):
            "\(file): at byte \(offset): \(reason); the file is damaged or incomplete, fetch it again."
        case .invalid(let file, let field, let reason):
            "\(file): \(field): \(reason)."
        case .unsupported(let file, let field, let value):
            "\(file): \(field) is \(value), which Qalam does not support; use a tokenizer without it."
        case .badSetting(let name, let reason):
            "\(name): \(reason)."
        }
    }
}
