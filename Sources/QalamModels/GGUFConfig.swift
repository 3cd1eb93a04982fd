// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamTensors

/// What `config.json` and the metadata of a GGUF file call the same numbers.
///
/// Keys of GGUF are those of llama.cpp's `gguf-py/gguf/constants.py`, without the architecture in front.
struct GGUFConfig {
    /// One number in both files.
    private struct Key {
        /// Its names in `config.json`; the first is written.
        let names: [String]
        let gguf: String
        let isInteger: Bool

        init(_ names: String..., gguf: String, isInteger: Bool = true) {
            self.names = names
            self.gguf = gguf
            self.isInteger = isInteger
        }
    }

    /// The `model_type` of `config.json` for each architecture; the first is written.
    private static let types: [String: [String]] = [
        "gpt2": ["gpt2"], "llama": ["llama", "mistral", "mixtral"], "qwen2": ["qwen2"], "qwen3": ["qwen3"],
        "qwen3moe": ["qwen3_moe"], "gemma2": ["gemma2"], "gemma3": ["gemma3_text"], "phi3": ["phi3"],
        "smollm3": ["smollm3"], "olmo2": ["olmo2"], "gpt-oss": ["gpt_oss"],
    ]

    private static let classes = [
        "gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "mixtral": "MixtralForCausalLM",
        "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "qwen3_moe": "Qwen3MoeForCausalLM",
        "gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM", "phi3": "Phi3ForCausalLM",
        "smollm3": "SmolLM3ForCausalLM", "olmo2": "Olmo2ForCausalLM",
        "gpt_oss": "GptOssForCausalLM",
    ]

    private static let gpt2Keys = [
        Key("n_layer", gguf: "block_count"), Key("n_ctx", "n_positions", gguf: "context_length"),
        Key("n_positions", "n_ctx", gguf: "context_length"), Key("n_embd", gguf: "embedding_length"),
        Key("n_inner", gguf: "feed_forward_length"), Key("n_head", gguf: "attention.head_count"),
        Key("layer_norm_epsilon", gguf: "attention.layer_norm_epsilon", isInteger: false),
    ]

    private static let decoderKeys = [
        Key("num_hidden_layers", gguf: "block_count"), Key("max_position_embeddings", gguf: "context_length"),
        Key("hidden_size", gguf: "embedding_length"), Key("intermediate_size", gguf: "feed_forward_length"),
        Key("num_attention_heads", gguf: "attention.head_count"),
        Key("num_key_value_heads", gguf: "attention.head_count_kv"),
        Key("rms_norm_eps", gguf: "attention.layer_norm_rms_epsilon", isInteger: false),
        Key("num_local_experts", "num_experts", gguf: "expert_count"),
        Key("num_experts_per_tok", gguf: "expert_used_count"),
        Key("moe_intermediate_size", gguf: "expert_feed_forward_length"),
        Key("head_dim", gguf: "attention.key_length"), Key("head_dim", gguf: "attention.value_length"),
        Key("attn_logit_softcapping", gguf: "attn_logit_softcapping", isInteger: false),
        Key("final_logit_softcapping", gguf: "final_logit_softcapping", isInteger: false),
    ]

    /// `general.architecture`.
    let architecture: String
    private let keys: [Key]

    init(architecture: String) throws {
        guard Self.types[architecture] != nil else { throw ModelError.unsupportedArchitecture(architecture) }
        self.architecture = architecture
        keys = architecture == "gpt2" ? Self.gpt2Keys : Self.decoderKeys
    }

    /// The one for `config.json`'s `model_type`.
    init(modelType: String) throws {
        guard let architecture = Self.types.first(where: { $0.value.contains(modelType) })?.key else {
            throw ModelError.unsupportedArchitecture(modelType)
        }
        try self.init(architecture: architecture)
    }

    /// Head sizes that `transformers` takes where `config.json` has none, other than hidden size over heads.
    private var usualHeadSize: Int? {
        switch architecture {
        case "gemma2", "gemma3": 256
        case "qwen3", "qwen3moe": 128
        case "gpt-oss": 64
        default: nil
        }
    }

    private var hasWindow: Bool { ["gemma2", "gemma3", "phi3", "olmo2", "gpt-oss"].contains(architecture) }

    /// Whether the rotation's size is a key of its own: for the architectures whose rows are permuted.
    private var writesRotationSize: Bool { architecture == "llama" || architecture == "smollm3" }
}

// MARK: To GGUF

extension GGUFConfig {
    /// The fields for a `config.json`, in the order in which llama.cpp's converter writes them.
    func fields(_ j: JSONReader) throws -> [GGUFField] {
        var fields: [GGUFField] = []
        func add(_ key: String, _ value: GGUFValue) {
            fields.append(GGUFField("\(architecture).\(key)", value))
        }
        var written: Set<String> = []
        for key in keys {
            guard let name = key.names.first(where: j.has), written.insert(key.gguf).inserted else { continue }
            add(
                key.gguf,
                key.isInteger ? .uint32(try Self.uint32(j, name)) : .float32(Float(try j.double(name))))
        }
        if architecture == "gpt2" {
            if !j.has("n_inner") {
                add("feed_forward_length", .uint32(UInt32(clamping: 4 * Int(try Self.uint32(j, "n_embd")))))
            }
            return fields
        }
        try checkScoreDivisor(j)
        try checkLayers(j)
        if let size = usualHeadSize, !j.has("head_dim") {
            add("attention.key_length", .uint32(UInt32(size)))
            add("attention.value_length", .uint32(UInt32(size)))
        }
        if hasWindow, j.has("sliding_window") {
            add("attention.sliding_window", .uint32(try Self.uint32(j, "sliding_window")))
        }
        if architecture == "phi3", !j.has("sliding_window") { add("attention.sliding_window", .uint32(0)) }
        if architecture == "gpt-oss" {
            add("expert_feed_forward_length", .uint32(try Self.uint32(j, "intermediate_size")))
            if !j.has("sliding_window") { add("attention.sliding_window", .uint32(128)) }
        }
        if architecture == "phi3" {
            let share =
                try Self.rope(j)?.optionalDouble("partial_rotary_factor")
                ?? j.double("partial_rotary_factor", default: 1)
            guard share > 0, share <= 1 else {
                throw j.error("partial_rotary_factor", "expected a share of 1, found \(share)")
            }
            let original = "original_max_position_embeddings"
            let isLong = try Self.ropeType(Self.rope(j)) == "longrope"
            if !isLong, let context = try Self.rope(j)?.optionalInt(original) ?? j.optionalInt(original) {
                add("rope.scaling.original_context_length", .uint32(UInt32(clamping: context)))
            }
            add("rope.dimension_count", .uint32(UInt32(share * Double(try Self.headSize(j)))))
        }
        if writesRotationSize {
            add("vocab_size", .uint32(try Self.uint32(j, "vocab_size")))
            add("rope.dimension_count", .uint32(UInt32(try Self.headSize(j))))
        }
        for (key, value) in try rotation(j) { add(key, value) }
        return fields
    }

    /// What Gemma's scores are divided by the root of, for which GGUF has no key; nil for other families.
    ///
    /// The 27B models, known by their layers, have the embedding's share of a head, the others the size of a head.
    private func scoreDivisor(layers: Int, width: Int, heads: Int, headSize: Int) -> Int? {
        switch (architecture, layers) {
        case ("gemma2", 46), ("gemma3", 62): width / heads
        case ("gemma2", _), ("gemma3", _): headSize
        default: nil
        }
    }

    private func checkScoreDivisor(_ j: JSONReader) throws {
        let divisor = scoreDivisor(
            layers: try j.positive("num_hidden_layers"), width: try j.positive("hidden_size"),
            heads: try j.positive("num_attention_heads"),
            headSize: try j.positive("head_dim", default: usualHeadSize ?? Self.headSize(j)))
        guard let divisor else { return }
        let found = try j.int("query_pre_attn_scalar", default: 256)
        guard found == divisor else {
            throw ModelError.unsupportedSetting(file: j.file, key: "query_pre_attn_scalar", value: "\(found)")
        }
    }

    /// Fails where layers differ in what they see or in their rotation otherwise than GGUF has it for the architecture.
    ///
    /// The window of Mistral is none of that: llama.cpp's own converter leaves it out.
    private func checkLayers(_ j: JSONReader) throws {
        let layers = try DecoderConfig(j).layerAttention
        for index in 0..<(try j.positive("num_hidden_layers")) {
            let layer = layers[index % layers.count]
            let isWindowed: Bool? =
                switch architecture {
                case "gemma2", "gpt-oss": index % 2 == 0
                case "gemma3": index % 6 != 5
                case "llama", "phi3": nil
                default: false
                }
            if let isWindowed, isWindowed != (layer.window != nil) {
                throw ModelError.unsupportedSetting(
                    file: j.file, key: "sliding_window", value: "\(layer.window ?? 0) in layer \(index)")
            }
            if architecture == "smollm3", (layer.rotary == nil) != (index % 4 == 3) {
                throw ModelError.unsupportedSetting(
                    file: j.file, key: "no_rope_layers", value: "\(layer.rotary == nil ? 0 : 1) in layer \(index)")
            }
        }
    }

    private static func uint32(_ j: JSONReader, _ name: String) throws -> UInt32 {
        UInt32(try j.int(name, in: 0...Int(UInt32.max)))
    }

    /// The size of a head.
    static func headSize(_ j: JSONReader) throws -> Int {
        let heads = try j.positive("num_attention_heads")
        let size = try j.positive("head_dim", default: max(1, j.positive("hidden_size") / heads))
        guard size <= 1 << 16 else { throw j.error("head_dim", "\(size) is beyond any model") }
        return size
    }

    /// Where the rotation's numbers are: newer files have them in `rope_parameters`, that of Gemma 3 by kind of layer.
    static func rope(_ j: JSONReader) throws -> JSONReader? {
        let rope = try j.optionalObject("rope_parameters") ?? j.optionalObject("rope_scaling")
        return try rope?.optionalObject("full_attention") ?? rope
    }

    /// How the rotation is scaled; LongRoPE was called "su" once.
    static func ropeType(_ rope: JSONReader?) throws -> String {
        let type = try rope?.optionalString("rope_type") ?? rope?.optionalString("type") ?? "default"
        return type == "su" ? "longrope" : type
    }

    private func rotation(_ j: JSONReader) throws -> [(String, GGUFValue)] {
        var fields: [(String, GGUFValue)] = []
        let rope = try Self.rope(j)
        if let theta = try rope?.optionalDouble("rope_theta") ?? j.optionalDouble("rope_theta") {
            fields.append(("rope.freq_base", .float32(Float(theta))))
        } else if architecture == "gemma3" {
            fields.append(("rope.freq_base", .float32(1_000_000)))
        }
        let local = try j.optionalObject("rope_parameters")?.optionalObject("sliding_attention")
        if let theta = try local?.optionalDouble("rope_theta") ?? j.optionalDouble("rope_local_base_freq") {
            fields.append(("rope.freq_base_swa", .float32(Float(theta))))
        }
        guard let rope else { return fields }
        let type = try Self.ropeType(rope)
        func float(_ name: String, _ key: String) throws {
            if let value = try rope.optionalDouble(name) { fields.append((key, .float32(Float(value)))) }
        }
        switch type {
        case "default", "llama3": break
        case "linear":
            fields.append(("rope.scaling.type", .string("linear")))
            try float("factor", "rope.scaling.factor")
        case "yarn":
            fields.append(("rope.scaling.type", .string("yarn")))
            try float("factor", "rope.scaling.factor")
            let original = try rope.positive("original_max_position_embeddings")
            fields.append(("rope.scaling.original_context_length", .uint32(UInt32(clamping: original))))
            try float("attention_factor", "rope.scaling.yarn_attn_factor")
            try float("beta_fast", "rope.scaling.yarn_beta_fast")
            try float("beta_slow", "rope.scaling.yarn_beta_slow")
        case "longrope":
            let (context, original) = try Self.contexts(j, rope)
            fields.append(("rope.scaling.type", .string("longrope")))
            fields.append(("rope.scaling.original_context_length", .uint32(UInt32(clamping: Int(original)))))
            let usual = context > original ? (1 + log(context / original) / log(original)).squareRoot() : 1
            let magnitude = try rope.optionalDouble("attention_factor") ?? usual
            fields.append(("rope.scaling.attn_factor", .float32(Float(magnitude))))
        default: throw ModelError.unsupportedSetting(file: j.file, key: "rope_type", value: type)
        }
        return fields
    }

    /// The longest text, and the longest before LongRoPE.
    private static func contexts(_ j: JSONReader, _ rope: JSONReader) throws -> (Double, Double) {
        let key = "original_max_position_embeddings"
        let original = try rope.optionalInt(key) ?? j.positive(key)
        return (Double(try j.positive("max_position_embeddings")), Double(max(original, 2)))
    }

    /// The tensors of divisors of the rotation's frequencies, by their names in a GGUF file: what Llama 3.1's scaling
    /// amounts to, or LongRoPE's two lists.
    func divisors(_ j: JSONReader) throws -> [(name: String, values: [Float])] {
        guard let rope = try Self.rope(j) else { return [] }
        switch try Self.ropeType(rope) {
        case "llama3": return try Self.llama3Divisors(j).map { [("rope_freqs.weight", $0)] } ?? []
        case "longrope":
            return try ["long", "short"].map { list in
                ("rope_factors_\(list).weight", try rope.doubles("\(list)_factor").map { Float($0) })
            }
        default: return []
        }
    }

    /// The divisors of the rotation's frequencies that Llama 3.1's scaling amounts to; nil for models without it.
    static func llama3Divisors(_ j: JSONReader) throws -> [Float]? {
        guard let rope = try rope(j), try ropeType(rope) == "llama3" else { return nil }
        let theta = try rope.optionalDouble("rope_theta") ?? j.positiveDouble("rope_theta", default: 10000)
        return llama3Divisors(
            size: try headSize(j), theta: theta, factor: try rope.positiveDouble("factor", default: 8),
            low: try rope.positiveDouble("low_freq_factor", default: 1),
            high: try rope.positiveDouble("high_freq_factor", default: 4),
            context: Double(try rope.positive("original_max_position_embeddings", default: 8192)))
    }

    /// Pairs that turn more often than `high` in the original context are left, those below `low` turns are divided by
    /// the factor, with a ramp between.
    private static func llama3Divisors(
        size: Int, theta: Double, factor: Double, low: Double, high: Double, context: Double
    ) -> [Float] {
        stride(from: 0, to: size, by: 2).map { index in
            let turns = context / (2 * .pi * pow(theta, Double(index) / Double(size)))
            let kept = min(max((turns - low) / (high - low), 0), 1)
            return Float(1 / ((1 - kept) / factor + kept))
        }
    }
}

// MARK: From GGUF

extension GGUFConfig {
    /// The keys of `config.json` for the metadata of a GGUF file.
    ///
    /// - Throws: `ModelError.unsupportedSetting` for a scaling of the rotation that `config.json` can't express.
    func json(_ file: GGUF, dtype: String) throws -> [String: Any] {
        let metadata = file.metadata
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        var json: [String: Any] = ["dtype": dtype, "torch_dtype": dtype]
        for entry in keys where metadata.has(key(entry.gguf)) {
            json[entry.names[0]] =
                entry.isInteger
                ? try metadata.int(key(entry.gguf)) as Any : shortest(try metadata.double(key(entry.gguf))) as Any
        }
        let isMixtral = architecture == "llama" && metadata.has(key("expert_count"))
        let type = isMixtral ? "mixtral" : Self.types[architecture]?[0] ?? architecture
        json["model_type"] = type
        json["architectures"] = [Self.classes[type] ?? type]
        json["tie_word_embeddings"] = file.tensor(named: "output.weight") == nil
        json["vocab_size"] = file.tensor(named: "token_embd.weight")?.shape.first
        if architecture == "qwen3moe" { json["num_experts"] = json.removeValue(forKey: "num_local_experts") }
        let bos = try metadata.optionalInt("tokenizer.ggml.bos_token_id")
        let eos = try metadata.optionalInt("tokenizer.ggml.eos_token_id")
        (json["bos_token_id"], json["eos_token_id"]) = (bos, eos)
        // Null, not absent: some families' own default is an id that this vocabulary may not have.
        json["pad_token_id"] = try metadata.optionalInt("tokenizer.ggml.padding_token_id") as Any? ?? NSNull()
        guard architecture != "gpt2" else { return json.merging(["activation_function": "gelu_new"]) { $1 } }
        json["hidden_act"] = architecture.hasPrefix("gemma") ? "gelu_pytorch_tanh" : "silu"
        if architecture.hasPrefix("gemma") { json["hidden_activation"] = "gelu_pytorch_tanh" }
        if let layers = json["num_hidden_layers"] as? Int, let width = json["hidden_size"] as? Int,
            let heads = json["num_attention_heads"] as? Int, heads > 0
        {
            json["query_pre_attn_scalar"] = scoreDivisor(
                layers: layers, width: width, heads: heads, headSize: json["head_dim"] as? Int ?? width / heads)
        }
        json["attention_bias"] = file.tensor(named: "blk.0.attn_output.bias") != nil
        if architecture != "gpt-oss" { json["mlp_bias"] = file.tensor(named: "blk.0.ffn_down.bias") != nil }
        if hasWindow, let window = try metadata.optionalInt(key("attention.sliding_window")), window > 0 {
            json["sliding_window"] = window
        }
        try addRotation(file, key, &json)
        return json
    }

    private func addRotation(_ file: GGUF, _ key: (String) -> String, _ json: inout [String: Any]) throws {
        let metadata = file.metadata
        let theta = shortest(try metadata.double(key("rope.freq_base"), default: 10000))
        json["rope_theta"] = theta
        if let local = try metadata.optionalDouble(key("rope.freq_base_swa")) {
            json["rope_local_base_freq"] = shortest(local)
        }
        func refuse(_ name: String, _ value: String) -> ModelError {
            .unsupportedSetting(file: metadata.path, key: name, value: value)
        }
        let type = try metadata.string(key("rope.scaling.type"), default: "none")
        switch type {
        case "none": break
        case "linear", "yarn":
            var scaling: [String: Any] = ["rope_type": type]
            scaling["factor"] = shortest(try metadata.double(key("rope.scaling.factor"), default: 1))
            scaling["original_max_position_embeddings"] = try metadata.optionalInt(
                key("rope.scaling.original_context_length"))
            if architecture == "gpt-oss" { scaling["truncate"] = false }
            json["rope_scaling"] = scaling
        default: throw refuse(key("rope.scaling.type"), type)
        }
        if file.tensor(named: "rope_factors_long.weight") != nil {
            throw refuse("rope_factors_long.weight", "LongRoPE")
        }
        if let tensor = file.tensor(named: "rope_freqs.weight") {
            guard let scaling = try Self.llama3Scaling(file, tensor, theta: theta) else {
                throw refuse("rope_freqs.weight", "a scaling other than that of Llama 3")
            }
            json["rope_scaling"] = scaling
        }
    }

    /// The scaling of Llama 3.1 and 3.2 that gives the divisors in `tensor`; nil if it is another.
    private static func llama3Scaling(
        _ file: GGUF, _ tensor: GGUF.Tensor, theta: Double
    ) throws -> [String: Any]? {
        guard tensor.type == .f32, let last = tensor.shape.last, last == tensor.count, last > 0 else { return nil }
        let divisors = file.withBytes(of: tensor) { bytes in
            (0..<last).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        let factor = Double(divisors[last - 1])
        let expected = llama3Divisors(size: 2 * last, theta: theta, factor: factor, low: 1, high: 4, context: 8192)
        guard zip(divisors, expected).allSatisfy({ abs($0 - $1) <= 1e-3 * abs($1) }) else { return nil }
        return [
            "rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        ]
    }

    /// 1e-05, not the nearest float's 9.99999974e-06.
    private func shortest(_ value: Double) -> Double {
        let float = Float(value)
        return Double(float) == value ? Double("\(float)") ?? value : value
    }
}
