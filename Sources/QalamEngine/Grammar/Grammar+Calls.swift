// SPDX-License-Identifier: Apache-2.0

extension Grammar {
    /// Calls of `tools` as a model of this format writes them: one or, if `parallel` and the format allows it, more.
    ///
    /// Arguments follow the tools' schemas. A schema that can't be enforced is an error for a strict tool; for others
    /// any object will do.
    ///
    /// `afterMark`: only what follows the mark of one call.
    package init(
        calls tools: [Tool], _ format: AnswerFormat.Calls, parallel: Bool, afterMark: Bool = false
    ) throws(GrammarError) {
        var rules = GrammarRules()
        var alternatives: [GrammarNode] = []
        for tool in tools {
            let arguments = try Self.arguments(of: tool, &rules)
            let name = JSONText.quoted(tool.name)
            let call: GrammarNode =
                switch format {
                case .named: .all([.text("\(tool.name)[ARGS]"), arguments])
                case .channels: .all([.text("\(tool.name) <|constrain|>json<|message|>"), arguments])
                default: .all([.text("{\"name\": \(name), \"\(format.argumentsKey)\": "), arguments, .text("}")])
                }
            alternatives.append(call)
        }
        let call = rules.add("call", .any(alternatives))
        let more = parallel ? nil : 0
        let body: GrammarNode =
            switch format {
            case .tagged: .all([.text("\n"), call, .text("\n</tool_call>")])
            case .bare, .named, .channels: call
            case .listed:
                .all([.text("["), call, GrammarNode.all([.text(", "), call]).repeated(0, more), .text("]")])
            }
        // In channels the prompt ends with the mark.
        let one = format == .bare || format == .channels ? body : GrammarNode.all([.text(format.opening), body])
        let root: GrammarNode =
            switch format {
            case _ where afterMark: body
            case .tagged: .all([one, GrammarNode.all([.text("\n"), one]).repeated(0, more)])
            case .named: .all([one, one.repeated(0, more)])
            case .bare, .listed, .channels: one
            }
        let rule = rules.add("calls", root)
        try self.init(rules, root: rule)
    }

    private static func arguments(of tool: Tool, _ rules: inout GrammarRules) throws(GrammarError) -> GrammarNode {
        let before = rules
        do {
            var compiler = try SchemaCompiler(Array((tool.parameters ?? Tool.noParameters).utf8), adding: rules)
            let node = try compiler.compile()
            rules = compiler.rules
            return node
        } catch {
            if tool.strict { throw error }
            rules = before
            return JSONText.addValue(to: &rules).object
        }
    }
}
