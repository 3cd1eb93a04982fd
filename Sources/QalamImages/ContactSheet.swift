// SPDX-License-Identifier: Apache-2.0

/// Pictures side by side in a grid, before one ground.
public struct ContactSheet: Sendable {
    /// The cells, in reading order.
    public var pictures: [Picture]
    /// Cells of a row.
    public var columns: Int
    /// Pixels between cells and around them.
    public var gap: Int
    /// The colour behind them.
    public var ground: (UInt8, UInt8, UInt8)

    /// A sheet of `pictures`.
    public init(
        _ pictures: [Picture], columns: Int, gap: Int = 2, ground: (UInt8, UInt8, UInt8) = (255, 255, 255)
    ) {
        precondition(!pictures.isEmpty && columns > 0 && gap >= 0, "\(pictures.count) pictures, \(columns) columns")
        self.pictures = pictures
        self.columns = columns
        self.gap = gap
        self.ground = ground
    }

    /// The whole sheet as one picture; cells are as large as the largest picture.
    public var picture: Picture {
        let width = pictures.map(\.width).max() ?? 1
        let height = pictures.map(\.height).max() ?? 1
        let rows = (pictures.count + columns - 1) / columns
        var sheet = Picture(
            width: columns * (width + gap) + gap, height: rows * (height + gap) + gap,
            filledWith: [ground.0, ground.1, ground.2, 255])
        for (index, picture) in pictures.enumerated() {
            sheet.place(
                picture.composed(over: ground), x: gap + index % columns * (width + gap),
                y: gap + index / columns * (height + gap))
        }
        return sheet
    }
}
