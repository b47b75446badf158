//! The cases of hardening: what the RFCs forbid and core lets through, and what is near to that and allowed.

/// The row that a case is in; the case, as `examples/trace.rs` has them.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("bare-line-end", r"server : \nGET\s/\sHTTP/1.1\r\n\r\n"),
    ("bare-line-end", r"server : \r\r\nGET\s/\sHTTP/1.1\r\n\r\n"),
    ("bare-line-end", r"server : \rGET\s/\sHTTP/1.1\r\n\r\n"),
    (
        "bare-line-end",
        r"server : \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nGET\s/\sHTTP/1.1\r\n\r\n",
    ),
    (
        "empty-lines",
        r"server : \r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET\s/\sHTTP/1.1\r\n\r\n",
    ),
    (
        "request-line-spaces",
        r"server : GET\s\s/\sHTTP/1.1\r\n\r\n",
    ),
    (
        "request-line-spaces",
        r"server : GET\s/\s\sHTTP/1.1\r\n\r\n",
    ),
    ("method-unknown", r"server : get\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : FOO\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : GE\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : GETS\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : !#$\s/\sHTTP/1.1\r\n\r\n"),
    (
        "target-too-long",
        r"server size=20 : GET\s/23456789012345678901\sHTTP/1.1\r\n\r\n",
    ),
    (
        "target-too-long",
        r"server size=20 : GET\s/23456789012345678901\nA:\sb\r\n\r\n",
    ),
    ("target-fragment", r"server : GET\s/a#b\sHTTP/1.1\r\n\r\n"),
    ("target-byte", r"server : GET\s/a|b\sHTTP/1.1\r\n\r\n"),
    ("target-byte", r#"server : GET\s/?"\sHTTP/1.1\r\n\r\n"#),
    ("target-asterisk", r"server : GET\s*\sHTTP/1.1\r\n\r\n"),
    ("target-asterisk", r"server : OPTIONS\s*a\sHTTP/1.1\r\n\r\n"),
    ("version-missing", r"server : GET\s/\r\n\r\n"),
    ("version-missing", r"server : GET\s/\nA:\sb\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/0.9\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/1.2\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/2.0\r\n\r\n"),
    ("protocol-other", r"server : SOURCE\s/\sICE/1.0\r\n\r\n"),
    ("protocol-other", r"server : OPTIONS\s/\sRTSP/1.0\r\n\r\n"),
    (
        "host-repeated",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nHost:\sb\r\n\r\n",
    ),
    (
        "host-repeated",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nhost:\sa\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\sb\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa,b\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\s\xe9\r\n\r\n",
    ),
    (
        "field-spaces",
        r"server size=20 : GET\s/\sHTTP/1.1\r\nA:\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\sb\r\n\r\n",
    ),
    (
        "field-count",
        r"server fields=2 drop : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nA:\sb\r\nTransfer-Encoding:\schunked\r\n\r\n",
    ),
    (
        "field-count",
        r"server fields=2 groups : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nA:\sb\r\nB:\sc\r\n\r\n",
    ),
    (
        "expect-inexact",
        r"server : GET\s/\sHTTP/1.1\r\nExpect:\sx-100-continue\r\n\r\n",
    ),
    (
        "expect-inexact",
        r"server : GET\s/\sHTTP/1.1\r\nExpect:\s100-continue,\sa\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\sgzip,\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\scow\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "coding-not-chunked",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\scow\r\n\r\n",
    ),
    (
        "coding-in-1.0",
        r"server : POST\s/\sHTTP/1.0\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "length-huge",
        r"server : POST\s/\sHTTP/1.1\r\nContent-Length:\s9007199254740992\r\n\r\n",
    ),
    (
        "trace-body",
        r"server : TRACE\s/\sHTTP/1.1\r\nContent-Length:\s1\r\n\r\na",
    ),
    (
        "chunk-huge",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n20000000000000\r\n",
    ),
    (
        "chunk-size-digits",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n00000000000000000\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;=b\r\na\r\n0\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;a=\r\na\r\n0\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;;a\r\na\r\n0\r\n\r\n",
    ),
    (
        "trailer-field",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\nConnection:\sclose\r\n\r\n",
    ),
    ("bare-line-end", r"client : \nHTTP/1.1\s204\sNo\r\n\r\n"),
    ("version-other", r"client : HTTP/2.0\s204\sNo\r\n\r\n"),
    ("version-other", r"client : HTTP/0.9\s204\sNo\r\n\r\n"),
    ("protocol-other", r"client : ICE/1.0\s204\sNo\r\n\r\n"),
    ("reason-control", r"client : HTTP/1.1\s204\sN\x01o\r\n\r\n"),
    ("reason-control", r"client : HTTP/1.1\s204\sN\x00o\r\n\r\n"),
    (
        "status-range",
        r"client : HTTP/1.1\s099\sNo\r\nContent-Length:\s0\r\n\r\n",
    ),
    (
        "status-range",
        r"client : HTTP/1.1\s600\sNo\r\nContent-Length:\s0\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"client : HTTP/1.1\s200\sOK\r\nTransfer-Encoding:\schunked,\schunked\r\n\r\n0\r\n\r\n",
    ),
    ("body-unframed", r"client : HTTP/1.1\s200\sOK\r\n\r\na"),
    ("switch-unnamed", r"client : HTTP/1.1\s101\sOK\r\n\r\n"),
    (
        "trailer-field",
        r"client : HTTP/1.1\s200\sOK\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\nHost:\sa\r\n\r\n",
    ),
];

/// What is let through in strict mode, too, but read otherwise: row, case, what is made of it.
pub(crate) const OVERLOOKED: &[(&str, &str, &str)] = &[
    (
        "proxy-connection",
        r"server : GET\s/\sHTTP/1.1\r\nProxy-Connection:\sclose\r\n\r\n",
        r#"head 1.1 GET "/" keep up- [Proxy-Connection: close]; end"#,
    ),
    (
        "after-close",
        r"server : GET\s/\sHTTP/1.1\r\nConnection:\sclose\r\n\r\nx",
        r#"head 1.1 GET "/" close up- [Connection: close]; end"#,
    ),
];

/// What no row has.
pub(crate) const ORDINARY: &[&str] = &[
    r"server : \r\nGET\s/a?b[c]=d&e=%20\sHTTP/1.1\r\nHost:\s[::1]:80\r\nExpect:\s100-Continue\r\n\r\n",
    r"server : OPTIONS\s*\sHTTP/1.1\r\nHost:\r\n\r\n",
    r"server : GET\shttp://a/b\sHTTP/1.0\r\n\r\n",
    r"server : CONNECT\sa:80\sHTTP/1.1\r\nHost:\sa:80\r\n\r\n",
    r#"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\sChunked\r\n\r\n01;a=b;c="\\"";d\r\na\r\n0\r\nA:\sb\r\n\r\n"#,
    r"client : HTTP/1.1\s103\sEarly\r\n\r\nHTTP/1.1\s200\sOK\r\nContent-Length:\s1\r\n\r\na",
    r"client eof : HTTP/1.0\s200\sOK\r\n\r\na",
    r"client head : HTTP/1.1\s200\sOK\r\n\r\n",
];
