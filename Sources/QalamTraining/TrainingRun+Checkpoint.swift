// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors

/// What a checkpoint holds beside tensors.
private struct CheckpointState: Codable {
    var step: Int
    var settings: RunSettings
    var dataHash: String
    var history: History
}

/// `run.json`: everything needed to repeat a run.
private struct RunRecord<Data: Codable>: Codable {
    var qalam: String
    var settings: RunSettings
    var parameters: Int
    var data: Data
    var dataHash: String
    var instructionSet: String
}

extension TrainingRun {
    private var checkpointFolder: URL { folder.appending(path: "checkpoint") }

    /// A hash of the task's description of its data.
    private func dataHash() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return hexadecimal(SHA256.hash(data: try encoder.encode(task.record)))
    }

    /// Writes weights, optimizer and step as one folder that replaces the last one whole or not at all.
    func writeCheckpoint() throws {
        try replaceFolderAtomically(at: checkpointFolder) { folder in
            try writeWeights(task.parameters, to: folder.appending(path: "model.safetensors"), .float32, [:])
            let moments = namedState.map { name, tensor in
                TensorToWrite.floats(name, shape: Array(tensor.shape), type: .float32) {
                    try $0(UnsafeBufferPointer(tensor.buffer))
                }
            }
            try Safetensors.write(moments, to: folder.appending(path: "optimizer.safetensors"))
            let state = CheckpointState(step: step, settings: settings, dataHash: try dataHash(), history: history)
            try writeAtomically(Array(try JSONEncoder().encode(state)), to: folder.appending(path: "state.json"))
        }
    }

    /// Takes up the checkpoint in the run's folder, if there is one.
    mutating func resume() throws {
        try recoverFolder(at: checkpointFolder)
        guard FileManager.default.fileExists(atPath: checkpointFolder.path) else { return }
        let file = checkpointFolder.appending(path: "state.json")
        let bytes = try MappedFile(file).withBytes { Data($0.withUnsafeBytes { Array($0) }) }
        let state: CheckpointState
        do {
            state = try JSONDecoder().decode(CheckpointState.self, from: bytes)
        } catch {
            throw FormatError.malformed(path: file.path, at: 0, why: "it is not the state of a checkpoint: \(error)")
        }
        guard state.settings == settings else {
            throw TrainingError.otherRun(
                "its settings differ from the ones asked for now; use the same ones or another --output.")
        }
        guard state.dataHash == (try dataHash()) else {
            throw TrainingError.otherRun("it was made from other data; use the same data or another --output.")
        }
        let weights = Checkpoint(try Safetensors(checkpointFolder.appending(path: "model.safetensors")))
        for parameter in task.parameters { try parameter.load(from: weights) }
        let moments = Checkpoint(try Safetensors(checkpointFolder.appending(path: "optimizer.safetensors")))
        for (name, tensor) in namedState {
            try moments.fill(name, shape: Array(tensor.shape), initial: .zeros, into: tensor.buffer)
        }
        step = state.step
        history = state.history
    }

    /// Writes `run.json`.
    func writeRecord() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeAtomically(Array(try encoder.encode(record())) + [0x0A], to: folder.appending(path: "run.json"))
    }

    /// What a model folder's weights say about their making.
    func metadata() throws -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var entries = ["qalam.run": String(decoding: try encoder.encode(record()), as: UTF8.self)]
        for (name, value) in history.evaluations.last?.measures ?? [:] { entries["qalam.\(name)"] = String(value) }
        return entries
    }

    /// Tensors beside the weights, with names for a checkpoint.
    private var namedState: [(name: String, tensor: Tensor)] {
        var state = optimizer.named
        if let average {
            for (parameter, tensor) in zip(task.parameters, average.tensors) {
                state.append(("\(parameter.parts[0].name).average", tensor))
            }
        }
        return state
    }

    private func record() throws -> RunRecord<Task.Record> {
        RunRecord(
            qalam: qalamVersion, settings: settings, parameters: parameterCount, data: task.record,
            dataHash: try dataHash(), instructionSet: Device.cpu.instructionSet)
    }
}

/// The version that run records and the command line show.
public let qalamVersion = "0.1.0"

/// Lower-case hexadecimal of a digest.
func hexadecimal(_ digest: some Sequence<UInt8>) -> String {
    digest.map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }.joined()
}
