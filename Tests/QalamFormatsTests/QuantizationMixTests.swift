// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamTensors
import Testing

/// What llama.cpp's quantizer chose for small models (Tests/Fixtures/mixes).
private struct Recorded: Decodable, Sendable {
    struct Model: Decodable, CustomTestStringConvertible, Sendable {
        let architecture: String
        let layers: Int, heads: Int, kvHeads: Int, experts: Int
        let names: [String]
        let shapes: [[Int]]
        /// By mix, a letter for each tensor.
        let types: [String: String]
        let pure: [String: String]?

        var testDescription: String { "\(architecture), \(layers) layers, \(experts) experts" }
        var sizes: MixedModel { MixedModel(layers: layers, heads: heads, kvHeads: kvHeads, experts: experts) }
        var tensors: [MixedTensor] { zip(names, shapes).map { MixedTensor($0, shape: $1, type: .f32) } }
    }

    let alphabet: [String]
    let models: [Model]

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/mixes/mixes.json")
        self = try JSONDecoder().decode(Recorded.self, from: Data(contentsOf: file))
    }

    /// The names of types behind the letters.
    func names(_ letters: String) -> [String] { letters.utf8.map { alphabet[Int($0 - UInt8(ascii: "a"))] } }
}

struct QuantizationMixTests {
    private static let recorded = Result { try Recorded() }

    @Test(arguments: QuantizationMix.allCases)
    func choosesAsRecorded(_ mix: QuantizationMix) throws {
        let recorded = try Self.recorded.get()
        #expect(recorded.models.count == 8)
        for model in recorded.models {
            let letters = try #require(model.types[mix.rawValue])
            let types = mix.types(for: model.tensors, of: model.sizes)
            for (name, (type, expected)) in zip(model.names, zip(types, recorded.names(letters))) {
                #expect(type.name == expected, "\(model.testDescription): \(name)")
            }
            guard let letters = model.pure?[mix.rawValue] else { continue }
            let pure = mix.types(for: model.tensors, of: model.sizes, pure: true)
            #expect(pure.map(\.name) == recorded.names(letters), "\(model.testDescription), pure")
        }
    }

    @Test func countsByLayerWhateverTheOrder() throws {
        let model = try #require(try Self.recorded.get().models.first)
        let tensors = model.tensors
        let types = QuantizationMix.q4_K_M.types(for: tensors, of: model.sizes)
        let reversed = QuantizationMix.q4_K_M.types(for: tensors.reversed(), of: model.sizes)
        #expect(reversed.reversed() == types)
        #expect(Set(types) == [.f32, .q4_K, .q6_K])
    }

    @Test func keepsTheTypeOfWhatIsNotQuantized() {
        let names = [
            "blk.0.ffn_gate_inp.weight", "blk.0.attn_q_norm.weight", "rope_freqs.weight", "output_norm.weight",
        ]
        let tensors = names.map { MixedTensor($0, shape: $0.hasPrefix("blk") ? [8, 256] : [256], type: .f16) }
        let types = QuantizationMix.q4_0.types(for: tensors, of: MixedModel(layers: 1, heads: 1, kvHeads: 1))
        #expect(types == [.f16, .f16, .f16, .f16])
    }

    @Test func takesOddNames() {
        let names = ["", "blk.", "blk.99999999999999999999.ffn_down.weight", "blk.-1.attn_v.weight", "output.weight"]
        let tensors = names.flatMap { name in
            [[], [0], [2, 0], [2, 256], [0, 2, 256]].map { MixedTensor(name, shape: $0, type: .f32) }
        }
        for mix in QuantizationMix.allCases {
            let model = MixedModel(layers: 0, heads: 0, kvHeads: 0, experts: 2)
            #expect(mix.types(for: tensors, of: model).count == tensors.count)
        }
    }

    @Test func namesAndNumbers() {
        #expect(QuantizationMix(name: "q4_k_m") == .q4_K_M)
        #expect(QuantizationMix(name: "Q4_K") == nil)
        #expect(QuantizationMix.q4_K_M.fileType == 15)
        #expect(Set(QuantizationMix.allCases.map(\.fileType)).count == QuantizationMix.allCases.count)
    }
}
