// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors

/// One training run, of any kind: a task and settings in; a loss curve, checkpoints and a model folder out.
///
/// The folder of a run:
///
///     run.json      everything needed to repeat it
///     loss.svg      the curve so far
///     checkpoint/   the latest state: weights, optimizer, step
///     model/        the trained model
///
/// All state is in the checkpoint and everything random follows from the seed and the step, so a run that was killed
/// at any moment goes on bit for bit as if it had not been.
public struct TrainingRun<Task: TrainingTask> {
    /// The run's folder.
    public let folder: URL
    /// What is trained.
    public let task: Task
    /// Every setting, resolved.
    public let settings: RunSettings
    var optimizer: Optimizer
    var average: WeightAverage?
    var history = History()
    /// Steps done.
    public internal(set) var step = 0

    /// Makes a run, or takes up the one whose checkpoint is in `folder`.
    ///
    /// - Throws: `TrainingError.otherRun` if that checkpoint was made with other settings or data.
    public init(folder: URL, task: Task, settings: RunSettings) throws {
        self.folder = folder
        self.task = task
        self.settings = settings
        optimizer = Optimizer(settings.optimizer, task.parameters)
        average = settings.averaging.map { WeightAverage(task.parameters, decay: Float($0)) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try resume()
    }

    /// How many numbers are trained.
    public var parameterCount: Int { task.parameters.reduce(0) { $0 + $1.tensor.count } }

    /// Trains to the end, or until `shouldStop` says so after some step; a checkpoint is written in either case.
    public mutating func run(shouldStop: () -> Bool = { false }, report: (TrainingEvent) -> Void) throws {
        try writeRecord()
        report(.started(parameters: parameterCount, settings: settings, step: step))
        var saved = step
        while step < settings.steps, !shouldStop() {
            report(.step(try train()))
            if isDue(settings.evaluateEvery) { try averaged { try $0.evaluate(report) } }
            if isDue(settings.sampleEvery) {
                try averaged { try $0.task.sample(step: $0.step, $0.settings, to: $0.folder, report: report) }
            }
            if isDue(settings.checkpointEvery) {
                try checkpoint(report)
                saved = step
            }
        }
        if saved != step { try checkpoint(report) }
        let isComplete = step >= settings.steps
        let model = folder.appending(path: "model")
        if isComplete { try averaged { try $0.task.write(to: model, metadata: $0.metadata()) } }
        report(.finished(step: step, isComplete: isComplete, model: model))
    }

    /// Whether something that happens every `interval` steps happens now; the last step always counts.
    private func isDue(_ interval: Int) -> Bool {
        step == settings.steps || (interval > 0 && step % interval == 0)
    }

    /// One step: gradients, clipping, the update.
    private mutating func train() throws -> StepReport {
        let start = ContinuousClock.now
        let rate = settings.learningRate * settings.rateSchedule.factor(at: step)
        let loss = try task.differentiate(step: step, settings)
        step += 1
        var update = Optimizer.Step(
            number: step, learningRate: Float(rate), weightDecay: Float(settings.weightDecay),
            clip: Float(settings.clip))
        update.beta1 = Float(settings.beta1)
        update.beta2 = Float(settings.beta2)
        let norm = optimizer.update(update)
        guard loss.mean.isFinite, norm.isFinite else { throw TrainingError.diverged(step: step) }
        average?.follow(task.parameters, step: step)
        history.losses.append(loss.mean)
        let elapsed = ContinuousClock.now - start
        return StepReport(
            step: step, steps: settings.steps, loss: loss.mean, learningRate: rate, gradientNorm: norm,
            seconds: elapsed / .seconds(1), count: loss.count, unit: loss.unit, flops: loss.flops)
    }

    /// Runs `body` while the model has the averaged weights, if the run keeps any.
    private mutating func averaged(_ body: (inout TrainingRun) throws -> Void) throws {
        average?.exchange(with: task.parameters)
        defer { average?.exchange(with: task.parameters) }
        try body(&self)
    }

    private mutating func evaluate(_ report: (TrainingEvent) -> Void) throws {
        guard let evaluation = try task.evaluate(step: step, settings) else { return }
        history.evaluations.append(evaluation)
        report(.evaluated(evaluation))
        try writeCurve()
    }

    private func checkpoint(_ report: (TrainingEvent) -> Void) throws {
        try writeCheckpoint()
        try writeCurve()
        report(.checkpoint(step: step))
    }

    private func writeCurve() throws {
        try history.writeCurve(to: folder.appending(path: "loss.svg"), steps: settings.steps, unit: task.lossUnit)
    }
}

/// The exponential average of all parameters over the steps, which draws better than the last step's (Polyak & Juditsky
/// 1992).
struct WeightAverage {
    private let decay: Float
    let tensors: [Tensor]

    init(_ parameters: [Parameter], decay: Float) {
        self.decay = decay
        tensors = parameters.map { $0.tensor.detached.copied() }
    }

    /// Moves towards the parameters; quicker at first, so that the start is soon forgotten.
    func follow(_ parameters: [Parameter], step: Int) {
        let kept = min(decay, Float(step) / Float(step + 9))
        for (tensor, parameter) in zip(tensors, parameters) {
            tensor.scaleInPlace(by: kept)
            tensor.addInPlace(parameter.tensor, times: 1 - kept)
        }
    }

    /// Swaps the averages and the parameters.
    func exchange(with parameters: [Parameter]) {
        for (tensor, parameter) in zip(tensors, parameters) {
            let kept = tensor.copied()
            tensor.buffer.baseAddress?.update(from: parameter.tensor.pointer, count: tensor.count)
            parameter.tensor.pointer.update(from: kept.pointer, count: tensor.count)
        }
    }
}
