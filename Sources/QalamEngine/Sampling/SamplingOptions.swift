// SPDX-License-Identifier: Apache-2.0

/// How the next token is drawn from the model's distribution.
///
/// The steps are taken in this order, each on what the one before has left: the grammar's mask, `logitBias`, the
/// repetition, frequency and presence penalties, DRY, `temperature`, `topK`, `topP`, `minP`, `typicalP`, XTC, the draw.
/// With `mirostat`, its own cut stands in place of those from `topK` to XTC.
public struct SamplingOptions: Sendable, Equatable {
    /// Divides the logits; 0 always takes the likeliest token.
    public var temperature: Float = 0.7
    /// Keeps only the k likeliest tokens; 0 keeps all.
    public var topK = 0
    /// Keeps the likeliest tokens whose probabilities sum to p; 1 keeps all.
    ///
    /// Nucleus sampling (Holtzman et al. 2020).
    public var topP: Float = 1
    /// Keeps tokens at least `minP` times as likely as the likeliest; 0 keeps all.
    ///
    /// Min-p sampling (Nguyen et al. 2024).
    public var minP: Float = 0
    /// Divides positive and multiplies negative logits of tokens seen in the context; 1 is off.
    ///
    /// The penalty of CTRL (Keskar et al. 2019).
    public var repetitionPenalty: Float = 1
    /// Subtracted from a token's logit for each time it was generated.
    public var frequencyPenalty: Float = 0
    /// Subtracted from a token's logit once it was generated at all.
    public var presencePenalty: Float = 0
    /// The same seed gives the same text; nil draws one.
    public var seed: UInt64?
    /// How many of the last tokens the three penalties look at; 0 for all.
    public var penaltyWindow = 0
    /// Keeps the tokens whose surprise is nearest to the expected one, until their probabilities sum to p; 1 keeps all.
    ///
    /// Locally typical sampling (Meister et al. 2022).
    public var typicalP: Float = 1
    /// How often the likeliest tokens are left out; 0 never.
    ///
    /// "Exclude top choices": of the tokens at least `xtcThreshold` likely, all but the least likely go.
    public var xtcProbability: Float = 0
    /// What counts as a top choice, as a probability; above 0.5 there is never more than one.
    public var xtcThreshold: Float = 0.1
    /// The penalty against repeating sequences.
    public var dry = RepeatPenalty()
    /// Keeps the surprise of the text near a target; nil is off.
    public var mirostat: Mirostat?
    /// Added to the logits of these tokens.
    public var logitBias: [Int32: Float] = [:]

    /// The defaults: temperature 0.7, everything else off.
    public init() {}
}

/// "Don't repeat yourself": a token that would continue a repetition loses `multiplier` · `base`^(n − `allowedLength`)
/// where n is how many tokens are repeated already.
public struct RepeatPenalty: Sendable, Equatable {
    /// The penalty of the shortest repetition that has one; 0 is off.
    public var multiplier: Float = 0
    /// How much more each further token costs.
    public var base: Float = 1.75
    /// The shortest repetition that is penalised, in tokens.
    public var allowedLength = 2
    /// How many of the last tokens are searched; 0 for all.
    public var window = 0
    /// Tokens that no repetition reaches across, such as line ends and quotes.
    public var breakers: Set<Int32> = []

    /// Off.
    public init() {}
}

/// Leaves out tokens more surprising than a bound, which follows what was drawn.
///
/// Mirostat 2 (Basu et al. 2021).
public struct Mirostat: Sendable, Equatable {
    /// τ: the surprise aimed at, in bits.
    public var target: Float
    /// η: how fast the bound follows.
    public var rate: Float

    /// Aims at `target` bits.
    public init(target: Float = 5, rate: Float = 0.1) {
        self.target = target
        self.rate = rate
    }
}

extension SamplingOptions {
    /// Checks the ranges.
    ///
    /// - Throws: `EngineError.badOption` that names the option.
    package func validate() throws(EngineError) {
        func check(_ valid: Bool, _ name: String, _ range: String) throws(EngineError) {
            if !valid { throw .badOption(name: name, why: "must be \(range)") }
        }
        try check(temperature >= 0 && temperature.isFinite, "temperature", "0 or more")
        try check(topK >= 0, "top_k", "0 (off) or more")
        try check(topP > 0 && topP <= 1, "top_p", "above 0 and at most 1")
        try check(minP >= 0 && minP <= 1, "min_p", "from 0 to 1")
        try check(repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition_penalty", "above 0")
        try check(frequencyPenalty.isFinite, "frequency_penalty", "a finite number")
        try check(presencePenalty.isFinite, "presence_penalty", "a finite number")
        try check(penaltyWindow >= 0, "penalty_window", "0 (all) or more")
        try check(typicalP > 0 && typicalP <= 1, "typical_p", "above 0 and at most 1")
        try check(xtcProbability >= 0 && xtcProbability <= 1, "xtc_probability", "from 0 to 1")
        try check(xtcThreshold >= 0 && xtcThreshold <= 1, "xtc_threshold", "from 0 to 1")
        try check(dry.multiplier >= 0 && dry.multiplier.isFinite, "dry_multiplier", "0 (off) or more")
        try check(dry.base >= 1 && dry.base.isFinite, "dry_base", "1 or more")
        try check(dry.allowedLength >= 1, "dry_allowed_length", "1 or more")
        try check(dry.window >= 0, "dry_window", "0 (all) or more")
        if let mirostat {
            try check(mirostat.target >= 0 && mirostat.target.isFinite, "mirostat_tau", "0 or more")
            try check(mirostat.rate > 0 && mirostat.rate <= 1, "mirostat_eta", "above 0 and at most 1")
        }
        try check(logitBias.allSatisfy { $0.key >= 0 && $0.value.isFinite }, "logit_bias", "finite, for token ids")
    }
}
