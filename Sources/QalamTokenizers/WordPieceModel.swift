// SPDX-License-Identifier: Apache-2.0

/// Cuts a word into the longest tokens from its beginning on; a word that does not come out even is the unknown token.
///
/// Wu and others 2016, as BERT has it.
struct WordPieceModel: PieceModel {
    let index: TokenIndex
    let settings: TokenizerDefinition.WordPieceSettings
    let unknown: TokenID?

    func append(_ piece: ByteView, _ scratch: inout PieceScratch, into output: inout TokenBuffer) {
        let scanner = PieceScanner(piece, .gpt2, .shared)
        scratch.reserveStarts(piece.count + 1)
        var characters = 0
        var at = 0
        while at < piece.count {
            scratch.starts[characters] = Int32(truncatingIfNeeded: at)
            characters += 1
            at += scanner.character(at).length
        }
        scratch.starts[characters] = Int32(truncatingIfNeeded: piece.count)
        guard characters <= settings.longestWord ?? .max, piece.count < MergeQueue.limit,
            let ids = tokens(piece, scratch.starts, characters)
        else {
            if let unknown { output.append(unknown) }
            return
        }
        for id in ids { output.append(id) }
    }

    private func tokens(_ word: ByteView, _ starts: Block<Int32>, _ characters: Int) -> [TokenID]? {
        var ids: [TokenID] = []
        var first = 0
        while first < characters {
            let prefix = first == 0 ? [] : settings.prefix
            let start = Int(starts[first])
            let buffer = prefix + word.array(start, min(word.count, start + max(index.longest - prefix.count, 0)))
            let found = ByteView.with(buffer) { text -> (TokenID, Int)? in
                var end = min(characters, first + text.count)
                while end > first {
                    let length = prefix.count + Int(starts[end]) - start
                    if length <= text.count, let id = index[text.slice(0, length)] { return (id, end) }
                    end -= 1
                }
                return nil
            }
            guard let found else { return nil }
            ids.append(found.0)
            first = found.1
        }
        return ids
    }
}
