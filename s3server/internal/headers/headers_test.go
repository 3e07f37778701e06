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
	tests := []struct {
		name   string
		header http.Header
		code   string
	}{
		{name: "none"},
		{name: "the same tag", header: header("If-Match", `"a"`)},
		{name: "the same tag without quotes", header: header("If-Match", `a`)},
		{name: "one of two tags", header: header("If-Match", `"b", "a"`)},
		{name: "any tag", header: header("If-Match", `*`)},
		{name: "another tag", header: header("If-Match", `"b"`), code: "PreconditionFailed"},
		{
			name:   "changed since",
			header: header("If-Unmodified-Since", dayBefore),
			code:   "PreconditionFailed",
		},
		{
			name:   "changed since, with the tag",
			header: header("If-Unmodified-Since", dayBefore, "If-Match", `"a"`),
		},
		{name: "not changed since", header: header("If-Unmodified-Since", dayAfter)},
		{name: "not this tag", header: header("If-None-Match", `"a"`), code: "NotModified"},
		{name: "not another tag", header: header("If-None-Match", `"b"`)},
		{name: "only if changed", header: header("If-Modified-Since", dayAfter), code: "NotModified"},
		{
			name: "only if changed, and another tag",
			header: header("If-Modified-Since", dayAfter, "If-None-Match",
				`"b"`),
		},
		{name: "a date that is none", header: header("If-Modified-Since", "soon")},
		{name: "the tag in a second line", header: http.Header{"If-Match": {`"b"`, `"a"`}}},
		{
			name:   "a tag after an empty line",
			header: http.Header{"If-Match": {"", `"b"`}},
			code:   "PreconditionFailed",
		},
		{
			name: "two empty lines",
			header: http.Header{
				"If-Match":      {"", ""},
				"If-None-Match": {"", ""},
			},
		},
		{
			name:   "not this tag, in a second line",
			header: http.Header{"If-None-Match": {`"b"`, `"a"`}},
			code:   "NotModified",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireCode(t, tt.code, headers.CheckRead(tt.header, &state.Version{
				Modified: written,
				Object:   state.Object{ETag: `"a"`},
			}))
		})
	}
}

// WriteCondition turns the conditional headers of a write into a condition, or fails with NotImplemented.
func TestWriteConditions(t *testing.T) {
	tests := []struct {
		name      string
		header    http.Header
		condition state.WriteCondition
		code      string
	}{
		{name: "none", condition: state.WriteCondition{}},
		{
			name:      "absent",
			header:    header("If-None-Match", "*"),
			condition: state.WriteCondition{Absent: true},
		},
		{
			name:      "a tag",
			header:    header("If-Match", `"a"`),
			condition: state.WriteCondition{Match: `"a"`},
		},
		{
			name:      "not a tag",
			header:    header("If-None-Match", `"a"`),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		{
			name:      "both",
			header:    header("If-None-Match", "*", "If-Match", `"a"`),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		{
			name:      "two lines",
			header:    http.Header{"If-None-Match": {"*", "*"}},
			condition: state.WriteCondition{Absent: true},
		},
		{
			name:      "a second",
			header:    http.Header{"If-None-Match": {"", "*"}},
			condition: state.WriteCondition{Absent: true},
		},
		{
			name:      "another tag",
			header:    http.Header{"If-None-Match": {"*", `"a"`}},
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		{
			name:      "two tags",
			header:    http.Header{"If-Match": {`"a"`, `"b"`}},
			condition: state.WriteCondition{Match: `"a","b"`},
		},
		{
			name:      "empty lines",
			header:    http.Header{"If-Match": {"", ""}, "If-None-Match": {"", ""}},
			condition: state.WriteCondition{},
		},
		{
			name:      "by the time",
			header:    header("If-Modified-Since", "soon"),
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
		{
			name:      "a 2nd time",
			header:    http.Header{"If-Unmodified-Since": {"", "soon"}},
			condition: state.WriteCondition{},
			code:      "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			condition, err := headers.WriteCondition(tt.header)
			requireCode(t, tt.code, err)
			require.Equal(t, tt.condition, condition)
		})
	}
}

// An operation without conditions refuses conditional headers that are not empty.
func TestNoWriteCondition(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		code   string
	}{
		{name: "no condition", header: header("Range", "bytes=0-1")},
		{name: "an empty condition", header: header("If-Match", "")},
		{name: "two empty lines", header: http.Header{"If-Match": {"", ""}}},
		{name: "a condition", header: header("If-Match", `"a"`), code: "NotImplemented"},
		{
			name:   "a condition after an empty line",
			header: http.Header{"If-None-Match": {"", "*"}},
			code:   "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireCode(t, tt.code, headers.NoWriteCondition(tt.header))
		})
	}
}

// The headers of an object lock are parsed, or refused if they are incomplete or invalid.
func TestLockOfHeaders(t *testing.T) {
	retainUntil := "2026-03-02T00:00:00Z"
	now := written
	tests := []struct {
		name   string
		header http.Header
		lock   state.Lock
		code   string
	}{
		{name: "none", lock: state.Lock{}},
		{name: "a hold", header: header(state.LockHold, "ON"), lock: state.Lock{Hold: "ON"}},
		{
			name:   "a retention",
			header: header(state.LockMode, "GOVERNANCE", state.LockUntil, retainUntil),
			lock:   state.Lock{Mode: "GOVERNANCE", Until: now.Add(12 * time.Hour)},
		},
		{
			name:   "no date",
			header: header(state.LockMode, "GOVERNANCE"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		{
			name:   "no mode",
			header: header(state.LockUntil, retainUntil),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		{
			name:   "an unknown mode",
			header: header(state.LockMode, "FOREVER", state.LockUntil, retainUntil),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		{
			name:   "an unknown hold",
			header: header(state.LockHold, "MAYBE"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		{
			name:   "a date that is not",
			header: header(state.LockMode, "COMPLIANCE", state.LockUntil, "soon"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
		{
			name:   "a date that passed",
			header: header(state.LockMode, "COMPLIANCE", state.LockUntil, "2026-03-01T00:00:00Z"),
			lock:   state.Lock{},
			code:   "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lock, err := headers.Lock(tt.header, now)
			requireCode(t, tt.code, err)
			if err == nil {
				require.Equal(t, tt.lock, lock)
			}
		})
	}
}

// Properties returns the properties of an object from the headers of its upload, and refuses invalid ones.
func TestProperties(t *testing.T) {
	const maxMetadata = 100

	// Metadata is encoded as RFC 2047 demands, aws-chunked is not a coding of the object, and unknown headers are ignored.
	p, err := headers.Properties(header(
		"X-Amz-Meta-Name", "ü",
		"Content-Encoding", "aws-chunked, gzip",
		"Cache-Control", "no-cache",
		"X-Other", "x",
	), maxMetadata)
	require.NoError(t, err)
	require.Equal(t, "STANDARD", p.Class)
	require.Equal(t, http.Header{
		"x-amz-meta-name":  {"=?UTF-8?b?w7w=?="},
		"Content-Encoding": {"gzip"},
		"Cache-Control":    {"no-cache"},
		"Content-Type":     {"binary/octet-stream"},
	}, p.Header)

	// Invalid properties are refused.
	tests := []struct {
		name   string
		header http.Header
		code   string
	}{
		{
			name:   "an unknown class",
			header: header("X-Amz-Storage-Class", "LUKEWARM"),
			code:   "InvalidStorageClass",
		},
		{
			name:   "too much metadata",
			header: header("X-Amz-Meta-A", strings.Repeat("a", maxMetadata)),
			code:   "MetadataTooLarge",
		},
		{name: "a tag twice", header: header("X-Amz-Tagging", "a=1&a=2"), code: "InvalidTag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := headers.Properties(tt.header, maxMetadata)
			requireCode(t, tt.code, err)
		})
	}
}

// Check refuses the headers of other operations and, if it is strict, also unknown headers that begin with X-Amz-.
func TestOperationHeaders(t *testing.T) {
	tests := []struct {
		name      string
		operation string
		header    string
		code      string // of the error of a lenient server, or ""
		strict    string // of the error of a strict server, or ""
	}{
		{name: "one of every operation", operation: "GetBucketAcl", header: "X-Amz-Date"},
		{name: "one of the operation", operation: "PutObject", header: "X-Amz-Storage-Class"},
		{name: "metadata", operation: "PutObject", header: "X-Amz-Meta-A"},
		{
			name:      "metadata of a read",
			operation: "GetObject",
			header:    "X-Amz-Meta-A",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		{
			name:      "one of another operation",
			operation: "GetObject",
			header:    "X-Amz-Storage-Class",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		{
			name:      "a checksum of a document",
			operation: "PutBucketWebsite",
			header:    "X-Amz-Checksum-Crc32",
		},
		{
			name:      "one that AWS has",
			operation: "PutObject",
			header:    "X-Amz-Mfa",
			code:      "NotImplemented",
			strict:    "NotImplemented",
		},
		{
			name:      "one that nobody knows",
			operation: "PutObject",
			header:    "X-Amz-Color",
			strict:    "NotImplemented",
		},
		{name: "one that is not AWS's", operation: "PutObject", header: "X-Color"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(tt.header, "x")
			requireCode(t, tt.code, headers.Check(tt.operation, h, false))
			requireCode(t, tt.strict, headers.Check(tt.operation, h, true))
		})
	}
}
