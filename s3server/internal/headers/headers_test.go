package headers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

var written = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// header returns headers whose names and values alternate.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// requireCode requires an error with a code, or none if that is "".
func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	if code == "" {
		require.NoError(t, err)
		return
	}
	require.True(t, s3error.Is(err, code), err)
}

// The conditional headers of a read decide whether it succeeds.
func TestReadConditions(t *testing.T) {
	dayBefore := written.Add(-time.Hour).Format(http.TimeFormat)
	dayAfter := written.Add(time.Hour).Format(http.TimeFormat)
	tests := map[string]struct {
		header http.Header
		code   string
	}{
		"none":                        {nil, ""},
		"the same tag":                {header("If-Match", `"a"`), ""},
		"the same tag without quotes": {header("If-Match", `a`), ""},
		"one of two tags":             {header("If-Match", `"b", "a"`), ""},
		"any tag":                     {header("If-Match", `*`), ""},
		"another tag":                 {header("If-Match", `"b"`), "PreconditionFailed"},
		"changed since":               {header("If-Unmodified-Since", dayBefore), "PreconditionFailed"},
		"changed since, with the tag": {header("If-Unmodified-Since", dayBefore, "If-Match", `"a"`), ""},
		"not changed since":           {header("If-Unmodified-Since", dayAfter), ""},
		"not this tag":                {header("If-None-Match", `"a"`), "NotModified"},
		"not another tag":             {header("If-None-Match", `"b"`), ""},
		"only if changed":             {header("If-Modified-Since", dayAfter), "NotModified"},
		"only if changed, and another tag": {header("If-Modified-Since", dayAfter, "If-None-Match",
			`"b"`), ""},
		"a date that is none":       {header("If-Modified-Since", "soon"), ""},
		"the tag in a second line":  {http.Header{"If-Match": {`"b"`, `"a"`}}, ""},
		"a tag after an empty line": {http.Header{"If-Match": {"", `"b"`}}, "PreconditionFailed"},
		"two empty lines": {http.Header{
			"If-Match":      {"", ""},
			"If-None-Match": {"", ""},
		}, ""},
		"not this tag, in a second line": {http.Header{"If-None-Match": {`"b"`, `"a"`}}, "NotModified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requireCode(t, tt.code, headers.CheckRead(tt.header, &state.Version{
				Modified: written,
				Object:   state.Object{ETag: `"a"`},
			}))
		})
	}
}

// WriteCondition turns the conditional headers of a write into a condition, or fails with NotImplemented.
func TestWriteConditions(t *testing.T) {
	tests := map[string]struct {
		header    http.Header
		condition state.WriteCondition
		code      string
	}{
		"none": {header: nil, condition: state.WriteCondition{}, code: ""},
		"absent": {
			header:    header("If-None-Match", "*"),
			condition: state.WriteCondition{Absent: true},
			code:      "",
		},
		"a tag": {
			header:    header("If-Match", `"a"`),
			condition: state.WriteCondition{Match: `"a"`},
			code:      "",
		},
		"not a tag": {
			header:    header("If-None-Match", `"a"`),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		"both": {
			header:    header("If-None-Match", "*", "If-Match", `"a"`),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		"two lines": {
			header:    http.Header{"If-None-Match": {"*", "*"}},
			condition: state.WriteCondition{Absent: true},
			code:      "",
		},
		"a second": {
			header:    http.Header{"If-None-Match": {"", "*"}},
			condition: state.WriteCondition{Absent: true},
			code:      "",
		},
		"another tag": {
			header:    http.Header{"If-None-Match": {"*", `"a"`}},
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		"two tags": {
			header:    http.Header{"If-Match": {`"a"`, `"b"`}},
			condition: state.WriteCondition{Match: `"a","b"`},
			code:      "",
		},
		"empty lines": {
			header:    http.Header{"If-Match": {"", ""}, "If-None-Match": {"", ""}},
			condition: state.WriteCondition{},
			code:      "",
		},
		"by the time": {
			header:    header("If-Modified-Since", "soon"),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		"a 2nd time": {
			header:    http.Header{"If-Unmodified-Since": {"", "soon"}},
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			condition, err := headers.WriteCondition(tt.header)
			requireCode(t, tt.code, err)
			require.Equal(t, tt.condition, condition)
		})
	}
}

// An operation without conditions refuses conditional headers.
func TestNoWriteCondition(t *testing.T) {
	tests := map[string]struct {
		header http.Header
		code   string
	}{
		"none":                {header("Range", "bytes=0-1"), ""},
		"empty":               {header("If-Match", ""), ""},
		"two empty lines":     {http.Header{"If-Match": {"", ""}}, ""},
		"one":                 {header("If-Match", `"a"`), "NotImplemented"},
		"after an empty line": {http.Header{"If-None-Match": {"", "*"}}, "NotImplemented"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requireCode(t, tt.code, headers.NoWriteCondition(tt.header))
		})
	}
}

// The headers of an object lock are parsed, or refused if they are incomplete or invalid.
func TestLockOfHeaders(t *testing.T) {
	retainUntil := "2026-03-02T00:00:00Z"
	now := written
	tests := map[string]struct {
		header http.Header
		lock   state.Lock
		code   string
	}{
		"none":   {header: nil, lock: state.Lock{}, code: ""},
		"a hold": {header: header(state.LockHold, "ON"), lock: state.Lock{Hold: "ON"}, code: ""},
		"a retention": {
			header: header(state.LockMode, "GOVERNANCE", state.LockUntil, retainUntil),
			lock:   state.Lock{Mode: "GOVERNANCE", Until: now.Add(12 * time.Hour)},
			code:   "",
		},
		"no date": {
			header: header(state.LockMode, "GOVERNANCE"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		"no mode": {
			header: header(state.LockUntil, retainUntil),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		"an unknown mode": {
			header: header(state.LockMode, "FOREVER", state.LockUntil, retainUntil),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		"an unknown hold": {
			header: header(state.LockHold, "MAYBE"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		"a date that is not": {
			header: header(state.LockMode, "COMPLIANCE", state.LockUntil, "soon"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		"a date that passed": {
			header: header(state.LockMode, "COMPLIANCE", state.LockUntil, "2026-03-01T00:00:00Z"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			lock, err := headers.Lock(tt.header, now)
			requireCode(t, tt.code, err)
			if err == nil {
				require.Equal(t, tt.lock, lock)
			}
		})
	}
}

// Properties returns the properties of an object from the headers of its upload.
func TestProperties(t *testing.T) {
	p, err := headers.Properties(header("X-Amz-Meta-Name", "ü", "Content-Encoding", "aws-chunked, gzip",
		"Cache-Control", "no-cache", "X-Other", "x"), 100)
	require.NoError(t, err)
	require.Equal(t, "STANDARD", p.Class)
	require.Equal(t, http.Header{
		"x-amz-meta-name":  {"=?UTF-8?b?w7w=?="},
		"Content-Encoding": {"gzip"},
		"Cache-Control":    {"no-cache"},
		"Content-Type":     {"binary/octet-stream"},
	}, p.Header)

	tests := map[string]struct {
		header http.Header
		code   string
	}{
		"an unknown class": {header("X-Amz-Storage-Class", "LUKEWARM"), "InvalidStorageClass"},
		"much metadata":    {header("X-Amz-Meta-A", strings.Repeat("a", 100)), "MetadataTooLarge"},
		"a tag twice":      {header("X-Amz-Tagging", "a=1&a=2"), "InvalidTag"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := headers.Properties(tt.header, 100)
			requireCode(t, tt.code, err)
		})
	}
}

// Check accepts the headers of an operation, and refuses those of others. If it is strict, it also refuses unknown
// headers that begin with X-Amz-.
func TestOperationHeaders(t *testing.T) {
	tests := map[string]struct {
		operation, header string
		code, strict      string // of the error, if the server is lenient or strict
	}{
		"one of every operation": {operation: "GetBucketAcl", header: "X-Amz-Date"},
		"one of the operation":   {operation: "PutObject", header: "X-Amz-Storage-Class"},
		"metadata":               {operation: "PutObject", header: "X-Amz-Meta-A"},
		"metadata of a read": {
			operation: "GetObject",
			header:    "X-Amz-Meta-A",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		"one of another operation": {
			operation: "GetObject",
			header:    "X-Amz-Storage-Class",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		"a checksum of a document": {operation: "PutBucketWebsite", header: "X-Amz-Checksum-Crc32"},
		"one that AWS has": {
			operation: "PutObject",
			header:    "X-Amz-Mfa",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		"one that nobody knows": {operation: "PutObject", header: "X-Amz-Color", strict: "NotImplemented"},
		"one that is not AWS's": {operation: "PutObject", header: "X-Color"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requireCode(t, tt.code, headers.Check(tt.operation, header(tt.header, "x"), false))
			requireCode(t, tt.strict, headers.Check(tt.operation, header(tt.header, "x"), true))
		})
	}
}
