// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import QalamEngine
internal import QalamTensors

/// How exactly products are computed, as a flag.
struct ActivationFlag: ParsableArguments {
    @Option(
        help: "What activations become beside Q8_0: accurate (the default) or, faster, int8.",
        transform: Self.precision)
    var activations = ActivationPrecision.accurate

    private static func precision(_ text: String) throws -> ActivationPrecision {
        guard let precision = ActivationPrecision(rawValue: text) else {
            throw ValidationError("it must be accurate or int8.")
        }
        return precision
    }

    /// The engine's defaults but for that.
    var configuration: EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.activations = activations
        return configuration
    }
}
