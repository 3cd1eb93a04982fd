// SPDX-License-Identifier: Apache-2.0
package import QalamModels
package import QalamTensors

// B: pictures   R: sequences, 2·B with guidance   L: text tokens   N = G²: codes of a picture   K: codes there are

/// Draws pictures code by code, each sequence over its own pages of keys and values.
///
/// Guidance (Ho & Salimans 2022) on logits: those without the text, plus `guidance` times what the text changes; the
/// second half of the batch are the same pictures without their texts.
package struct TokenSampler: CodeSampler {
    /// How codes are drawn from the model's distribution; the seed is each picture's own.
    package var sampling = SamplingOptions()
    /// How much the text counts: 1 takes the model's word for it, more exaggerates.
    package var guidance: Float = 3
    /// How keys and values are kept.
    package var cachePrecision = CachePrecision.float16
    private let model: TokenTransformer
    private let quantizer: ImageQuantizer
    /// The codes of a transparent picture, which stand for what is not drawn yet.
    private let blank: [Int32]

    /// A sampler of this model, which makes codes of `images`.
    package init(_ model: TokenTransformer, _ images: ImageTokenizer) {
        self.model = model
        quantizer = images.quantizer
        let size = images.config.size
        blank = quantizer.codes(of: images.encode(Tensor(repeating: -1, [1, size, size, 4])).detached)
        sampling.temperature = 1
    }

    package var imageTokens: Int { model.config.imageTokens }
    package var steps: Int { model.config.imageTokens }

    package mutating func follow(_ request: DrawRequest) {
        if let value = request.guidance { guidance = Float(value) }
        if let value = request.temperature { sampling.temperature = Float(value) }
        if let value = request.topK { sampling.topK = value }
        if let value = request.topP { sampling.topP = Float(value) }
    }

    package func draw(
        _ pictures: [CodeRequest], from source: CodeSource?, progress: (Int, () -> Tensor) -> Bool
    ) -> Tensor? {
        let c = model.config, B = pictures.count, N = c.imageTokens
        let known = source.map { quantizer.codes(of: $0.codes) }
        let kept = pictures.map { picture in source.map { self.kept(of: $0, seed: picture.seed) } }
        var samplers = pictures.map { picture in
            var options = sampling
            options.seed = picture.seed
            return Sampler(options, prompt: [])
        }
        var scratch = Sampler.Scratch()
        var codes = Array(repeating: [Int32](), count: B)
        var pass = CodePass(model, sequences: guidance == 1 ? B : 2 * B, cachePrecision)
        let texts = pictures.map { c.padded($0.text) } + (guidance == 1 ? [] : pictures.map { _ in c.padded([]) })
        var states = pass.read(texts: texts)
        for place in 0..<N {
            let logits = guided(model.decoder.logits(states), pictures: B)
            for picture in 0..<B {
                let row = UnsafeMutableBufferPointer(
                    rebasing: logits.buffer[picture * c.codes..<(picture + 1) * c.codes])
                let drawn = samplers[picture].next(row, Sampler.Context(tokens: []), &scratch).token
                let isKept = kept[picture]?[place] ?? false
                codes[picture].append(isKept ? known?[place] ?? drawn : drawn)
            }
            guard place + 1 < N else { break }
            guard progress(place + 1, { numbers(codes) }) else { return nil }
            let last = codes.map { $0[place] }
            states = pass.read(codes: guidance == 1 ? last : last + last, at: place)
        }
        return numbers(codes)
    }

    /// The logits of pictures with guidance: (R,K) to (B,K).
    private func guided(_ logits: Tensor, pictures B: Int) -> Tensor {
        guard guidance != 1 else { return logits }
        let free = logits.rows(B..<2 * B).copied()
        free.scaleInPlace(by: 1 - guidance)
        free.addInPlace(logits.rows(0..<B), times: guidance)
        return free
    }

    /// The numbers of codes, and of what is not drawn yet: (B,G,G,D).
    private func numbers(_ codes: [[Int32]]) -> Tensor {
        let G = model.config.grid
        let made = quantizer.values(of: codes.flatMap { $0 + blank[$0.count...] })
        return made.reshaped([codes.count, G, G, made.rowsAndColumns.columns])
    }

    /// Which codes of a picture are the original's: those that the mask keeps, and of the others a share drawn by lot
    /// that grows as the strength falls.
    private func kept(of source: CodeSource, seed: UInt64) -> [Bool] {
        var random = CounterRandom(seed: seed, stream: 1)
        return (0..<model.config.imageTokens).map { place in
            let isLucky = random.uniform() >= Double(source.strength)
            return isLucky || source.kept?[place] ?? false
        }
    }
}

/// One batch of pictures on its way through the model: its sequences, and the pages with their keys and values.
private struct CodePass {
    private let model: TokenTransformer
    private let memory: KVPages
    private let pages: [[Int32]]

    init(_ model: TokenTransformer, sequences: Int, _ precision: CachePrecision) {
        self.model = model
        let c = model.decoder.config
        let each = (c.contextLength + KVPages.pageTokens - 1) / KVPages.pageTokens
        memory = KVPages(layers: c.layers, shape: c.attention, pages: sequences * each, precision: precision)
        pages = (0..<sequences).map { sequence in (0..<each).map { Int32(sequence * each + $0) } }
    }

    /// Reads the texts, and returns the states that predict the first codes: (R,C).
    mutating func read(texts: [[Int32]]) -> Tensor {
        let L = model.config.textLength
        let states = run(model.embedded(text: texts.flatMap(\.self)), each: L, after: 0)
        return states.gathered((0..<texts.count).map { ($0 + 1) * L - 1 })
    }

    /// Reads the code of each sequence at one place, and returns the states that predict the next: (R,C).
    mutating func read(codes: [Int32], at place: Int) -> Tensor {
        let x = model.embedded(codes: codes, at: codes.map { _ in Int32(place) })
        return run(x, each: 1, after: model.config.textLength + place)
    }

    /// `each` embedded tokens of every sequence through the decoder, behind `start` that it has read.
    private func run(_ x: Tensor, each: Int, after start: Int) -> Tensor {
        let spans = pages.enumerated().map { number, pages in
            PagedSpan(rows: number * each..<(number + 1) * each, start: start, pages: pages)
        }
        var context = StepContext(
            positions: pages.flatMap { _ in Int32(start)..<Int32(start + each) }, spans: PagedSpans(spans),
            memory: memory, adapted: [])
        return model.decoder.hidden(embedded: x.detached, &context)
    }
}
