// SPDX-License-Identifier: Apache-2.0

/// A vocabulary as the metadata of a GGUF file holds it: the fields under `tokenizer.ggml.`.
///
/// Whoever reads such a file fills one; `Tokenizer(vocabulary:)` opens it and `Tokenizer.ggufVocabulary()` makes it.
public struct VocabularyData: Sendable, Equatable {
    /// What a token is: the values of `tokenizer.ggml.token_type`.
    public enum Kind: Int32, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// `tokenizer.ggml.model`: "gpt2", "llama", "bert" or "t5".
    public var model: String
    /// `tokenizer.ggml.pre`: how a "gpt2" model cuts text into pieces.
    public var pre: String?
    /// `general.name`: some models ("phi-3", "jina-v2…") have special tokens that take whitespace along.
    public var name: String?
    /// `tokenizer.ggml.tokens`, by id, as the file writes them.
    public var tokens: ByteStrings
    /// `tokenizer.ggml.scores`, by id; empty where the file has none.
    public var scores: [Float] = []
    /// `tokenizer.ggml.token_type`, by id (see `Kind`); empty where the file has none.
    public var types: [Int32] = []
    /// `tokenizer.ggml.merges`: two tokens with a space between them, in the order of their ranks.
    public var merges = ByteStrings()
    /// `tokenizer.ggml.bos_token_id`.
    public var bosID: TokenID?
    /// `tokenizer.ggml.eos_token_id`.
    public var eosID: TokenID?
    /// `tokenizer.ggml.unknown_token_id`.
    public var unknownID: TokenID?
    /// `tokenizer.ggml.seperator_token_id` (so spelled in the format).
    public var separatorID: TokenID?
    /// `tokenizer.ggml.padding_token_id`.
    public var paddingID: TokenID?
    /// `tokenizer.ggml.add_bos_token`; nil takes what is usual for the model.
    public var addsBOS: Bool?
    /// `tokenizer.ggml.add_eos_token`; nil takes what is usual for the model.
    public var addsEOS: Bool?
    /// `tokenizer.ggml.add_sep_token`; nil takes what is usual for the model.
    public var addsSeparator: Bool?
    /// `tokenizer.ggml.add_space_prefix`; nil takes what is usual for the model.
    public var addsSpacePrefix: Bool?
    /// `tokenizer.ggml.remove_extra_whitespaces`.
    public var removesExtraWhitespace: Bool?
    /// `tokenizer.ggml.normalizer.lowercase`.
    public var lowercases: Bool?
    /// `tokenizer.ggml.normalizer.strip_accents`.
    public var stripsAccents: Bool?
    /// `tokenizer.ggml.precompiled_charsmap`; empty where the file has none.
    public var characterMap: [UInt8] = []

    /// A vocabulary of `tokens` for a tokenizer of kind `model`.
    public init(model: String, pre: String? = nil, tokens: ByteStrings) {
        self.model = model
        self.pre = pre
        self.tokens = tokens
    }
}

/// Many byte strings in one buffer.
public struct ByteStrings: Sendable, Equatable {
    /// All strings one behind the other.
    private(set) var bytes: [UInt8] = []
    /// Where each string ends in `bytes`.
    private(set) var ends: [Int] = []

    /// No strings.
    public init() {}

    /// The UTF-8 of `texts`.
    public init(_ texts: some Sequence<String>) {
        for text in texts { append(text.utf8) }
    }

    /// Number of strings.
    public var count: Int { ends.count }

    /// Whether there are no strings.
    public var isEmpty: Bool { ends.isEmpty }

    /// Makes room for `count` strings of `bytes` bytes in all.
    public mutating func reserve(count: Int, bytes: Int) {
        ends.reserveCapacity(count)
        self.bytes.reserveCapacity(bytes)
    }

    /// Adds a string at the end.
    public mutating func append(_ string: some Sequence<UInt8>) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    /// Adds the bytes of `string` at the end; the quickest way.
    public mutating func append(_ string: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    /// The string at `index`, which must be less than `count`.
    public subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    /// Where the string at `index` is in `bytes`.
    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }
}
