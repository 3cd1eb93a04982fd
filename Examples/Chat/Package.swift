// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "Chat",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "Qalam", path: "../..")],
    targets: [
        .executableTarget(name: "Chat", dependencies: [.product(name: "QalamEngine", package: "Qalam")])
    ]
)
