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

/// The spans of a batch as kernels take them: made once a step, used by every layer.
///
/// `@unchecked Sendable`: nothing is written after it is made.
package final class PagedSpans: @unchecked Sendable {
    /// One past the last row, and past the highest page, of any span.
    let rowEnd: Int, pageEnd: Int
    private let spans: UnsafeMutableBufferPointer<k_paged_span>
    private let table: UnsafeMutableBufferPointer<Int32>

    /// Pages before the first that a window lets a query see may be given as 0.
    package init(_ list: [PagedSpan]) {
        spans = .allocate(capacity: max(list.count, 1))
        table = .allocate(capacity: max(list.reduce(0) { $0 + $1.pages.count }, 1))
        var used = 0, rowEnd = 0, pageEnd = 0
        for (i, span) in list.enumerated() {
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
                at: i,
                to: k_paged_span(
                    pages: pages, first_row: span.rows.lowerBound, rows: span.rows.count, start: span.start))
            used += span.pages.count
            rowEnd = max(rowEnd, span.rows.upperBound)
        }
        (count, self.rowEnd, self.pageEnd) = (list.count, rowEnd, pageEnd)
    }

    deinit {
        spans.deallocate()
        table.deallocate()
    }

    /// How many there are.
    package let count: Int

    var start: UnsafePointer<k_paged_span> { UnsafePointer(spans.baseAddress.unsafelyUnwrapped) }
}
