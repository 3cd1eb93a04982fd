// swift-tools-version: 6.3
import PackageDescription

// Every target of ours is built with these; none uses `unsafeFlags`, so that other packages can depend on Qalam.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "Qalam",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "qalam", targets: ["qalam"]),
        .library(name: "QalamEngine", targets: ["QalamEngine"]),
        .library(name: "QalamTraining", targets: ["QalamTraining"]),
        .library(name: "QalamTokenizers", targets: ["QalamTokenizers"]),
        .library(name: "QalamServer", targets: ["QalamServer"]),
        .library(name: "QalamStore", targets: ["QalamStore"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.20.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C
        .target(name: "CQalamKernels", exclude: ["Shared"]),
        .target(name: "CQalamPage", exclude: ["files"]),
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive",
            providers: [.apt(["libarchive-dev"]), .brew(["libarchive"])]),
        .systemLibrary(
            name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
        .systemLibrary(
            name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
        .systemLibrary(
            name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"]), .brew(["webp"])]),
        .systemLibrary(
            name: "CRSVG", pkgConfig: "librsvg-2.0", providers: [.apt(["librsvg2-dev"]), .brew(["librsvg"])]),
        .target(name: "CQalamImages", dependencies: ["CPNG", "CJPEG", "CWebP", "CRSVG"]),

        // Bottom to top
        .target(name: "QalamTensors", dependencies: ["CQalamKernels"], swiftSettings: strict),
        .target(name: "QalamTokenizers", swiftSettings: strict),
        .target(name: "QalamFormats", dependencies: ["CArchive", "QalamTensors"], swiftSettings: strict),
        .target(
            name: "QalamImages",
            dependencies: [
                "CQalamImages", "QalamFormats", "QalamTensors",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .target(
            name: "QalamHub",
            dependencies: [
                "QalamFormats",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .target(
            name: "QalamModels", dependencies: ["QalamFormats", "QalamTensors", "QalamTokenizers"],
            swiftSettings: strict),
        .target(
            name: "QalamEngine", dependencies: ["QalamImages", "QalamModels", "QalamTensors", "QalamTokenizers"],
            swiftSettings: strict),
        .target(
            name: "QalamTraining",
            dependencies: [
                "QalamEngine", "QalamFormats", "QalamImages", "QalamModels", "QalamTensors", "QalamTokenizers",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .target(
            name: "QalamStore",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(
            name: "QalamServer",
            dependencies: [
                "CQalamPage", "QalamEngine", "QalamImages", "QalamModels", "QalamStore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),

        // The program
        .executableTarget(
            name: "qalam",
            dependencies: [
                "QalamEngine", "QalamFormats", "QalamHub", "QalamImages", "QalamModels", "QalamServer",
                "QalamStore", "QalamTensors", "QalamTokenizers", "QalamTraining",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["QalamFormats", "QalamModels", "QalamTensors", "QalamTokenizers"],
            path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(
            name: "QalamTensorsTests", dependencies: ["CQalamKernels", "QalamTensors", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "QalamTokenizersTests", dependencies: ["QalamTokenizers"], swiftSettings: strict),
        .testTarget(
            name: "QalamFormatsTests", dependencies: ["QalamFormats", "QalamTensors", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "QalamImagesTests", dependencies: ["QalamFormats", "QalamImages", "QalamTensors", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "QalamHubTests",
            dependencies: [
                "QalamFormats", "QalamHub",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "QalamModelsTests",
            dependencies: ["QalamFormats", "QalamModels", "QalamTensors", "QalamTokenizers", "TestSupport"],
            swiftSettings: strict),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(
            name: "QalamEngineTests",
            dependencies: [
                "CAllocationCounter", "QalamEngine", "QalamFormats", "QalamImages", "QalamModels", "QalamTensors",
                "QalamTokenizers", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "QalamTrainingTests",
            dependencies: [
                "QalamEngine", "QalamFormats", "QalamImages", "QalamModels", "QalamTensors", "QalamTokenizers",
                "QalamTraining", "TestSupport",
            ], swiftSettings: strict),
        .testTarget(name: "QalamStoreTests", dependencies: ["QalamStore"], swiftSettings: strict),
        .testTarget(
            name: "QalamServerTests",
            dependencies: [
                "QalamEngine", "QalamImages", "QalamServer", "QalamStore",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
    ],
    cLanguageStandard: .gnu17
)
