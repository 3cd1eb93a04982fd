// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// The folder of models: plain files in plain folders, `owner/name/…`.
package struct ModelStore: Sendable {
    /// The folder.
    package let root: URL
    /// A further folder whose models are listed and found under their path: the repository's own, if it is there.
    private let shipped: URL?

    /// The folder that `QALAM_MODELS` names, else `~/.qalam/models`; and `models` here, if there is one.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        if let path = environment["QALAM_MODELS"], !path.isEmpty {
            self.init(root: URL(filePath: path), shipped: URL(filePath: "models"))
        } else {
            let home = environment["HOME"].map { URL(filePath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser
            self.init(root: home.appending(path: ".qalam/models"), shipped: URL(filePath: "models"))
        }
    }

    /// The models in `root`, and those in `shipped`.
    package init(root: URL, shipped: URL? = nil) {
        self.root = root
        let isRoot = shipped?.resolvingSymlinksInPath().path == root.resolvingSymlinksInPath().path
        self.shipped = isRoot ? nil : shipped
    }

    /// Where a pull puts this model.
    package func folder(of name: ModelName) -> URL { root.appending(path: name.owner).appending(path: name.name) }

    /// Every model, sorted by name; the repository's own come last.
    package func list() -> [StoredModel] {
        let others = shipped.map { models(in: $0, prefix: $0.relativePath + "/", depth: 0) } ?? []
        return own() + others.filter { $0.kind != .incomplete }
    }

    /// Every model in `root`.
    func own() -> [StoredModel] { models(in: root, prefix: "", depth: 0) }

    // MARK: Names

    /// What `text` means: a path to a model, else the name of one in the folder of models.
    ///
    /// Names are `owner/name`, `owner/name:Q4_K_M`, or `name` if only one owner has it; upper and lower case are the
    /// same. Without a quantization, Q4_K_M is meant, else Q8_0, else the smallest.
    /// - Returns: the model's folder, or its `.gguf` file, of several parts the first.
    /// - Throws: `HubError` with names that are alike, and how to get the model.
    package func resolve(_ text: String) throws(HubError) -> URL { try find(text).url }

    /// The model that `text` means, as `resolve`.
    package func find(_ text: String) throws(HubError) -> StoredModel {
        if let model = try path(text) { return model }
        let (name, models) = try named(text, among: list().filter { $0.kind != .incomplete })
        return try Self.choose(ModelName.split(text).variant, among: models, name: name)
    }

    /// The models that share the name in `text`, whatever their quantization, and that name in full.
    func named(_ text: String, among models: [StoredModel]) throws(HubError) -> (name: String, models: [StoredModel]) {
        let wanted = ModelName.split(text).name.lowercased()
        let sets = Dictionary(grouping: models) { ModelName.split($0.name).name }
        var found = sets.keys.filter { $0.lowercased() == wanted }
        if found.isEmpty { found = sets.keys.filter { $0.lowercased().hasSuffix("/" + wanted) } }
        guard let only = found.first, let members = sets[only] else {
            throw .notHere(text, folder: root.path, suggestions: nearest(wanted, among: sets.keys.sorted()))
        }
        guard found.count == 1 else { throw .ambiguousName(text, choices: found.sorted()) }
        return (only, members)
    }

    /// The model at a path; nil if `text` leads to no file.
    private func path(_ text: String) throws(HubError) -> StoredModel? {
        let whole = text.hasPrefix("~/") ? NSString(string: text).expandingTildeInPath : text
        var (path, variant) = (whole, String?.none)
        if fileStatus(URL(filePath: path), followLinks: true) == nil { (path, variant) = ModelName.split(whole) }
        let url = URL(filePath: path)
        let isPath = ["/", "./", "../", "~/"].contains { text.hasPrefix($0) } || path.lowercased().hasSuffix(".gguf")
        guard !path.isEmpty, fileStatus(url, followLinks: true) != nil else {
            // A loose file in the folder of models has a name that looks like a path.
            guard isPath, text.hasPrefix("/") || text.hasPrefix(".") || text.hasPrefix("~") else { return nil }
            throw .notAModel(path: text, why: "there is no such file or folder; check the path.")
        }
        let models = isFolder(url) ? models(of: url, name: path) : file(url, name: path).map { [$0] } ?? []
        if !models.isEmpty { return try Self.choose(variant, among: models, name: path) }
        // A folder `owner/name` of something else must not hide the model of that name.
        guard isPath || !ModelName.isWhole(text) && text.contains("/") else { return nil }
        throw .notAModel(path: text, why: "a model is a .gguf file or a folder with config.json and safetensors.")
    }

    private static func choose(
        _ variant: String?, among models: [StoredModel], name: String
    ) throws(HubError) -> StoredModel {
        if variant == nil, let folder = models.first(where: { $0.kind == .safetensors }) { return folder }
        let groups = models.filter { $0.kind == .gguf }.map { model in
            GGUFGroup(
                stem: model.url.deletingPathExtension().path, quantization: model.quantization,
                partCount: model.partCount, files: model.files)
        }
        guard let variant, groups.isEmpty else {
            let group = try chooseGroup(variant, among: groups, model: name) { group in
                models.first { $0.url == group.files.first }?.size ?? 0
            }
            guard let model = models.first(where: { $0.url == group.files.first }) else {
                throw .notAModel(path: name, why: "it has no files; pull it again.")
            }
            return model
        }
        throw .noSuchQuantization(variant, model: name, choices: ["the safetensors, without a name"])
    }

    // MARK: Looking

    /// The models in the folders in `folder`, down to four levels; of `root` the loose files, too.
    private func models(in folder: URL, prefix: String, depth: Int) -> [StoredModel] {
        let names = QalamHub.names(in: folder)
        var result: [StoredModel] = []
        if depth == 0 {
            let files = names.filter { !$0.hasPrefix(".") }.map { folder.appending(path: $0) }.filter { !isFolder($0) }
            result += ggufGroups(files) { $0.path }.compactMap { group in
                StoredModel(prefix + (group.files.first?.lastPathComponent ?? group.name), group)
            }
        }
        for name in names {
            let child = folder.appending(path: name)
            guard isFolder(child) else { continue }
            if let model = Staging.modelName(of: name) {
                result.append(StoredModel(prefix + model, .incomplete, at: child, files: filesUnder(child)))
            }
            guard !name.hasPrefix("."), !name.hasSuffix(".partial"), !name.hasSuffix(".previous") else { continue }
            let found = models(of: child, name: prefix + name)
            result += found
            let isWhole = ModelManifest.of(child) != nil || found.contains { $0.kind == .safetensors }
            if !isWhole, depth < 4 { result += models(in: child, prefix: prefix + name + "/", depth: depth + 1) }
        }
        return result
    }

    /// The models that a folder is: safetensors, and each quantization of its GGUF files.
    ///
    /// Those in folders inside count if a pull has put them there.
    private func models(of folder: URL, name: String) -> [StoredModel] {
        let top = names(in: folder).filter { !$0.hasPrefix(".") }
        let isPulled = top.contains(ModelManifest.fileName)
        let files = isPulled ? filesUnder(folder) : top.map { folder.appending(path: $0) }.filter { !isFolder($0) }
        var result: [StoredModel] = []
        if top.contains("config.json"), top.contains(where: { $0.hasSuffix(".safetensors") }) {
            let own = filesUnder(folder).filter { $0.pathExtension.lowercased() != "gguf" }
            result.append(StoredModel(name, .safetensors, at: folder, files: own))
        }
        return result
            + ggufGroups(files) { $0.path }.compactMap { StoredModel("\(name):\($0.quantization ?? $0.name)", $0) }
    }

    /// The GGUF model that a file is part of.
    private func file(_ url: URL, name: String) -> StoredModel? {
        let folder = url.deletingLastPathComponent()
        let files = names(in: folder).map { folder.appending(path: $0) }
        let group = ggufGroups(files) { $0.path }.first { group in
            group.files.contains { $0.lastPathComponent == url.lastPathComponent }
        }
        return group.flatMap { StoredModel(name, $0) }
    }
}
