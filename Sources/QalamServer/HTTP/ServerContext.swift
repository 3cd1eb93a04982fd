// SPDX-License-Identifier: Apache-2.0

package import Hummingbird

/// What belongs to one request while it is answered.
package struct ServerContext: RequestContext {
    /// Hummingbird's own part.
    package var coreContext: CoreRequestContextStorage
    /// The request's id, as its sender gets it.
    package var requestID = ""

    /// The context of a request from `source`.
    package init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}
