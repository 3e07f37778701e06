package s3

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const (
	// begun is the response to CreateMultipartUpload, and finished is the one to
	// CompleteMultipartUpload.
	begun = `<InitiateMultipartUploadResult><Bucket>photos</Bucket><Key>k</Key>` +
		`<UploadId>u1</UploadId></InitiateMultipartUploadResult>`
	finished = `<CompleteMultipartUploadResult><ETag>"x-2"</ETag><ChecksumCRC32C>mnG7TA==</ChecksumCRC32C>` +
		`<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>`
)

// BeginParts sends the attributes of the object and the profile's kind of checksum, but not the
// condition, which is sent with the completion.
func TestBeginParts(t *testing.T) {
	// Each profile has these headers for the checksum.
	for profile, wantHeader := range map[string]map[string]string{
		"aws": {"X-Amz-Checksum-Algorithm": "CRC32C", "X-Amz-Checksum-Type": "FULL_OBJECT"},
		"r2":  {"X-Amz-Checksum-Algorithm": "CRC32C", "X-Amz-Checksum-Type": "COMPOSITE"},
		"b2":  {"X-Amz-Checksum-Algorithm": "", "X-Amz-Checksum-Type": ""},
	} {
		t.Run(profile, func(t *testing.T) {
			server := newStandIn(t, reply{Body: begun})
			r := &driver.PutRequest{
				Key:       "k",
				Size:      -1,
				Controls:  storage.Controls{PublicRead: true},
				Condition: storage.Condition{Absent: true},
				Properties: storage.Properties{
					ContentType:  "text/plain",
					CacheControl: "no-store",
					Metadata:     map[string]string{"owner": "me"},
					StorageClass: "GLACIER",
				},
			}

			upload, err := server.openDriver(t, profile).BeginParts(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, "u1", upload)
			require.Equal(t, []string{"POST /photos/k?uploads="}, server.Lines())

			got := server.Last(t).Header
			for name, value := range wantHeader {
				require.Equal(t, value, got.Get(name), name)
			}
			require.Equal(t, "text/plain", got.Get("Content-Type"))
			require.Equal(t, "no-store", got.Get("Cache-Control"))
			require.Equal(t, "me", got.Get("X-Amz-Meta-Owner"))
			require.Equal(t, "GLACIER", got.Get("X-Amz-Storage-Class"))
			require.Equal(t, "public-read", got.Get("X-Amz-Acl"))
			require.Empty(t, got.Get("If-None-Match"), "the condition must be sent with the completion")
		})
	}
}

// PutPart sends a part with its CRC32C or, if the profile says that the server has no CRC32C, with its MD5.
func TestPutPart(t *testing.T) {
	// Each profile has these headers, with checksums of "hello".
	for profile, header := range map[string]map[string]string{
		"aws": {
			"X-Amz-Checksum-Crc32c": "mnG7TA==",
			"Content-Md5":           "",
			"X-Amz-Content-Sha256":  "UNSIGNED-PAYLOAD",
		},
		"b2": {"X-Amz-Checksum-Crc32c": "", "Content-Md5": "XUFAKrxLKna5cZ2REBfFkg=="},
	} {
		t.Run(profile, func(t *testing.T) {
			server := newStandIn(t, reply{
				Header: map[string]string{"ETag": etag, "X-Amz-Checksum-Crc32c": "mnG7TA=="},
			})
			sum := wiretest.CRC32C("hello")
			part, err := server.openDriver(t, profile).PutPart(t.Context(), &driver.PartRequest{
				Key:    "k",
				Upload: "u1",
				Number: 7,
				Body:   strings.NewReader("hello"),
				Size:   5,
				CRC32C: sum,
			})
			require.NoError(t, err)
			require.Equal(t, driver.Part{Number: 7, Tag: etag, Size: 5, CRC32C: sum}, part)

			const line = "PUT /photos/k?partNumber=7&uploadId=u1&x-id=UploadPart"
			require.Equal(t, []string{line}, server.Lines())

			got := server.Last(t)
			require.Equal(t, "hello", got.Body)
			for name, value := range header {
				require.Equal(t, value, got.Header.Get(name), name)
			}
		})
	}
}

// completion returns a request to complete an upload of two parts with a condition.
func completion(c storage.Condition) *driver.CompleteRequest {
	return &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "k", Size: 5, CRC32C: wiretest.CRC32C("hello"), Condition: c},
		Upload: "u1",
		Parts: []driver.Part{
			{Number: 1, Tag: `"a"`, Size: 2, CRC32C: wiretest.CRC32C("he")},
			{Number: 2, Tag: `"b"`, Size: 3, CRC32C: wiretest.CRC32C("llo")},
		},
	}
}

// CompleteParts sends the condition and the parts. It also sends the checksums that the server of
// the profile knows.
func TestCompleteParts(t *testing.T) {
	tests := []struct {
		name, profile string
		condition     storage.Condition
		wantHeader    map[string]string // "": the request lacks this header
		wantPartSums  bool              // the body has a checksum of each part
	}{
		{
			name:    "checksum and size of the object",
			profile: "aws",
			wantHeader: map[string]string{
				"X-Amz-Checksum-Crc32c": "mnG7TA==",
				"X-Amz-Checksum-Type":   "FULL_OBJECT",
				"X-Amz-Mp-Object-Size":  "5",
				"If-Match":              "",
				"If-None-Match":         "",
			},
			wantPartSums: true,
		},
		{
			name:         "a server with checksums of checksums",
			profile:      "r2",
			wantHeader:   map[string]string{"X-Amz-Checksum-Crc32c": "", "X-Amz-Checksum-Type": ""},
			wantPartSums: true,
		},
		{
			name:    "a server without checksums",
			profile: "b2",
			wantHeader: map[string]string{
				"X-Amz-Checksum-Crc32c": "",
				"X-Amz-Checksum-Type":   "",
				"X-Amz-Mp-Object-Size":  "",
			},
		},
		{
			name:         "create-only",
			profile:      "aws",
			condition:    storage.Condition{Absent: true},
			wantHeader:   map[string]string{"If-None-Match": "*", "If-Match": ""},
			wantPartSums: true,
		},
		{
			name:         "compare and swap",
			profile:      "aws",
			condition:    storage.Condition{Revision: etag},
			wantHeader:   map[string]string{"If-None-Match": "", "If-Match": etag},
			wantPartSums: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Header: map[string]string{"X-Amz-Version-Id": "v1"},
				Body:   finished,
			})
			attrs, err := server.openDriver(t, tt.profile).CompleteParts(t.Context(),
				completion(tt.condition))
			require.NoError(t, err)
			require.Equal(t, &storage.Attrs{
				ETag:     `"x-2"`,
				Revision: `"x-2"`,
				Version:  "v1",
				CRC32C:   wiretest.CRC32C("hello"),
			}, attrs)
			require.Equal(t, []string{"POST /photos/k?uploadId=u1"}, server.Lines())

			got := server.Last(t)
			for name, value := range tt.wantHeader {
				require.Equal(t, value, got.Header.Get(name), name)
			}
			require.Equal(t, tt.wantPartSums, strings.Contains(got.Body, "ChecksumCRC32C"))
			require.Contains(t, got.Body, "<PartNumber>1</PartNumber>")
		})
	}
}

// CompleteParts sends no checksum of an empty object, because MinIO would refuse any value.
func TestCompletePartsOfAnEmptyObjectSendsNoChecksum(t *testing.T) {
	server := newStandIn(t, reply{Body: finished})
	r := completion(storage.Condition{})
	r.Put.Size = 0
	r.Put.CRC32C = wiretest.CRC32C("")
	r.Parts = []driver.Part{{Number: 1, Tag: `"a"`, CRC32C: wiretest.CRC32C("")}}

	_, err := server.openDriver(t, "minio").CompleteParts(t.Context(), r)
	require.NoError(t, err)

	got := server.Last(t)
	require.Empty(t, got.Header.Values("X-Amz-Checksum-Crc32c"))
	require.Equal(t, "0", got.Header.Get("X-Amz-Mp-Object-Size"))
	require.Contains(t, got.Body, "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>", "the part must have its checksum")
}

// The error of CompleteParts says whether a condition has failed or the upload is missing, and whether the object may
// have been stored.
func TestCompletePartsResponse(t *testing.T) {
	tests := []struct {
		name        string
		condition   storage.Condition
		reply       reply
		wantCode    storage.Code
		wantStatus  int
		wantUnknown bool // whether the object may have been stored
	}{
		{
			name:       "the condition fails",
			condition:  storage.Condition{Absent: true},
			reply:      errorReply(412, "PreconditionFailed", ""),
			wantCode:   storage.PreconditionFailed,
			wantStatus: 412,
		},
		{
			name:       "an update of a missing object",
			condition:  storage.Condition{Revision: etag},
			reply:      errorReply(404, "NoSuchKey", ""),
			wantCode:   storage.PreconditionFailed,
			wantStatus: 404,
		},
		{
			name:       "a conflict with another write",
			condition:  storage.Condition{Absent: true},
			reply:      errorReply(409, "ConditionalRequestConflict", ""),
			wantCode:   storage.Unavailable,
			wantStatus: 409,
		},
		{
			name:       "a missing upload",
			condition:  storage.Condition{Revision: etag},
			reply:      errorReply(404, "NoSuchUpload", ""),
			wantCode:   storage.InvalidArgument,
			wantStatus: 404,
		},
		{
			name:        "200 with an error in its body",
			reply:       reply{Body: errorReply(0, "InternalError", "").Body},
			wantCode:    storage.Unavailable,
			wantStatus:  500,
			wantUnknown: true,
		},
		{
			name:        "a truncated 200",
			reply:       reply{Header: map[string]string{"Content-Length": "500"}, Body: finished[:40]},
			wantCode:    storage.Unavailable,
			wantStatus:  200,
			wantUnknown: true,
		},
		{name: "no response", reply: reply{Cut: true}, wantCode: storage.Unavailable, wantUnknown: true},
		{
			name:       "the checksum of the whole object differs",
			reply:      errorReply(400, "BadDigest", ""),
			wantCode:   storage.ChecksumMismatch,
			wantStatus: 400,
		},
		{
			name:       "a part is too small",
			reply:      errorReply(400, "EntityTooSmall", ""),
			wantCode:   storage.InvalidArgument,
			wantStatus: 400,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.reply)
			_, err := server.openDriver(t, "aws").CompleteParts(t.Context(), completion(tt.condition))
			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantCode, e.Code, "%v", err)
			require.Equal(t, tt.wantStatus, e.Status)
			require.Equal(t, tt.wantUnknown, e.Unknown, "%v", err)
		})
	}
}

// R2 aborts an upload if its completion has a condition that does not hold. So CompleteParts first
// checks the condition by HEAD. If the condition does not hold, it sends no completion.
func TestCompletePartsOnR2ComparesTheConditionFirst(t *testing.T) {
	absent := storage.Condition{Absent: true}
	update := storage.Condition{Revision: etag}
	object := reply{Header: map[string]string{"ETag": etag, "Content-Length": "0"}}
	notFound := reply{Status: 404}
	denied := reply{Status: 403}
	const head, complete = "HEAD /photos/k", "POST /photos/k?uploadId=u1"

	tests := map[string]struct {
		condition storage.Condition
		replies   []reply
		wantCode  storage.Code
		wantLines []string
	}{
		"create, and the object exists": {
			condition: absent,
			replies:   []reply{object},
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{head},
		},
		"update, and the object is missing": {
			condition: update,
			replies:   []reply{notFound, {}},
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{head, "HEAD /photos"},
		},
		"update, and the object has another revision": {
			condition: storage.Condition{Revision: `"other"`},
			replies:   []reply{object},
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{head},
		},
		"create, and the object is missing": {
			condition: absent,
			replies:   []reply{notFound, {Body: finished}},
			wantLines: []string{head, complete},
		},
		"update, and the object has the revision": {
			condition: update,
			replies:   []reply{object, {Body: finished}},
			wantLines: []string{head, complete},
		},
		"create, and the object may not be read": {
			condition: absent,
			replies:   []reply{denied, {Body: finished}},
			wantLines: []string{head, complete},
		},
		"create, and another writer is faster": {
			condition: absent,
			replies:   []reply{notFound, errorReply(412, "PreconditionFailed", "")},
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{head, complete},
		},
		"update, and the bucket is missing": {
			condition: update,
			replies:   []reply{notFound, notFound, errorReply(404, "NoSuchBucket", "")},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{head, "HEAD /photos", complete},
		},
		"no condition": {
			replies:   []reply{{Body: finished}},
			wantLines: []string{complete},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			_, err := server.openDriver(t, "r2").CompleteParts(t.Context(), completion(tt.condition))
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantLines, server.Lines())
		})
	}
}

// partsLeft is the response to ListParts if the upload has a part.
const partsLeft = `<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>"e"</ETag></Part></ListPartsResult>`

// AbortParts repeats the abort until no parts remain, because a part that is sent at the same time
// may arrive after the first abort. It fails with Unavailable if parts remain after four aborts.
func TestAbortParts(t *testing.T) {
	const (
		abort = "DELETE /photos/k?uploadId=u1&x-id=AbortMultipartUpload"
		list  = "GET /photos/k?max-parts=1&uploadId=u1&x-id=ListParts"
	)
	aborted := reply{Status: 204}
	gone := errorReply(404, "NoSuchUpload", "")
	onePart := reply{Body: partsLeft}

	tests := []struct {
		name         string
		replies      []reply
		want         storage.Code // "" if AbortParts succeeds
		wantRequests []string
	}{
		{name: "the upload is gone", replies: []reply{aborted, gone}, wantRequests: []string{abort, list}},
		{
			name:         "parts may not be listed",
			replies:      []reply{aborted, errorReply(403, "AccessDenied", "")},
			wantRequests: []string{abort, list},
		},
		{name: "the upload is missing", replies: []reply{gone}, wantRequests: []string{abort}},
		{
			name:         "a part arrives after the first abort",
			replies:      []reply{aborted, onePart, aborted, gone},
			wantRequests: []string{abort, list, abort, list},
		},
		{
			name:         "the bucket is missing",
			replies:      []reply{errorReply(404, "NoSuchBucket", "")},
			want:         storage.BucketNotFound,
			wantRequests: []string{abort},
		},
		{
			name:         "parts remain",
			replies:      []reply{aborted, onePart, aborted, onePart, aborted, onePart, aborted, onePart},
			want:         storage.Unavailable,
			wantRequests: []string{abort, list, abort, list, abort, list, abort, list},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			err := server.openDriver(t, "aws").AbortParts(t.Context(), "k", "u1")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantRequests, server.Lines())
		})
	}
}

// An upload is aborted if S3 sends a refusal in the body of a response with status 200. After
// InternalError or an unknown code, the outcome is unknown, and nothing is aborted.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html.
func TestCompletePartsRefusedAfter200(t *testing.T) {
	// The keys are the error codes of the refusals.
	tests := map[string]struct {
		want               storage.Code
		wantOutcomeUnknown bool
	}{
		"BadDigest":                  {want: storage.ChecksumMismatch},
		"InvalidPart":                {want: storage.InvalidArgument},
		"AccessDenied":               {want: storage.PermissionDenied},
		"PreconditionFailed":         {want: storage.PreconditionFailed},
		"ConditionalRequestConflict": {want: storage.Unavailable},
		"InternalError":              {want: storage.Unavailable, wantOutcomeUnknown: true},
		"WhoKnows":                   {want: storage.Unavailable, wantOutcomeUnknown: true},
	}

	for code, tt := range tests {
		t.Run(code, func(t *testing.T) {
			// The server answers all requests of the upload as S3 does, except for the completion.
			server := newStandIn(t)
			complete := calls["complete"] // knows its request, and the successes of all others
			server.Answer = func(r wiretest.Request) reply {
				switch {
				// S3 sends white space while it completes the upload, and then the error.
				case complete.isAnswered(r):
					return withLength(reply{Body: " \n \n" + errorReply(0, code, "").Body})
				case r.Method == http.MethodDelete:
					return reply{Status: http.StatusNoContent}
				case r.Method == http.MethodGet:
					return errorReply(404, "NoSuchUpload", "")
				}
				return complete.success(r)
			}
			b := engine.New(server.openDriver(t, "aws"), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

			// The upload has three parts.
			const partSize, size = 5 << 20, 11 << 20
			body := strings.NewReader(strings.Repeat("x", size))
			_, err := b.Upload(t.Context(), "k", body, storage.IfAbsent(), storage.WithPartSize(partSize))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantOutcomeUnknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
			isAborted := slices.Contains(server.Calls(), "DELETE /photos/k")
			require.Equal(t, !tt.wantOutcomeUnknown, isAborted)
		})
	}
}
