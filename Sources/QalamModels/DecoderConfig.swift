// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
public import QalamTensors

/// The switches of the decoder family: what `config.json` says, without the names of checkpoints.
public struct DecoderConfig: Sendable, Equatable {
    /// How activations are normalised.
    public enum Norm: Sendable, Equatable { case rms, layer }

    /// How the model knows where a token stands.
    public enum Position: Sendable, Equatable {
        /// Queries and keys are rotated, with this base θ.
        case rotary(theta: Double)
        /// A learned table is added to the embedding.
        case learned
    }

    /// The layer after attention.
    public enum FeedForward: Sendable, Equatable { case swiglu, gelu }

    /// The family, which decides the names of tensors and keys in files.
    public var family: DecoderFamily
    /// V: entries of the embedding.
    public var vocabularySize: Int
    /// C: width of the residual stream.
    public var hiddenSize: Int
    /// L: blocks.
    public var layers: Int
    /// H, Hkv and D.
    public var attention: AttentionShape
    /// F: width inside the feed-forward layer.
    public var intermediateSize: Int
    /// The longest sequence it was made for.
    public var contextLength: Int
    /// How activations are normalised.
    public var norm: Norm
    /// Added to the variance before its root.
    public var normEpsilon: Float
    /// How the model knows where a token stands.
    public var position: Position
    /// The layer after attention.
    public var feedForward: FeedForward
    /// Whether attention's projections have biases.
    public var attentionBias: Bool
    /// Whether the feed-forward layer has biases.
    public var feedForwardBias: Bool
    /// Whether the head is the embedding.
    public var tiedHead: Bool
    /// The id that starts a text, if any.
    public var bosToken: Int32?
    /// The ids that end one.
    public var eosTokens: [Int32]

    /// A model of this family with its usual switches: SwiGLU of 8/3 the width (rounded up to whole vectors) or GELU of
    /// four times the width, a tied head, no bos or eos.
    public init(
        _ family: DecoderFamily, vocabularySize: Int, hiddenSize: Int, layers: Int, attention: AttentionShape,
        contextLength: Int
    ) {
        let isLlama = family == .llama
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.attention = attention
        self.contextLength = contextLength
        intermediateSize = isLlama ? (8 * hiddenSize / 3 + 63) / 64 * 64 : 4 * hiddenSize
        norm = isLlama ? .rms : .layer
        normEpsilon = 1e-5
        position = isLlama ? .rotary(theta: 10000) : .learned
        feedForward = isLlama ? .swiglu : .gelu
        attentionBias = !isLlama
        feedForwardBias = !isLlama
        tiedHead = true
        eosTokens = []
    }

    /// Trainable numbers, counted from the shapes.
    public var parameterCount: Int {
        let (C, F) = (hiddenSize, intermediateSize)
        let inner = attention.heads * attention.headDim
        let normSize = norm == .rms ? C : 2 * C
        var block = C * attention.fusedWidth + inner * C + 2 * normSize
        block += feedForward == .swiglu ? 3 * C * F : 2 * C * F
        if attentionBias { block += attention.fusedWidth + C }
        if feedForwardBias { block += (feedForward == .swiglu ? 2 * F : F) + C }
        let embeddings = vocabularySize * C * (tiedHead ? 1 : 2) + (position == .learned ? contextLength * C : 0)
        return layers * block + normSize + embeddings
    }

    /// FLOPs of one token's forward and backward pass at context T.
    ///
    /// 6 for each number in a product (Kaplan et al. 2020), and attention over half the context on average.
    public func trainingFLOPs(context T: Int) -> Double {
        let positions = position == .learned ? contextLength * hiddenSize : 0
        let inputTable = tiedHead ? 0 : vocabularySize * hiddenSize
        let products = Double(parameterCount - positions - inputTable)
        return 6 * products + 6 * Double(layers * attention.heads * attention.headDim * T)
    }
}

/// The model families of this version, and the names that their files use.
public enum DecoderFamily: String, Sendable, CaseIterable {
    case llama
    case gpt2

    /// What `architectures` in `config.json` says.
    var architecture: String {
        switch self {
        case .llama: "LlamaForCausalLM"
        case .gpt2: "GPT2LMHeadModel"
        }
    }

    /// The names of tensors in files.
    var names: DecoderNames {
        switch self {
        case .llama:
            DecoderNames(
                root: "model", embedding: "embed_tokens", layers: "layers", finalNorm: "norm",
                attentionNorm: "input_layernorm", feedForwardNorm: "post_attention_layernorm",
                qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], attentionOutput: "self_attn.o_proj",
                up: ["mlp.gate_proj", "mlp.up_proj"], down: "mlp.down_proj", transposed: false)
        case .gpt2:
            DecoderNames(
                root: "transformer", embedding: "wte", positions: "wpe", layers: "h", finalNorm: "ln_f",
                attentionNorm: "ln_1", feedForwardNorm: "ln_2", qkv: ["attn.c_attn"], attentionOutput: "attn.c_proj",
                up: ["mlp.c_fc"], down: "mlp.c_proj", transposed: true)
        }
    }
}

/// Where the decoder's tensors are in a file: scopes inside `root`, `weight` and `bias` below each.
struct DecoderNames {
    var root: String
    var embedding: String
    var positions = ""
    var layers: String
    var finalNorm: String
    var attentionNorm: String
    var feedForwardNorm: String
    /// One fused projection, or one each for queries, keys and values.
    var qkv: [String]
    var attentionOutput: String
    /// One projection, or gate and up.
    var up: [String]
    var down: String
    /// Whether files hold (in, out).
    var transposed: Bool
}
