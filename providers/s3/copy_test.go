package s3

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const copied = `<CopyObjectResult><ETag>"c"</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified></CopyObjectResult>`

// copyOfKnownSize returns a request to copy nine bytes and to set a tag. For such a request, Copy
// need not ask the server about the source.
func copyOfKnownSize() *driver.CopyRequest {
	return copyOf(func(r *driver.CopyRequest) {
		r.Source.Attrs = &storage.Attrs{Size: 9}
		r.Tags = map[string]string{"k": "v"}
		r.ReplaceTags = true
	})
}

// copyOf returns a request to copy other/from to photos/to with attributes. change may change it, and
// may be nil.
func copyOf(change func(*driver.CopyRequest)) *driver.CopyRequest {
	r := &driver.CopyRequest{
		Source: driver.ObjectRef{Bucket: "other", Key: "from", Revision: etag},
		Key:    "to",
		Properties: storage.Properties{
			ContentType:        "text/plain",
			ContentEncoding:    "gzip",
			ContentDisposition: "inline",
			ContentLanguage:    "de",
			CacheControl:       "no-store",
			Metadata:           map[string]string{"owner": "me"},
			StorageClass:       "STANDARD_IA",
		},
	}
	if change != nil {
		change(r)
	}
	return r
}

// Copy sends one request, whose headers have the source, the condition and either the directive COPY
// or all attributes.
func TestCopyRequest(t *testing.T) {
	restated := map[string]string{
		"X-Amz-Metadata-Directive": "REPLACE",
		"Content-Type":             "text/plain",
		"Content-Encoding":         "gzip",
		"Content-Disposition":      "inline",
		"Content-Language":         "de",
		"Cache-Control":            "no-store",
		"X-Amz-Meta-Owner":         "me",
		"X-Amz-Storage-Class":      "STANDARD_IA",
	}
	tests := []struct {
		name       string
		change     func(*driver.CopyRequest)
		wantHeader map[string]string // "": the request must not have the header
	}{
		{
			name: "of one revision, with the attributes of the source",
			wantHeader: map[string]string{
				"X-Amz-Copy-Source":          "other/from",
				"X-Amz-Copy-Source-If-Match": etag,
				"X-Amz-Metadata-Directive":   "COPY",
				"Content-Type":               "",
				"X-Amz-Meta-Owner":           "",
				"X-Amz-Storage-Class":        "STANDARD_IA",
				"X-Amz-Acl":                  "",
				"If-Match":                   "",
				"If-None-Match":              "",
				"X-Amz-Checksum-Algorithm":   "CRC32C",
			},
		},
		{
			name: "with other attributes",
			change: func(r *driver.CopyRequest) {
				r.Replace = true
			},
			wantHeader: restated,
		},
		{
			name: "onto itself, which must be a change",
			change: func(r *driver.CopyRequest) {
				r.Source.Bucket = "photos"
				r.Source.Key = "to"
			},
			wantHeader: restated,
		},
		{
			name: "of a version, with every byte of the key escaped",
			change: func(r *driver.CopyRequest) {
				r.Source.Key = "a b/+?%é"
				r.Source.Version = "v/1"
			},
			wantHeader: map[string]string{
				"X-Amz-Copy-Source": "other/a%20b/%2B%3F%25%C3%A9?versionId=v%2F1",
			},
		},
		{
			name: "create-only",
			change: func(r *driver.CopyRequest) {
				r.Condition.Absent = true
			},
			wantHeader: map[string]string{"If-None-Match": "*"},
		},
		{
			name: "compare and swap",
			change: func(r *driver.CopyRequest) {
				r.Condition.Revision = `"d"`
			},
			wantHeader: map[string]string{"If-Match": `"d"`},
		},
		{
			name: "public",
			change: func(r *driver.CopyRequest) {
				r.PublicRead = true
			},
			wantHeader: map[string]string{"X-Amz-Acl": "public-read"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: map[string]string{"X-Amz-Version-Id": "v2"}, Body: copied})
			attrs, err := server.openDriver(t, "aws").Copy(t.Context(), copyOf(tt.change))
			require.NoError(t, err)
			require.Equal(t, &storage.Attrs{
				ETag:     `"c"`,
				Revision: `"c"`,
				Version:  "v2",
				Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			}, attrs)
			require.Equal(t, []string{"PUT /photos/to?x-id=CopyObject"}, server.Lines(), "one request")
			for name, value := range tt.wantHeader {
				require.Equal(t, value, server.Last(t).Header.Get(name), name)
			}
		})
	}
}

// The error of Copy says whether the source has changed or a condition of the destination has failed. If S3 gives both
// the same code, Copy reads the source to find out.
func TestCopyResponse(t *testing.T) {
	swap := storage.Condition{Revision: `"d"`}
	head := reply{Header: map[string]string{"ETag": etag, "Content-Length": "3"}}
	tests := []struct {
		name        string
		condition   storage.Condition
		replies     []reply
		wantCode    storage.Code
		wantUnknown bool
	}{
		{
			name:     "the source has changed",
			replies:  []reply{errorReply(412, "PreconditionFailed", "")},
			wantCode: storage.Changed,
		},
		{
			name:     "the source is missing",
			replies:  []reply{errorReply(404, "NoSuchKey", "")},
			wantCode: storage.Changed,
		},
		{
			name:      "the source is unchanged, so the condition failed",
			condition: swap,
			replies:   []reply{errorReply(412, "PreconditionFailed", ""), head},
			wantCode:  storage.PreconditionFailed,
		},
		{
			name:      "the source has changed, and the condition may have failed",
			condition: swap,
			replies:   []reply{errorReply(412, "PreconditionFailed", ""), {Status: 412}},
			wantCode:  storage.Changed,
		},
		{
			name:      "the destination is missing",
			condition: swap,
			replies:   []reply{errorReply(404, "NoSuchKey", ""), head},
			wantCode:  storage.PreconditionFailed,
		},
		{
			name:      "the source cannot be read",
			condition: swap,
			replies:   []reply{errorReply(412, "PreconditionFailed", ""), {Status: 503}},
			wantCode:  storage.Unavailable,
		},
		{
			name:     "a missing bucket",
			replies:  []reply{errorReply(404, "NoSuchBucket", "")},
			wantCode: storage.BucketNotFound,
		},
		{
			name:        "200 with an error in its body",
			replies:     []reply{{Body: errorReply(0, "InternalError", "").Body}},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "a truncated 200",
			replies:     []reply{{Header: map[string]string{"Content-Length": "500"}, Body: copied[:30]}},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:      "another write at the same time",
			condition: swap,
			replies:   []reply{errorReply(409, "ConditionalRequestConflict", "")},
			wantCode:  storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			_, err := server.openDriver(t, "aws").Copy(t.Context(), copyOf(func(r *driver.CopyRequest) {
				r.Condition = tt.condition
			}))
			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantCode, e.Code, "%v", err)
			require.Equal(t, tt.wantUnknown, e.Unknown, "%v", err)
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// If a server refuses a conditional copy, Copy finds out by a HEAD whether the source has changed. If the HEAD is
// redirected to another region, Copy repeats it there.
func TestCopyConditionalFromAnotherRegion(t *testing.T) {
	redirect := reply{Status: 301, Header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}}
	tests := []struct {
		name     string
		heads    []reply // to HEADs of the source
		wantCode storage.Code
	}{
		{
			name:     "the source is unchanged",
			heads:    []reply{redirect, {Header: map[string]string{"ETag": etag, "Content-Length": "3"}}},
			wantCode: storage.PreconditionFailed,
		},
		{name: "the source has changed", heads: []reply{redirect, {Status: 412}}, wantCode: storage.Changed},
		{name: "the source is in no region", heads: []reply{redirect, redirect}, wantCode: storage.InvalidArgument},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server refuses the copy, and then answers the HEADs.
			refusal := errorReply(412, "PreconditionFailed", "")
			replies := append([]reply{refusal}, tt.heads...)
			server := newStandIn(t, replies...)
			d := server.openDriver(t, "aws")
			d.account.endpoint = nil // as at Amazon, where the endpoint depends on the region

			_, err := d.Copy(t.Context(), copyOf(func(r *driver.CopyRequest) {
				r.Condition.Absent = true
			}))
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			// The second HEAD is signed for the region of the source.
			require.Equal(t, []string{
				"PUT /photos/to?x-id=CopyObject",
				"HEAD /other/from",
				"HEAD /other/from",
			}, server.Lines())
			require.Contains(t, server.Requests()[1].Header.Get("Authorization"), "/us-east-1/s3/")
			require.Contains(t, server.Last(t).Header.Get("Authorization"), "/eu-west-1/s3/")
		})
	}
}

// Compose fails with Internal if the response about a source has no Content-Length.
func TestComposeOfASourceWithoutALength(t *testing.T) {
	server := newStandInWithoutLength(t, map[string]string{"ETag": etag}, "")
	req := &driver.ComposeRequest{Key: "to", Sources: []driver.ObjectRef{{Bucket: "photos", Key: "a"}}}

	_, err := server.openDriver(t, "aws").Compose(t.Context(), req)
	require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
}

// A conditional copy fails with Unsupported if the server is known to ignore the condition. The
// engine then uploads the bytes with the condition.
func TestCopyConditionalUnsupported(t *testing.T) {
	server := newStandIn(t)
	req := copyOf(func(r *driver.CopyRequest) {
		r.Condition.Absent = true
	})

	_, err := server.openDriver(t, "minio").Copy(t.Context(), req)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.Empty(t, server.Requests())
}

const partCopied = `<CopyPartResult><ETag>"p"</ETag><ChecksumCRC32C>mnG7TA==</ChecksumCRC32C></CopyPartResult>`

// withSize returns a response with a Content-Length.
func withSize(size string) reply {
	return reply{Header: map[string]string{"ETag": etag, "Content-Length": size}}
}

// If S3 refuses a source as too large, Copy copies it in parts. It creates the upload with the
// attributes of the request, copies ranges of the pinned source, and completes with the condition.
func TestCopyInParts(t *testing.T) {
	tooLarge := errorReply(400, "InvalidRequest",
		"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	part := reply{Body: partCopied}
	server := newStandIn(t, tooLarge, withSize("25"), reply{Body: begun}, part, part, part,
		reply{Body: finished})
	d := server.openDriver(t, "aws")
	d.copier.part = 10 // so the parts have 10, 10 and 5 bytes

	attrs, err := d.Copy(t.Context(), copyOf(func(r *driver.CopyRequest) {
		r.Source.Version = "v1"
		r.Condition.Absent = true
		r.PublicRead = true
		r.Tags = map[string]string{"k": "v"}
		r.ReplaceTags = true
	}))
	require.NoError(t, err)
	require.Equal(t, `"x-2"`, attrs.Revision)

	// CopyObject is refused. After that, a HEAD reads the size of the source.
	requests := server.Requests()
	require.Equal(t, "PUT /photos/to?x-id=CopyObject", requests[0].Line())
	require.Equal(t, "HEAD /other/from?versionId=v1", requests[1].Line())
	require.Equal(t, etag, requests[1].Header.Get("If-Match"))

	// The upload is created with all attributes, because only the content is copied.
	create := requests[2]
	require.Equal(t, "POST /photos/to?uploads=", create.Line())
	for name, value := range map[string]string{
		"Content-Type":        "text/plain",
		"Content-Encoding":    "gzip",
		"Content-Disposition": "inline",
		"Content-Language":    "de",
		"Cache-Control":       "no-store",
		"X-Amz-Meta-Owner":    "me",
		"X-Amz-Storage-Class": "STANDARD_IA",
		"X-Amz-Acl":           "public-read",
		"X-Amz-Checksum-Type": "FULL_OBJECT",
	} {
		require.Equal(t, value, create.Header.Get(name), name)
	}

	// The parts are ranges of the pinned source.
	parts := map[string]string{}
	for _, part := range requests[3:6] {
		require.Equal(t, "other/from?versionId=v1", part.Header.Get("X-Amz-Copy-Source"))
		require.Equal(t, etag, part.Header.Get("X-Amz-Copy-Source-If-Match"))
		parts[part.Line()] = part.Header.Get("X-Amz-Copy-Source-Range")
	}
	require.Equal(t, map[string]string{
		"PUT /photos/to?partNumber=1&uploadId=u1&x-id=UploadPartCopy": "bytes=0-9",
		"PUT /photos/to?partNumber=2&uploadId=u1&x-id=UploadPartCopy": "bytes=10-19",
		"PUT /photos/to?partNumber=3&uploadId=u1&x-id=UploadPartCopy": "bytes=20-24",
	}, parts)

	// The completion has the condition and the checksum of each part.
	complete := requests[6]
	require.Equal(t, "POST /photos/to?uploadId=u1", complete.Line())
	require.Equal(t, "*", complete.Header.Get("If-None-Match"))
	require.Equal(t, "FULL_OBJECT", complete.Header.Get("X-Amz-Checksum-Type"))
	require.Equal(t, 3, strings.Count(complete.Body, "<ChecksumCRC32C>mnG7TA==</ChecksumCRC32C>"))
}

// A copy in parts on R2 reads the source again before it completes the upload, because R2 may
// ignore the condition of UploadPartCopy. If the source has changed, the copy aborts its upload.
// See cloudflare/cloudflare-docs pull request 32458.
func TestCopyInPartsComparesSource(t *testing.T) {
	const modified, modifiedLater = "Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:06 GMT"
	sourceModifiedAt := func(modified string) reply {
		return withLength(reply{
			Header: map[string]string{"ETag": etag, "Content-Length": "25", "Last-Modified": modified},
		})
	}
	tests := []struct {
		name       string
		secondHead reply // the response about the source, after its parts were copied
		wantCode   storage.Code
	}{
		{name: "same source", secondHead: sourceModifiedAt(modified)},
		{name: "another ETag", secondHead: reply{Status: http.StatusPreconditionFailed}, wantCode: storage.Changed},
		{name: "same ETag, but modified later", secondHead: sourceModifiedAt(modifiedLater), wantCode: storage.Changed},
		{name: "source removed", secondHead: reply{Status: http.StatusNotFound}, wantCode: storage.Changed},
		{
			name:       "source unreadable",
			secondHead: reply{Status: http.StatusInternalServerError},
			wantCode:   storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t)
			heads := 0
			server.Answer = func(r wiretest.Request) reply {
				hasCondition := r.Header.Get("X-Amz-Copy-Source-If-Match") != ""
				switch {
				case r.Method == http.MethodHead:
					heads++
					if heads == 1 {
						return sourceModifiedAt(modified)
					}
					return withLength(tt.secondHead)
				case r.Query().Has("partNumber") && hasCondition:
					return errorReply(http.StatusNotImplemented, "NotImplemented",
						"Header 'x-amz-copy-source-if-match' not implemented")
				case r.Method == http.MethodGet: // ListParts, which confirms the abort
					return errorReply(http.StatusNotFound, "NoSuchUpload", "")
				}
				return acceptCopy(r)
			}

			// An object of more than ten bytes is copied in parts.
			d := server.openDriver(t, "r2")
			d.copier.limit = 10
			d.copier.part = 10
			b := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

			_, err := storage.Copy(t.Context(), b, "to", b, "from")
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			wantSteps := []string{"HEAD source", "create", "copy parts", "HEAD source", "complete"}
			if tt.wantCode != "" {
				wantSteps = []string{"HEAD source", "create", "copy parts", "HEAD source", "abort", "list parts"}
			}
			require.Equal(t, wantSteps, stepsOfCopyInParts(server.Requests()))
		})
	}
}

// acceptCopy returns a successful response to a request that writes in a copy. The copy may be in
// parts.
func acceptCopy(r wiretest.Request) reply {
	query := r.Query()
	switch {
	case query.Has("uploads"):
		return withLength(reply{Body: begun})
	case query.Has("partNumber"):
		return withLength(reply{Body: partCopied})
	case r.Method == http.MethodPost: // the completion
		return withLength(reply{Body: finished})
	case r.Method == http.MethodDelete: // the abort
		return reply{Status: http.StatusNoContent}
	}
	return withLength(reply{Body: copied})
}

// stepsOfCopyInParts names the requests of a copy in parts, in their order. Consecutive copies of parts are one step.
func stepsOfCopyInParts(requests []wiretest.Request) []string {
	var steps []string
	for _, r := range requests {
		switch {
		case r.Method == http.MethodHead:
			steps = append(steps, "HEAD source")
		case r.Query().Has("uploads"):
			steps = append(steps, "create")
		case r.Query().Has("partNumber"):
			steps = append(steps, "copy parts")
		case r.Method == http.MethodPost:
			steps = append(steps, "complete")
		case r.Method == http.MethodDelete:
			steps = append(steps, "abort")
		case r.Method == http.MethodGet:
			steps = append(steps, "list parts")
		default:
			steps = append(steps, r.Line())
		}
	}
	return slices.Compact(steps)
}

// If a copy in parts fails, Copy aborts its upload. If only the response to the completion is lost,
// Copy aborts nothing, and fails with OutcomeUnknown.
func TestCopyInPartsFailedAborts(t *testing.T) {
	tests := []struct {
		name      string
		replies   []reply // after that to CreateMultipartUpload
		want      storage.Code
		wantAbort bool
	}{
		{
			name:      "the source changes",
			replies:   []reply{errorReply(412, "PreconditionFailed", ""), {Status: 204}},
			want:      storage.Changed,
			wantAbort: true,
		},
		{
			name:      "a part is denied",
			replies:   []reply{errorReply(403, "AccessDenied", ""), {Status: 204}},
			want:      storage.PermissionDenied,
			wantAbort: true,
		},
		{
			name:      "the completion is refused",
			replies:   []reply{{Body: partCopied}, errorReply(400, "InvalidPart", ""), {Status: 204}},
			want:      storage.InvalidArgument,
			wantAbort: true,
		},
		{
			name:    "the response to the completion is lost",
			replies: []reply{{Body: partCopied}, {Cut: true}},
			want:    storage.Unavailable,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, append([]reply{{Body: begun}}, tt.replies...)...)
			d := server.openDriver(t, "aws")

			// The object of 9 bytes is too large for a copy by one request, and is copied as one part.
			d.copier.limit = 5
			d.copier.part = 9

			_, err := d.Copy(t.Context(), copyOfKnownSize())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			const abort = "DELETE /photos/to?uploadId=u1&x-id=AbortMultipartUpload"
			require.Equal(t, tt.wantAbort, slices.Contains(server.Lines(), abort))
			if !tt.wantAbort {
				require.ErrorIs(t, err, storage.OutcomeUnknown)
			}
		})
	}
}

// Copy repeats the copy of a part after a temporary error.
func TestCopyInPartsRetries(t *testing.T) {
	server := newStandIn(t,
		reply{Body: begun},
		errorReply(http.StatusServiceUnavailable, "SlowDown", ""), // the part
		reply{Body: partCopied},
		reply{Body: finished},
	)
	d := server.openDriver(t, "aws")

	// An object of more than five bytes is copied in parts. Here, the only part has nine bytes.
	d.copier.limit = 5
	d.copier.part = 9

	_, err := d.Copy(t.Context(), copyOfKnownSize())
	require.NoError(t, err)
	require.Len(t, server.Requests(), 4)
}

// A copy above the limit of CopyObject fails with Unsupported if the profile lacks UploadPartCopy.
// The engine then passes the bytes through the process.
func TestCopyLargeWithoutCopiedParts(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	d.copier.limit = 5
	d.account.profile.CopyParts = false

	_, err := d.Copy(t.Context(), copyOfKnownSize())
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.Empty(t, server.Requests())
}

// composeRequest returns a request to join the objects a, b and c of the bucket "photos".
func composeRequest() *driver.ComposeRequest {
	return &driver.ComposeRequest{
		Key: "to",
		Sources: []driver.ObjectRef{
			{Bucket: "photos", Key: "a", Revision: `"a"`},
			{Bucket: "photos", Key: "b", Revision: `"b"`},
			{Bucket: "photos", Key: "c", Revision: `"c"`},
		},
		Properties: storage.Properties{ContentType: "text/plain"},
	}
}

// Compose copies each source as a part, and skips empty sources.
func TestCompose(t *testing.T) {
	create, copyOfPart, completion := reply{Body: begun}, reply{Body: partCopied}, reply{Body: finished}
	tests := []struct {
		name        string
		replies     []reply // beginning with those to a HEAD of each source
		wantSources []string
	}{
		{
			name: "small last source",
			replies: []reply{
				withSize("5"), withSize("5"), withSize("1"), create, copyOfPart, copyOfPart, copyOfPart, completion,
			},
			wantSources: []string{"photos/a", "photos/b", "photos/c"},
		},
		{
			name:        "empty source in between",
			replies:     []reply{withSize("5"), withSize("0"), withSize("5"), create, copyOfPart, copyOfPart, completion},
			wantSources: []string{"photos/a", "photos/c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			d := server.openDriver(t, "aws")
			d.copier.minPart = 5 // bytes of a part before the last one

			// The sources are a, b and c.
			_, err := d.Compose(t.Context(), composeRequest())
			require.NoError(t, err)

			var sources []string
			for _, r := range server.Requests() {
				if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
					sources = append(sources, source)
				}
			}
			slices.Sort(sources) // parts are copied at the same time
			require.Equal(t, tt.wantSources, sources)
		})
	}
}

// Compose fails with Unsupported, and begins no upload, if a part before the last one would be smaller than S3 permits,
// or if there is no part.
func TestComposeUnsupported(t *testing.T) {
	tests := []struct {
		name  string
		heads []reply // to a HEAD of each source
	}{
		{name: "small source in between", heads: []reply{withSize("5"), withSize("1"), withSize("5")}},
		{name: "only empty sources", heads: []reply{withSize("0"), withSize("0"), withSize("0")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, append(tt.heads, reply{Body: begun}, reply{Body: finished})...)
			d := server.openDriver(t, "aws")
			d.copier.minPart = 5 // bytes of a part before the last one

			_, err := d.Compose(t.Context(), composeRequest())
			require.Equal(t, storage.Unsupported, storage.CodeOf(err))
			require.NotContains(t, server.Lines(), "POST /photos/to?uploads=")
		})
	}
}

// Compose splits a source into as few ranges as possible. A range has at most 5 GiB, the limit of a
// part.
func TestComposeOfLargeSources(t *testing.T) {
	const maxPart = 5 << 30
	d := newDriver(&account{}, "")
	tests := []struct {
		name      string
		size      int64
		wantParts int
	}{
		{name: "one byte", size: 1, wantParts: 1},
		{name: "the largest part", size: maxPart, wantParts: 1},
		{name: "a byte more", size: maxPart + 1, wantParts: 2},
		{name: "more than two parts", size: 2*maxPart + 1<<30, wantParts: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rangeLength := d.account.profile.rangeLength(tt.size)
			ranges := split(driver.ObjectRef{}, tt.size, rangeLength)
			require.Len(t, ranges, tt.wantParts)
		})
	}
}

// A copy with WithoutAttrs sends only CopyObject, unless another option, or the target's key,
// requires the attributes of the source. If the server says that the source is too large, the
// driver reads the attributes and tries again.
func TestCopyWithoutAttrs(t *testing.T) {
	const unknownSize = -1
	const put, head = "PUT /photos/to?x-id=CopyObject", "HEAD /photos/from"
	object := reply{Header: map[string]string{"ETag": etag, "Content-Length": "3", "X-Amz-Meta-Owner": "me"}}
	tooLarge := errorReply(400, "InvalidRequest",
		"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	tests := []struct {
		name      string
		to        string
		opts      []storage.CopyOption
		replies   []reply
		wantLines []string
		wantCode  storage.Code
		wantSize  int64
	}{
		{name: "no other option", replies: []reply{{Body: copied}}, wantLines: []string{put}, wantSize: unknownSize},
		{
			name:      "with other tags",
			opts:      []storage.CopyOption{storage.WithTags(map[string]string{"k": "v"})},
			replies:   []reply{{Body: copied}},
			wantLines: []string{put},
			wantSize:  unknownSize,
		},
		{
			name:      "with other attributes",
			opts:      []storage.CopyOption{storage.WithCacheControl("no-store")},
			replies:   []reply{object, {Body: copied}},
			wantLines: []string{head, put},
			wantSize:  3,
		},
		{
			name:      "create-only",
			opts:      []storage.CopyOption{storage.IfAbsent()},
			replies:   []reply{object, {Body: copied}},
			wantLines: []string{head, put},
			wantSize:  3,
		},
		{
			name:      "onto itself",
			to:        "from",
			replies:   []reply{object, {Body: copied}},
			wantLines: []string{head, "PUT /photos/from?x-id=CopyObject"},
			wantSize:  3,
		},
		{
			name:      "too large for one request",
			replies:   []reply{tooLarge, object, {Body: copied}},
			wantLines: []string{put, head, put},
			wantSize:  3,
		},
		{
			name:      "a missing source",
			replies:   []reply{errorReply(404, "NoSuchKey", ""), {Status: 404}, {}},
			wantLines: []string{put, head, "HEAD /photos"},
			wantCode:  storage.ObjectNotFound,
		},
		{
			name:      "a lost response",
			replies:   []reply{{Header: map[string]string{"Content-Length": "500"}, Body: copied[:30]}},
			wantLines: []string{put},
			wantCode:  storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			b := engine.New(server.openDriver(t, "aws"), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			attrs, err := storage.Copy(t.Context(), b, cmp.Or(tt.to, "to"), b, "from",
				append(tt.opts, storage.WithoutAttrs())...)
			require.Equal(t, tt.wantLines, server.Lines())
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, tt.wantSize, attrs.Size)
				isTypeKnown := attrs.ContentType != ""
				require.Equal(t, tt.wantSize != unknownSize, isTypeKnown, "only reading the source tells the type")
				require.Equal(t, "s3:\"c\"", attrs.Revision)
			}
		})
	}
}

// In a copy in parts, and in a CopyObject that replaces the attributes, Copy sends the header Expires that the source
// has. Otherwise the server would drop this header.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func TestCopyKeepsExpires(t *testing.T) {
	const expires = "Thu, 01 Dec 1994 16:00:00 GMT"
	head := withLength(reply{
		Header: map[string]string{"ETag": etag, "Content-Length": "25", "Expires": expires},
	})
	tests := []struct {
		name    string
		opts    []storage.CopyOption
		inParts bool
		want    string // in CopyObject or CreateMultipartUpload; "": no header
	}{
		{name: "without options, so that S3 copies it"},
		{name: "with IfAbsent", opts: []storage.CopyOption{storage.IfAbsent()}, want: expires},
		{
			name: "with another property",
			opts: []storage.CopyOption{storage.WithCacheControl("no-store")},
			want: expires,
		},
		{name: "in parts", inParts: true, want: expires},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t)
			server.Answer = func(r wiretest.Request) reply {
				switch r.Method {
				case http.MethodHead:
					return head
				case http.MethodGet:
					return withLength(reply{Body: `<Tagging><TagSet></TagSet></Tagging>`})
				}
				return acceptCopy(r)
			}
			d := server.openDriver(t, "aws")
			if tt.inParts {
				d.copier.limit = 10
				d.copier.part = 10
			}
			b := engine.New(d)

			attrs, err := storage.Copy(t.Context(), b, "to", b, "from", tt.opts...)
			require.NoError(t, err)
			require.Nil(t, attrs.Native)

			// One request has the attributes of the copy: CopyObject or CreateMultipartUpload.
			var creations []wiretest.Request
			for _, r := range server.Requests() {
				isCopyObject := r.Method == http.MethodPut && !r.Query().Has("partNumber")
				if isCopyObject || r.Query().Has("uploads") {
					creations = append(creations, r)
				}
			}
			require.Len(t, creations, 1)
			require.Equal(t, tt.want, creations[0].Header.Get("Expires"))

			if tt.want != "" {
				require.Contains(t, creations[0].Header.Get("Authorization"), "expires", "the header must be signed")
			}
		})
	}
}
