// SPDX-License-Identifier: Apache-2.0

/// The values of `format` that are enforced, as expressions for the whole string.
///
/// Each admits only what its RFC admits, in the usual spelling: no leap seconds, no quoted mailboxes, no
/// addresses in mailboxes, ASCII host names, `uri` with a scheme. Calendar dates are exact, leap years included.
enum SchemaFormats {
    private static let date: String = {
        let leap = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
        return
            "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
            + "|02-(?:0[1-9]|1[0-9]|2[0-8]))|\(leap)-02-29)"
    }()
    private static let time =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    private static let duration: String = {
        let time = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
        let date = "(?:[0-9]+D|[0-9]+M(?:[0-9]+D)?|[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?)"
        return "P(?:\(date)(?:\(time))?|\(time)|[0-9]+W)"
    }()
    /// A label without two hyphens in third place, which would make it an internationalized one.
    private static let safeLabel =
        "(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]{1,2}[A-Za-z0-9]"
        + "|[A-Za-z0-9][A-Za-z0-9-][A-Za-z0-9][A-Za-z0-9-]{0,28}[A-Za-z0-9])"
    private static let hostname = "\(safeLabel)(?:\\.\(safeLabel)){0,6}"
    private static let mailbox = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
    private static let email = "\(mailbox){1,32}(?:\\.\(mailbox){1,15}){0,2}@\(hostname)"
    private static let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    private static let ipv4 = "\(octet)(?:\\.\(octet)){3}"
    private static let ipv6: String = {
        let group = "[0-9A-Fa-f]{1,4}"
        var forms = ["(?:\(group):){7}\(group)", "(?:\(group):){6}\(ipv4)"]
        // "::" for at least one group, after `left` groups and before up to `6 - left` more.
        for left in 0...7 {
            let head = left == 0 ? "" : "\(group)(?::\(group)){\(left - 1)}"
            let most = 7 - left
            forms.append(most == 0 ? "\(head)::" : "\(head)::(?:\(group)(?::\(group)){0,\(most - 1)})?")
            if left <= 5 { forms.append("\(head)::(?:\(group):){0,\(5 - left)}\(ipv4)") }
        }
        return "(?:" + forms.joined(separator: "|") + ")"
    }()
    private static let uuid = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
    private static let uri: String = {
        let char = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
        let user = "(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@"
        let host = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\\[\(ipv6)\\])"
        let authority = "//(?:\(user))?\(host)(?::[0-9]*)?(?:/\(char)*)*"
        let path = "(?:/(?:\(char)+(?:/\(char)*)*)?|\(char)+(?:/\(char)*)*)?"
        return "[A-Za-z][A-Za-z0-9+.-]*:(?:\(authority)|\(path))(?:\\?(?:\(char)|[/?])*)?(?:#(?:\(char)|[/?])*)?"
    }()

    static let patterns: [String: String] = [
        "date": date, "time": time, "date-time": "\(date)[Tt]\(time)", "duration": duration, "uuid": uuid,
        "email": email, "hostname": hostname, "ipv4": ipv4, "ipv6": ipv6, "uri": uri,
    ]
}
