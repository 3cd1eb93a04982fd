// SPDX-License-Identifier: Apache-2.0

/// What a JSON value must look like: the one description from which requests are checked and the OpenAPI document made.
package indirect enum Shape: Sendable {
    /// A string of so many characters.
    case string(ClosedRange<Int>)
    /// One of these strings.
    case oneOf([String])
    /// A whole number; 3.0 is one too, as in JSON Schema.
    case integer(ClosedRange<Int>)
    /// A number.
    case number(ClosedRange<Double>)
    /// True or false.
    case bool
    /// So many elements of one shape.
    case array(Shape, ClosedRange<Int>)
    /// An object of these members alone.
    case object([Member])
    /// An object with any names, so many at most, of values of one shape.
    case map(Shape, atMost: Int)
    /// Any JSON value.
    case anything
    /// Any object.
    case anyObject
    /// A value of one of these shapes, which differ in their kind.
    case either([Shape])
    /// An object whose member `by` tells which shape it has; the shapes don't list that member.
    case tagged(by: String, fallback: String?, [Variant])
    /// Only these values: others ask for what isn't there.
    case only([JSONValue], because: String)
    /// Nothing but null, and `because` says why.
    case refused(String)
    /// A shape with a name of its own in the OpenAPI document.
    case named(String, Shape)
    /// An object that follows rules.
    case ruled(Shape, [Rule])
    /// An array whose elements are all different.
    case distinct(Shape)
    /// A value of the shape, or null; members that may be left out may be null anyway.
    case nullable(Shape)

    /// A member of an object.
    package struct Member: Sendable {
        /// Its name.
        package var name: String
        /// Whether it must be there.
        package var isRequired: Bool
        /// What its value looks like.
        package var shape: Shape

        /// The member `name`.
        package init(_ name: String, _ shape: Shape, required: Bool = false) {
            self.name = name
            self.shape = shape
            isRequired = required
        }
    }

    /// One of the shapes that an object may have.
    package struct Variant: Sendable {
        /// The value of the member that tells them apart.
        package var tag: String
        /// The other members.
        package var members: [Member]
        /// Why it is refused; nil: it isn't.
        package var refusal: String?
        /// What its members have to do with each other.
        package var rules: [Rule] = []

        /// The shape of objects tagged `tag`.
        package init(_ tag: String, _ members: [Member], rules: [Rule] = []) {
            self.tag = tag
            self.members = members
            self.rules = rules
        }

        /// A known tag of which there is nothing here.
        package init(_ tag: String, refused why: String) {
            self.tag = tag
            members = []
            refusal = why
        }
    }

    /// Any string.
    package static let text = Shape.string(0 ... .max)
    /// A string that isn't empty.
    package static let word = Shape.string(1 ... .max)
    /// Unix seconds, sizes, counts.
    package static let count = Shape.integer(0 ... .max)

    /// The names of an object's members.
    package var memberNames: [String] {
        switch self {
        case .object(let members): members.map(\.name)
        case .named(_, let shape), .ruled(let shape, _): shape.memberNames
        default: []
        }
    }

    /// A list of any length.
    package static func list(_ shape: Shape) -> Shape { .array(shape, 0 ... .max) }
}

extension Shape.Member {
    /// A member that may be left out.
    package static func may(_ name: String, _ shape: Shape) -> Self { Self(name, shape) }
    /// A member that must be there.
    package static func must(_ name: String, _ shape: Shape) -> Self { Self(name, shape, required: true) }
    /// A member that must be there in answers, and may be null.
    package static func maybe(_ name: String, _ shape: Shape) -> Self { Self(name, .nullable(shape), required: true) }
}
