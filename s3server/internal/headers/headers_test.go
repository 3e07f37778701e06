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

// header returns headers. Its arguments are names, each followed by its value.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// requireCode requires an error with the given code, or no error if the code is "".
func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	if code == "" {
		require.NoError(t, err)
		return
	}
	require.True(t, s3error.Is(err, code), err)
}

// The conditional headers of a read decide whether it succeeds. The object has the entity tag "a",
// and was last modified at the time written.
func TestReadConditions(t *testing.T) {
	hourBefore := written.Add(-time.Hour).Format(http.TimeFormat)
	hourAfter := written.Add(time.Hour).Format(http.TimeFormat)
	tests := []struct {
		name     string
		header   http.Header
		wantCode string
	}{
		{name: "no condition"},
		{name: "If-Match with the entity tag", header: header("If-Match", `"a"`)},
		{name: "If-Match with the unquoted entity tag", header: header("If-Match", `a`)},
		{name: "If-Match with two entity tags", header: header("If-Match", `"b", "a"`)},
		{name: "If-Match with a star", header: header("If-Match", `*`)},
		{name: "If-Match with another entity tag", header: header("If-Match", `"b"`), wantCode: "PreconditionFailed"},
		{
			name:     "If-Unmodified-Since, modified",
			header:   header("If-Unmodified-Since", hourBefore),
			wantCode: "PreconditionFailed",
		},
		{
			name:   "If-Unmodified-Since, modified, but If-Match with the entity tag",
			header: header("If-Unmodified-Since", hourBefore, "If-Match", `"a"`),
		},
		{name: "If-Unmodified-Since, not modified", header: header("If-Unmodified-Since", hourAfter)},
		{name: "If-None-Match with the entity tag", header: header("If-None-Match", `"a"`), wantCode: "NotModified"},
		{name: "If-None-Match with another entity tag", header: header("If-None-Match", `"b"`)},
		{
			name:     "If-Modified-Since, not modified",
			header:   header("If-Modified-Since", hourAfter),
			wantCode: "NotModified",
		},
		{
			name: "If-Modified-Since, not modified, but If-None-Match with another tag",
			header: header("If-Modified-Since", hourAfter, "If-None-Match",
				`"b"`),
		},
		{name: "If-Modified-Since with an invalid date", header: header("If-Modified-Since", "soon")},
		{name: "second If-Match with the entity tag", header: http.Header{"If-Match": {`"b"`, `"a"`}}},
		{
			name:     "second If-Match with another entity tag, first empty",
			header:   http.Header{"If-Match": {"", `"b"`}},
			wantCode: "PreconditionFailed",
		},
		{
			name: "empty headers",
			header: http.Header{
				"If-Match":      {"", ""},
				"If-None-Match": {"", ""},
			},
		},
		{
			name:     "second If-None-Match with the entity tag",
			header:   http.Header{"If-None-Match": {`"b"`, `"a"`}},
			wantCode: "NotModified",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireCode(t, tt.wantCode, headers.CheckRead(tt.header, &state.Version{
				Modified: written,
				Object:   state.Object{ETag: `"a"`},
			}))
		})
	}
}

// WriteCondition turns the conditional headers of a write into a condition, or fails with NotImplemented.
func TestWriteConditions(t *testing.T) {
	tests := []struct {
		name          string
		header        http.Header
		wantCondition state.WriteCondition
		wantCode      string
	}{
		{name: "no condition", wantCondition: state.WriteCondition{}},
		{
			name:          "If-None-Match with a star",
			header:        header("If-None-Match", "*"),
			wantCondition: state.WriteCondition{Absent: true},
		},
		{
			name:          "If-Match",
			header:        header("If-Match", `"a"`),
			wantCondition: state.WriteCondition{Match: `"a"`},
		},
		{
			name:          "If-None-Match with an entity tag",
			header:        header("If-None-Match", `"a"`),
			wantCondition: state.WriteCondition{},
			wantCode:      "NotImplemented",
		},
		{
			name:          "If-None-Match and If-Match",
			header:        header("If-None-Match", "*", "If-Match", `"a"`),
			wantCondition: state.WriteCondition{},
			wantCode:      "NotImplemented",
		},
		{
			name:          "two equal headers",
			header:        http.Header{"If-None-Match": {"*", "*"}},
			wantCondition: state.WriteCondition{Absent: true},
		},
		{
			name:          "second header, first empty",
			header:        http.Header{"If-None-Match": {"", "*"}},
			wantCondition: state.WriteCondition{Absent: true},
		},
		{
			name:          "second header with an entity tag",
			header:        http.Header{"If-None-Match": {"*", `"a"`}},
			wantCondition: state.WriteCondition{},
			wantCode:      "NotImplemented",
		},
		{
			name:          "two entity tags",
			header:        http.Header{"If-Match": {`"a"`, `"b"`}},
			wantCondition: state.WriteCondition{Match: `"a","b"`},
		},
		{
			name:          "empty headers",
			header:        http.Header{"If-Match": {"", ""}, "If-None-Match": {"", ""}},
			wantCondition: state.WriteCondition{},
		},
		{
			name:          "If-Modified-Since",
			header:        header("If-Modified-Since", "soon"),
			wantCondition: state.WriteCondition{},
			wantCode:      "NotImplemented",
		},
		{
			name:          "second If-Unmodified-Since, first empty",
			header:        http.Header{"If-Unmodified-Since": {"", "soon"}},
			wantCondition: state.WriteCondition{},
			wantCode:      "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			condition, err := headers.WriteCondition(tt.header)
			requireCode(t, tt.wantCode, err)
			require.Equal(t, tt.wantCondition, condition)
		})
	}
}

// An operation without conditions refuses conditional headers that are not empty.
func TestNoWriteCondition(t *testing.T) {
	tests := []struct {
		name     string
		header   http.Header
		wantCode string
	}{
		{name: "no condition", header: header("Range", "bytes=0-1")},
		{name: "empty header", header: header("If-Match", "")},
		{name: "two empty headers", header: http.Header{"If-Match": {"", ""}}},
		{name: "condition", header: header("If-Match", `"a"`), wantCode: "NotImplemented"},
		{
			name:     "second header with a condition, first empty",
			header:   http.Header{"If-None-Match": {"", "*"}},
			wantCode: "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireCode(t, tt.wantCode, headers.NoWriteCondition(tt.header))
		})
	}
}

// The headers of an object lock are parsed, or refused if they are incomplete or invalid.
func TestLockOfHeaders(t *testing.T) {
	const retainUntil = "2026-03-02T00:00:00Z"
	now := written
	tests := []struct {
		name     string
		header   http.Header
		wantLock state.Lock
		wantCode string
	}{
		{name: "no lock", wantLock: state.Lock{}},
		{name: "legal hold", header: header(state.LockHold, "ON"), wantLock: state.Lock{Hold: "ON"}},
		{
			name:     "retention",
			header:   header(state.LockMode, "GOVERNANCE", state.LockUntil, retainUntil),
			wantLock: state.Lock{Mode: "GOVERNANCE", Until: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
		},
		{
			name:     "date missing",
			header:   header(state.LockMode, "GOVERNANCE"),
			wantCode: "InvalidArgument",
		},
		{
			name:     "mode missing",
			header:   header(state.LockUntil, retainUntil),
			wantCode: "InvalidArgument",
		},
		{
			name:     "unknown mode",
			header:   header(state.LockMode, "FOREVER", state.LockUntil, retainUntil),
			wantCode: "InvalidArgument",
		},
		{
			name:     "unknown legal hold",
			header:   header(state.LockHold, "MAYBE"),
			wantCode: "InvalidArgument",
		},
		{
			name:     "invalid date",
			header:   header(state.LockMode, "COMPLIANCE", state.LockUntil, "soon"),
			wantCode: "InvalidArgument",
		},
		{
			name:     "date in the past",
			header:   header(state.LockMode, "COMPLIANCE", state.LockUntil, "2026-03-01T00:00:00Z"),
			wantCode: "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lock, err := headers.Lock(tt.header, now)
			requireCode(t, tt.wantCode, err)
			if err == nil {
				require.Equal(t, tt.wantLock, lock)
			}
		})
	}
}

// Properties returns the properties of an object from the headers of its upload, and refuses invalid ones.
func TestProperties(t *testing.T) {
	const maxMetadata = 100

	// Metadata is encoded as RFC 2047 demands. The coding aws-chunked is not one of the object, and
	// unknown headers are ignored.
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
		name     string
		header   http.Header
		wantCode string
	}{
		{
			name:     "unknown storage class",
			header:   header("X-Amz-Storage-Class", "LUKEWARM"),
			wantCode: "InvalidStorageClass",
		},
		{
			name:     "too much metadata",
			header:   header("X-Amz-Meta-A", strings.Repeat("a", maxMetadata)),
			wantCode: "MetadataTooLarge",
		},
		{name: "same tag twice", header: header("X-Amz-Tagging", "a=1&a=2"), wantCode: "InvalidTag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := headers.Properties(tt.header, maxMetadata)
			requireCode(t, tt.wantCode, err)
		})
	}
}

// Check refuses the headers of other operations and, if it is strict, also unknown headers that begin with X-Amz-.
func TestOperationHeaders(t *testing.T) {
	tests := []struct {
		name        string
		operation   string
		header      string
		wantLenient string // the code of the error of a lenient server, or ""
		wantStrict  string // the code of the error of a strict server, or ""
	}{
		{name: "header of every operation", operation: "GetBucketAcl", header: "X-Amz-Date"},
		{name: "header of the operation", operation: "PutObject", header: "X-Amz-Storage-Class"},
		{name: "metadata", operation: "PutObject", header: "X-Amz-Meta-A"},
		{
			name:        "metadata of a read",
			operation:   "GetObject",
			header:      "X-Amz-Meta-A",
			wantLenient: "NotImplemented",
			wantStrict:  "NotImplemented",
		},
		{
			name:        "header of another operation",
			operation:   "GetObject",
			header:      "X-Amz-Storage-Class",
			wantLenient: "NotImplemented",
			wantStrict:  "NotImplemented",
		},
		{
			name:      "checksum of the XML document in the body",
			operation: "PutBucketWebsite",
			header:    "X-Amz-Checksum-Crc32",
		},
		{
			name:        "header of S3 that the server does not support",
			operation:   "PutObject",
			header:      "X-Amz-Mfa",
			wantLenient: "NotImplemented",
			wantStrict:  "NotImplemented",
		},
		{
			name:       "unknown header with the prefix of S3",
			operation:  "PutObject",
			header:     "X-Amz-Color",
			wantStrict: "NotImplemented",
		},
		{name: "unknown header", operation: "PutObject", header: "X-Color"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(tt.header, "x")
			const strict = true
			requireCode(t, tt.wantLenient, headers.Check(tt.operation, h, !strict))
			requireCode(t, tt.wantStrict, headers.Check(tt.operation, h, strict))
		})
	}
}
