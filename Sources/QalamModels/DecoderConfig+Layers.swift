// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamTensors

// How config.json says what each layer sees and how it is rotated. Files of transformers 5 list `layer_types` and have
// `rope_parameters`; older ones have a switch for each family, `rope_theta` and `rope_scaling`.
extension JSONReader {
    typealias LayerAttention = DecoderConfig.LayerAttention

    /// Windows and rotations, as a pattern or one entry a layer.
    func layerAttention(of c: DecoderConfig) throws -> [LayerAttention] {
        let windows = try windows(c.family, layers: c.layers)
        let global = try rotary("full_attention", c)
        let local = try c.family == .gemma3 ? localRotary(c) : global
        if c.family == .smolLM3 {
            let turned = try rotatedLayers(c.layers)
            return turned.enumerated().map { layer, isTurned in
                LayerAttention(window: windows[layer % windows.count], rotary: isTurned ? global : nil)
            }
        }
        return windows.map { LayerAttention(window: $0, rotary: $0 == nil ? global : local) }
    }

    // MARK: Windows

    /// The window of each layer, or the pattern that repeats.
    private func windows(_ family: DecoderFamily, layers: Int) throws -> [Int?] {
        let types = try strings("layer_types")
        guard types.isEmpty || types.count == layers else {
            throw error("layer_types", "\(types.count) entries for \(layers) layers")
        }
        if !types.isEmpty {
            return try types.map { type in
                switch type {
                case "full_attention": nil
                case "sliding_attention": try positive("sliding_window")
                default: throw ModelError.unsupportedSetting(file: file, key: "layer_types", value: type)
                }
            }
        }
        let window = try has("sliding_window") ? positive("sliding_window") : nil
        switch family {
        case .mistral, .mixtral, .phi3: return [window]
        case .qwen2, .qwen3, .qwen3MoE, .smolLM3:
            guard try bool("use_sliding_window", default: false) else { return [nil] }
            let full = try int("max_window_layers", default: layers, in: 0...layers)
            return (0..<layers).map { $0 >= full ? window : nil }
        case .gemma2: return [window ?? 4096, nil]
        case .gptOSS: return [window ?? 128, nil]
        case .gemma3:
            let period = try int("sliding_window_pattern", default: 6, in: 1...layers + 6)
            return (1...period).map { $0 == period ? nil : window ?? 4096 }
        case .llama, .gpt2, .olmo2: return [nil]
        }
    }

    /// SmolLM3: every fourth layer is not rotated, unless the file lists them (1 for those that are).
    private func rotatedLayers(_ layers: Int) throws -> [Bool] {
        let listed = try ints("no_rope_layers")
        guard listed.isEmpty || listed.count == layers else {
            throw error("no_rope_layers", "\(listed.count) entries for \(layers) layers")
        }
        let interval = try positive("no_rope_layer_interval", default: 4)
        return listed.isEmpty ? (1...layers).map { $0 % interval != 0 } : listed.map { $0 != 0 }
    }

    // MARK: Rotations

    /// The rotation of layers with this type of attention.
    private func rotary(_ type: String, _ c: DecoderConfig) throws -> DecoderConfig.Rotary {
        var parameters = try optionalObject("rope_parameters")
        if let nested = try parameters?.optionalObject(type) { parameters = nested }
        let settings = try parameters ?? optionalObject("rope_scaling")
        let fallback = c.family == .gemma3 ? 1e6 : 10000
        let theta =
            try settings?.has("rope_theta") == true
            ? settings?.positiveDouble("rope_theta") : positiveDouble("rope_theta", default: fallback)
        return DecoderConfig.Rotary(
            width: try rotatedWidth(settings, c.attention.headDim), theta: theta ?? fallback,
            scaling: try settings.map { try scaling($0, c) } ?? .none)
    }

    /// Gemma 3 rotates the layers with windows by a base of their own, unscaled.
    private func localRotary(_ c: DecoderConfig) throws -> DecoderConfig.Rotary {
        if try optionalObject("rope_parameters")?.has("sliding_attention") == true {
            return try rotary("sliding_attention", c)
        }
        return DecoderConfig.Rotary(
            width: c.attention.headDim, theta: try positiveDouble("rope_local_base_freq", default: 10000))
    }

    private func rotatedWidth(_ settings: JSONReader?, _ headDim: Int) throws -> Int {
        let reader = settings?.has("partial_rotary_factor") == true ? settings ?? self : self
        let factor = try reader.positiveDouble("partial_rotary_factor", default: 1)
        let width = factor <= 1 ? Int(Double(headDim) * factor) : 0
        guard width > 0, width % 2 == 0 else {
            throw error("partial_rotary_factor", "\(factor) of \(headDim) is no even number of floats")
        }
        return width
    }

    private func scaling(_ s: JSONReader, _ c: DecoderConfig) throws -> RoPEScaling {
        let type = try s.optionalString("rope_type") ?? s.string("type", default: "default")
        switch type {
        case "default": return .none
        case "linear": return .linear(factor: try s.positiveDouble("factor"))
        case "llama3":
            let (low, high) = (try s.positiveDouble("low_freq_factor"), try s.positiveDouble("high_freq_factor"))
            guard low < high else { throw s.error("high_freq_factor", "\(high) is not above low_freq_factor \(low)") }
            return .llama3(
                factor: try s.positiveDouble("factor"), lowFrequency: low, highFrequency: high,
                originalContext: try originalContext(s, c))
        case "yarn": return .yarn(try yarn(s, c))
        case "longrope", "su": return try longRoPE(s, c)
        default: throw ModelError.unsupportedSetting(file: file, key: "rope_type", value: type)
        }
    }

    private func originalContext(_ s: JSONReader, _ c: DecoderConfig) throws -> Int {
        let key = "original_max_position_embeddings"
        return try s.has(key) ? s.positive(key) : positive(key, default: c.contextLength)
    }

    private func yarn(_ s: JSONReader, _ c: DecoderConfig) throws -> RoPEScaling.YaRN {
        var yarn = RoPEScaling.YaRN(
            factor: try s.positiveDouble("factor"), originalContext: try originalContext(s, c))
        yarn.betaFast = try s.positiveDouble("beta_fast", default: 32)
        yarn.betaSlow = try s.positiveDouble("beta_slow", default: 1)
        yarn.isRounded = try s.bool("truncate", default: true)
        if s.has("attention_factor") {
            yarn.magnitude = try s.positiveDouble("attention_factor")
        } else if s.has("mscale"), s.has("mscale_all_dim") {
            let growth = yarn.factor > 1 ? 0.1 * log(yarn.factor) : 0
            yarn.magnitude = try (growth * s.double("mscale") + 1) / (growth * s.double("mscale_all_dim") + 1)
        }
        return yarn
    }

    private func longRoPE(_ s: JSONReader, _ c: DecoderConfig) throws -> RoPEScaling {
        let pairs = try rotatedWidth(s, c.attention.headDim) / 2
        let (short, long) = (try s.doubles("short_factor"), try s.doubles("long_factor"))
        for (key, factors) in [("short_factor", short), ("long_factor", long)]
        where factors.count != pairs || !factors.allSatisfy({ $0 > 0 }) {
            throw s.error(key, "expected \(pairs) numbers above 0, found \(factors.count) numbers")
        }
        let original = try originalContext(s, c)
        let growth = Double(c.contextLength) / Double(original)
        let magnitude = growth > 1 ? (1 + log(growth) / log(Double(original))).squareRoot() : 1
        return .longRoPE(
            short: short, long: long, originalContext: original,
            magnitude: try s.positiveDouble("attention_factor", default: magnitude))
    }
}
