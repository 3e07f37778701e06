package serve_test

import "net/http"

// The function with returns a case with these request headers. header alternates between names and
// values.
func with(name string, header ...string) contentCase {
	c := contentCase{name: name, header: map[string]string{}}
	for i := 0; i < len(header); i += 2 {
		c.header[header[i]] = header[i+1]
	}
	return c
}

// withPost returns the case with the method POST.
func withPost(c contentCase) contentCase {
	c.method = http.MethodPost
	return c
}

var conditionCases = []contentCase{
	with("If-None-Match/the same", "If-None-Match", `{etag}`),
	with("If-None-Match/the same, weakly", "If-None-Match", `W/{etag}`),
	with("If-None-Match/another", "If-None-Match", `"another"`),
	with("If-None-Match/any", "If-None-Match", `*`),
	with("If-None-Match/one of several", "If-None-Match", `"a", W/"b",,{etag} , "c"`),
	with("If-None-Match/none of several", "If-None-Match", `"a","b"`),
	with("If-None-Match/any among several", "If-None-Match", `"a", *`),
	with("If-None-Match/unquoted", "If-None-Match", `another`),
	with("If-None-Match/after an unquoted tag", "If-None-Match", `another, {etag}`),
	with("If-None-Match/not closed", "If-None-Match", `"another`),
	with("If-None-Match/with a space in it", "If-None-Match", `"a b", {etag}`),
	with("If-None-Match/only commas", "If-None-Match", ` , ,`),
	withPost(with("If-None-Match/the same", "If-None-Match", `{etag}`)),
	withPost(with("If-None-Match/another", "If-None-Match", `"another"`)),

	with("If-Match/the same", "If-Match", `{etag}`),
	with("If-Match/the same, weakly", "If-Match", `W/{etag}`),
	with("If-Match/another", "If-Match", `"another"`),
	with("If-Match/any", "If-Match", `*`),
	with("If-Match/one of several", "If-Match", `"a", {etag}`),
	with("If-Match/none of several", "If-Match", `"a", "b"`),
	with("If-Match/unquoted", "If-Match", `another`),
	withPost(with("If-Match/another", "If-Match", `"another"`)),

	with("If-Modified-Since/the same second", "If-Modified-Since", "{modified}"),
	with("If-Modified-Since/before", "If-Modified-Since", "{before}"),
	with("If-Modified-Since/after", "If-Modified-Since", "{after}"),
	with("If-Modified-Since/no date", "If-Modified-Since", "yesterday"),
	with("If-Modified-Since/RFC 850", "If-Modified-Since", "Sunday, 01-Mar-26 12:00:00 GMT"),
	with("If-Modified-Since/another zone's", "If-Modified-Since", "Sun, 01 Mar 2026 13:00:00 +0100"),
	withPost(with("If-Modified-Since/after", "If-Modified-Since", "{after}")),

	with("If-Unmodified-Since/the same second", "If-Unmodified-Since", "{modified}"),
	with("If-Unmodified-Since/before", "If-Unmodified-Since", "{before}"),
	with("If-Unmodified-Since/after", "If-Unmodified-Since", "{after}"),
	with("If-Unmodified-Since/no date", "If-Unmodified-Since", "yesterday"),
	withPost(with("If-Unmodified-Since/before", "If-Unmodified-Since", "{before}")),

	with("both/If-Match counts more than If-Unmodified-Since", "If-Match", `{etag}`,
		"If-Unmodified-Since", "{before}"),
	with("both/If-None-Match counts more than If-Modified-Since", "If-None-Match", `"another"`,
		"If-Modified-Since", "{after}"),
	with("both/a failed If-Match counts more than If-None-Match", "If-Match", `"another"`,
		"If-None-Match", `{etag}`),
	with("both/If-Unmodified-Since and If-None-Match", "If-Unmodified-Since", "{after}", "If-None-Match",
		`{etag}`),
	of("gzip.gz", with("If-None-Match/the same", "If-None-Match", `{etag}`)),
	of("empty", with("If-None-Match/the same", "If-None-Match", `{etag}`)),
}

// refetched returns a case in which If-Range turns a range into the whole object. This takes a
// second request, because the case is rare. If Object requested the whole object first, every range
// would take two requests.
func refetched(c contentCase) contentCase {
	return asking(c, "Get", "Get")
}

var rangeConditionCases = []contentCase{
	with("If-Range/the same", "Range", "bytes=1-5", "If-Range", `{etag}`),
	with("If-Range/the same date", "Range", "bytes=1-5", "If-Range", "{modified}"),
	refetched(with("If-Range/another", "Range", "bytes=1-5", "If-Range", `"another"`)),
	refetched(with("If-Range/the same, weakly", "Range", "bytes=1-5", "If-Range", `W/{etag}`)),
	refetched(with("If-Range/a date before", "Range", "bytes=1-5", "If-Range", "{before}")),
	refetched(with("If-Range/a date after", "Range", "bytes=1-5", "If-Range", "{after}")),
	refetched(with("If-Range/nonsense", "Range", "bytes=1-5", "If-Range", "another")),
	withHead(with("If-Range/another", "Range", "bytes=1-5", "If-Range", `"another"`)),
	with("If-Range/another, but all was asked for", "Range", "bytes=0-", "If-Range", `"another"`),
	with("If-Range/without a range", "If-Range", `"another"`),
	withPost(with("If-Range/is for reading", "Range", "bytes=1-5", "If-Range", `"another"`)),
	refetched(with("If-Range/another, several", "Range", "bytes=1-5,7-9", "If-Range", `"another"`)),
	asking(with("If-Range/another, past the end", "Range", "bytes=5000-", "If-Range", `"another"`),
		append(pastTheEnd[:3:3], "Get")...),
	with("If-Range/another, malformed", "Range", "bytes=x", "If-Range", `"another"`),

	with("range/not modified", "Range", "bytes=1-5", "If-None-Match", `{etag}`),
	with("range/modified", "Range", "bytes=1-5", "If-None-Match", `"another"`),
	with("range/another than expected", "Range", "bytes=1-5", "If-Match", `"another"`),
	asking(with("range/past the end of what is not modified", "Range", "bytes=5000-", "If-None-Match",
		`{etag}`), pastTheEnd...),
	with("range/malformed, of what is not modified", "Range", "bytes=x", "If-None-Match", `{etag}`),
}
