//! What was recorded: the bytes of load generators, browsers, core and us.

/// As wrk asks.
pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// As a browser behind a proxy asks.
pub(crate) const TWENTY_FIELDS: &[u8] = b"GET /articles/2026/11?page=2 HTTP/1.1\r\n\
Host: example.org\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
Cache-Control: no-cache\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all\r\n\
DNT: 1\r\n\
Origin: https://example.org\r\n\
Pragma: no-cache\r\n\
Priority: u=0, i\r\n\
Referer: https://example.org/a/rather/ordinary/path?with=query\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
Upgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
Via: 1.1 proxy.example.org\r\n\
X-Forwarded-For: 192.0.2.7, 198.51.100.3\r\n\
X-Forwarded-Proto: https\r\n\
X-Request-Id: 6b1f8a1e-9f0c-4a51-9c9e-0d7a2b5c3d4e\r\n\r\n";

/// What `res.end('hello world')` sends.
pub(crate) const ANSWER_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
Connection: keep-alive\r\n\
Keep-Alive: timeout=5\r\n\
Content-Length: 11\r\n\r\n";
pub(crate) const ANSWER_LINES: u32 = 6;
pub(crate) const ANSWER_BODY: &[u8] = b"hello world";

/// What our client asks with.
pub(crate) const CLIENT_GET: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n\r\n";
pub(crate) const CLIENT_GET_LINES: u32 = 4;

/// A body of 10 KB behind the head of a POST.
pub(crate) fn post() -> Vec<u8> {
    let mut bytes =
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 10240\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 10_240, b'x');
    bytes
}

/// A body of 64 chunks of 16 bytes.
pub(crate) fn chunked() -> Vec<u8> {
    let mut bytes = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        bytes.extend_from_slice(b"10\r\n0123456789abcdef\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// An answer as its peer gets it.
pub(crate) fn answer() -> Vec<u8> {
    [ANSWER_HEAD, ANSWER_BODY].concat()
}
