// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// Rows of one sequence in a packed batch.
package struct PagedSpan: Sendable, Equatable {
    /// Which rows of the batch.
    package var rows: Range<Int>
    /// The position of the first of them.
    package var start: Int
    /// The pages of the sequence in order, at least as far as its last row.
    package var pages: [Int32]

    /// Rows, the position of the first, and the sequence's pages.
    package init(rows: Range<Int>, start: Int, pages: [Int32]) {
        (self.rows, self.start, self.pages) = (rows, start, pages)
    }
}

/// The spans of a batch as kernels take them: filled once a step, used by every layer.
///
/// `@unchecked Sendable`: it is filled by the one task that owns a computation, between two passes.
package final class PagedSpans: @unchecked Sendable {
    /// How many there are.
    package private(set) var count = 0
    /// One past the last row, and past the highest page, of any span.
    private(set) var rowEnd = 0, pageEnd = 0
    private var spans = UnsafeMutableBufferPointer<k_paged_span>.allocate(capacity: 1)
    private var table = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 1)

    /// Of these spans, or none yet.
    package init(_ list: [PagedSpan] = []) { fill(list) }

    deinit {
        spans.deallocate()
        table.deallocate()
    }

    /// Takes these spans instead of those before, in the same memory if it suffices.
    ///
    /// Pages before the first that a window lets a query see may be given as 0.
    package func fill(_ list: [PagedSpan]) {
        Self.reserve(list.count, in: &spans)
        Self.reserve(list.reduce(0) { $0 + $1.pages.count }, in: &table)
        (count, rowEnd, pageEnd) = (list.count, 0, 0)
        var used = 0
        for (i, span) in list.enumerated() {
            add(span, at: i, pagesAt: used)
            used += span.pages.count
        }
    }

    private func add(_ span: PagedSpan, at index: Int, pagesAt used: Int) {
        let tokens = span.start + span.rows.count
        precondition(span.start >= 0 && span.rows.lowerBound >= 0, "span: \(span.rows) at \(span.start)")
        precondition(span.pages.count * KVPages.pageTokens >= tokens, "span: \(tokens) tokens, \(span.pages)")
        for (j, page) in span.pages.enumerated() {
            precondition(page >= 0, "span: page \(page)")
            table.initializeElement(at: used + j, to: page)
            pageEnd = max(pageEnd, Int(page) + 1)
        }
        let pages = UnsafePointer(table.baseAddress.unsafelyUnwrapped + used)
        spans.initializeElement(
            at: index,
            to: k_paged_span(pages: pages, first_row: span.rows.lowerBound, rows: span.rows.count, start: span.start))
        rowEnd = max(rowEnd, span.rows.upperBound)
    }

    /// Room for `count` elements, and for twice as many if there is too little; what was there is lost.
    private static func reserve<T>(_ count: Int, in memory: inout UnsafeMutableBufferPointer<T>) {
        guard memory.count < count else { return }
        memory.deallocate()
        memory = .allocate(capacity: 2 * count)
    }

    var start: UnsafePointer<k_paged_span> { UnsafePointer(spans.baseAddress.unsafelyUnwrapped) }
}
