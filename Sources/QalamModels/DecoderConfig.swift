// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

/// The switches of the decoder family: what `config.json` says, without the names of checkpoints.
public struct DecoderConfig: Sendable, Equatable {
    /// How activations are normalised.
    public enum Norm: Sendable, Equatable { case rms, layer }

    /// Where a block normalises: what enters attention and feed-forward, what leaves them, or both.
    public enum NormPlacement: Sendable, Equatable { case before, after, around }

    /// What queries and keys are normalised over: each head's floats, or all heads' together.
    public enum QueryKeyNorm: Sendable, Equatable { case perHead, whole }

    /// A rotation of the first `width` floats of each head.
    public struct Rotary: Sendable, Equatable {
        /// R.
        public var width: Int
        /// The base θ.
        public var theta: Double
        /// How the frequencies are changed for longer texts.
        public var scaling = RoPEScaling.none
    }

    /// What differs between the attention of one layer and another.
    public struct LayerAttention: Sendable, Equatable {
        /// How many tokens a row sees, itself included; nil for all of its past.
        public var window: Int?
        /// The rotation; nil for none.
        public var rotary: Rotary?
    }

    /// The layer after attention.
    public enum FeedForward: Sendable, Equatable {
        /// down(silu(gate) · up).
        case swiglu
        /// down(gelu(gate) · up), GELU by tanh.
        case geglu
        /// gpt-oss: gate and up are clamped at 7, and down(gate · sigmoid(1.702·gate) · (up + 1)).
        case clampedSwiGLU
        /// down(gelu(up)), GELU by tanh.
        case gelu

        var isGated: Bool { self != .gelu }
    }

    /// A mixture of experts in place of every feed-forward layer.
    public struct Experts: Sendable, Equatable {
        /// How many there are.
        public var count: Int
        /// How many a token is sent to.
        public var used: Int
        /// Whether the weights of those sum to one; otherwise they are shares of all experts' sum.
        public var normalised: Bool
        /// Whether the router has a bias.
        public var routerBias: Bool

        /// `count` experts, of which a token is sent to `used`.
        public init(count: Int, used: Int, normalised: Bool = true, routerBias: Bool = false) {
            (self.count, self.used, self.normalised, self.routerBias) = (count, used, normalised, routerBias)
        }
    }

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
    /// F: width inside the feed-forward layer, or inside each expert.
    public var intermediateSize: Int
    /// The longest sequence it is run on.
    public var contextLength: Int
    /// How activations are normalised.
    public var norm: Norm
    /// Added to the variance before its root.
    public var normEpsilon: Float
    /// What is added to the weights of norms as files hold them: 1 for Gemma.
    public var normOffset: Float = 0
    /// Where a block normalises.
    public var normPlacement = NormPlacement.before
    /// How queries and keys are normalised before they are rotated, if at all.
    public var queryKeyNorm: QueryKeyNorm?
    /// Whether a learned table of positions is added to the embedding.
    public var learnedPositions: Bool
    /// Windows and rotations, repeated over the layers: entry i mod count is layer i's.
    public var layerAttention: [LayerAttention]
    /// What scores are multiplied by; nil: 1/√D.
    public var scoreScale: Float?
    /// Scores pass through softcap·tanh(score / softcap).
    public var scoreSoftcap: Float?
    /// Whether each head has a learned sink in its softmax.
    public var sinks = false
    /// The layer after attention.
    public var feedForward: FeedForward
    /// The experts, if the feed-forward layers are mixtures.
    public var experts: Experts?
    /// Whether the projections of queries, keys and values have biases.
    public var qkvBias: Bool
    /// Whether attention's output projection has one.
    public var outputBias: Bool
    /// Whether the feed-forward layer has biases.
    public var feedForwardBias: Bool
    /// What embeddings are multiplied by: √C for Gemma.
    public var embeddingScale: Float = 1
    /// Logits pass through softcap·tanh(logit / softcap).
    public var logitSoftcap: Float?
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
        let isGPT2 = family == .gpt2
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.attention = attention
        self.contextLength = contextLength
        intermediateSize = isGPT2 ? 4 * hiddenSize : (8 * hiddenSize / 3 + 63) / 64 * 64
        norm = isGPT2 ? .layer : .rms
        normEpsilon = 1e-5
        learnedPositions = isGPT2
        layerAttention = [LayerAttention(rotary: isGPT2 ? nil : Rotary(width: attention.headDim, theta: 10000))]
        feedForward = isGPT2 ? .gelu : .swiglu
        qkvBias = isGPT2
        outputBias = isGPT2
        feedForwardBias = isGPT2
        tiedHead = true
        eosTokens = []
    }

    /// The first switch that has no gradient here; nil if the model can be trained.
    var untrainableSwitch: String? {
        let switches: [(String, Bool)] = [
            ("a mixture of experts", experts != nil), ("norms after the layers", normPlacement != .before),
            ("a norm of queries and keys", queryKeyNorm != nil), ("an offset of norms", normOffset != 0),
            ("a sliding window", layerAttention.contains { $0.window.map { $0 < contextLength } ?? false }),
            ("softcaps", scoreSoftcap != nil || logitSoftcap != nil), ("sinks", sinks),
            ("a scaled embedding", embeddingScale != 1),
            ("this feed-forward layer", feedForward != .swiglu && feedForward != .gelu),
        ]
        return switches.first { $0.1 }?.0
    }
}

// MARK: Sizes

extension DecoderConfig {
    /// All numbers, counted from the shapes.
    public var parameterCount: Int {
        let (C, F) = (hiddenSize, intermediateSize)
        let (inner, keys) = (attention.heads * attention.headDim, attention.kvHeads * attention.headDim)
        let normSize = norm == .rms ? C : 2 * C
        let norms = normSize * (normPlacement == .around ? 4 : 2)
        let queryKeyNorms =
            switch queryKeyNorm {
            case .perHead: 2 * attention.headDim
            case .whole: inner + keys
            case nil: 0
            }
        var feedForwardSize = (feedForward.isGated ? 3 : 2) * C * F
        if feedForwardBias { feedForwardSize += (feedForward.isGated ? 2 * F : F) + C }
        if let experts {
            feedForwardSize = experts.count * (feedForwardSize + C + (experts.routerBias ? 1 : 0))
        }
        var block = C * attention.fusedWidth + inner * C + norms + queryKeyNorms + feedForwardSize
        block += (qkvBias ? attention.fusedWidth : 0) + (outputBias ? C : 0) + (sinks ? attention.heads : 0)
        let embeddings = vocabularySize * C * (tiedHead ? 1 : 2) + (learnedPositions ? contextLength * C : 0)
        return layers * block + normSize + embeddings
    }

    /// FLOPs of one token's forward and backward pass at context T.
    ///
    /// 6 for each number in a product (Kaplan et al. 2020), and attention over half the context on average.
    public func trainingFLOPs(context T: Int) -> Double {
        let positions = learnedPositions ? contextLength * hiddenSize : 0
        let inputTable = tiedHead ? 0 : vocabularySize * hiddenSize
        let products = Double(parameterCount - positions - inputTable)
        return 6 * products + 6 * Double(layers * attention.heads * attention.headDim * T)
    }
}
