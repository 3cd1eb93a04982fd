// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// One recorded operation: the tape is the graph of these nodes, held by the tensors that came out of them.
///
/// An operation whose inputs carry nodes gives its output a node with a rule: from the gradient of the output, add to
/// the gradients of the inputs. Reverse-mode differentiation walks the nodes from the loss backwards (Griewank &
/// Walther 2008, ch. 3); each node is emptied as soon as its rule has run, so that activations are freed on the way.
public final class Node {
    private let shape: TensorShape
    private let device: Device
    private var inputs: [Node]
    private var rule: ((Tensor) -> Void)?
    private var pending: Tensor?
    /// Whether it stays after a backward pass, as parameters do.
    private let isLeaf: Bool

    init(of output: Tensor, inputs: [Node], rule: @escaping (Tensor) -> Void) {
        shape = output.shape
        device = output.device
        self.inputs = inputs
        self.rule = rule
        isLeaf = false
    }

    /// A leaf: gradients gather here until `clearGradient`.
    init(leaf tensor: Tensor) {
        shape = tensor.shape
        device = tensor.device
        inputs = []
        isLeaf = true
    }

    /// What has gathered so far; nil if nothing has.
    public var gradient: Tensor? { pending }

    /// Forgets the gradient; its memory goes back to the device.
    func clearGradient() { pending = nil }

    /// Adds a gradient that others may share: taken as it is if it is the first.
    func add(_ gradient: Tensor) {
        precondition(gradient.shape == shape, "gradient: \(gradient.shape) for \(shape)")
        guard pending != nil else {
            pending = gradient.detached
            return
        }
        accumulate { into, _ in k_axpy(into, 1, gradient.pointer, gradient.count) }
    }

    /// Lets a kernel write the gradient: `write(pointer, accumulate)` adds to what is there if `accumulate`, and
    /// overwrites arbitrary contents otherwise.
    func accumulate(_ write: (UnsafeMutablePointer<Float>, Bool) -> Void) {
        guard var gradient = pending else {
            let fresh = Tensor(unshared: shape, on: device)
            write(fresh.pointer, false)
            pending = fresh
            return
        }
        pending = nil
        // Two inputs of a sum share one gradient until one of them writes.
        if !isKnownUniquelyReferenced(&gradient.storage) {
            let own = Tensor(unshared: shape, on: device)
            own.pointer.update(from: gradient.pointer, count: own.count)
            gradient = own
        }
        write(gradient.pointer, true)
        pending = gradient
    }

    /// The nodes that `self` depends on, inputs before outputs, each once; iterative, for deep graphs.
    private func sorted() -> [Node] {
        var order: [Node] = []
        var seen: Set<ObjectIdentifier> = [ObjectIdentifier(self)]
        var stack: [(node: Node, next: Int)] = [(self, 0)]
        while let (node, next) = stack.last {
            if next == node.inputs.count {
                order.append(node)
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let input = node.inputs[next]
            if seen.insert(ObjectIdentifier(input)).inserted { stack.append((input, 0)) }
        }
        return order
    }

    /// Propagates `gradient`, this node's own, to all leaves it depends on.
    func backward(_ gradient: Tensor) {
        var order = sorted()
        add(gradient)
        while let node = order.popLast() {
            guard !node.isLeaf else { continue }
            if let gradient = node.pending {
                node.pending = nil
                node.rule?(gradient)
            }
            node.rule = nil
            node.inputs = []
        }
    }
}

extension Tensor {
    /// This tensor as a leaf of the tape: operations on it are recorded, and its gradient gathers in `node`.
    public func requiringGradient() -> Tensor {
        var leaf = detached
        leaf.node = Node(leaf: self)
        return leaf
    }

    /// What has gathered at this leaf; nil before a backward pass.
    public var gradient: Tensor? { node?.gradient }

    /// Forgets the gradient of this leaf.
    package func clearGradient() { node?.clearGradient() }

    /// Differentiates the sum of this tensor with `weights` (all ones if nil) with respect to every leaf behind it.
    public func backward(_ weights: Tensor? = nil) {
        precondition(
            weights.map { $0.shape == shape } ?? true, "backward: \(String(describing: weights?.shape)) for \(shape)")
        node?.backward(weights ?? Tensor(repeating: 1, shape, on: device))
    }

    /// This result with its rule on the tape, if any of the inputs is on it.
    ///
    /// The list and the rule take memory: what decoding uses asks for the nodes first.
    func recorded(from inputs: [Node?], _ rule: @escaping (Tensor) -> Void) -> Tensor {
        guard inputs.contains(where: { $0 != nil }) else { return self }
        let present = inputs.compactMap(\.self)
        var result = self
        result.node = Node(of: self, inputs: present, rule: rule)
        return result
    }
}
