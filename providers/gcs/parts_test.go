package gcs

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const (
	// sessionName is the path of an upload session. Each caller that knows its upload_id can write
	// to the session.
	sessionName = "/upload/storage/v1/b/photos/o?uploadType=resumable&upload_id=S3CR3T"

	// unit is Google's unit of the sizes of chunks, in bytes. The size of each chunk but the last
	// must be a multiple of it.
	unit = 256 << 10
)

// newPartRequest returns a request for a chunk of the test's session.
func newPartRequest(number int, offset int64, text string) *driver.PartRequest {
	return &driver.PartRequest{
		Key:    "a",
		Upload: sessionName,
		Number: number,
		Offset: offset,
		Body:   strings.NewReader(text),
		Size:   int64(len(text)),
		CRC32C: wiretest.CRC32C(text),
	}
}

// newCompleteRequest returns a request that completes an upload. The upload has one unit of bytes
// already, and gets last as its last part.
func newCompleteRequest(last string) *driver.CompleteRequest {
	full := strings.Repeat("x", unit) + last
	return &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", Size: int64(len(full)), CRC32C: wiretest.CRC32C(full)},
		Upload: sessionName,
		Last:   newPartRequest(2, unit, last),
	}
}

// BeginParts opens a session with all properties of the object, and with its size if that is known.
func TestSessionOpensWithAllProperties(t *testing.T) {
	server := newCannedServer(t)
	server.Respond(reply{Header: map[string]string{"Location": server.URL + sessionName}})
	r := &driver.PutRequest{
		Key:        "a/ü",
		Size:       3 * unit,
		Controls:   storage.Controls{PublicRead: true},
		Properties: storage.Properties{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}},
	}

	upload, err := server.openDriver(t).BeginParts(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, sessionName, upload)

	req := server.Last(t)
	require.Equal(t, "POST /upload/storage/v1/b/photos/o", req.Call())
	require.Equal(t, "resumable", req.Query().Get("uploadType"))
	require.Equal(t, "publicRead", req.Query().Get("predefinedAcl"))
	require.Equal(t, fmt.Sprint(3*unit), req.Header.Get("X-Upload-Content-Length"))
	require.Equal(t, "text/plain", req.Header.Get("X-Upload-Content-Type"))
	require.JSONEq(t, `{"name":"a/ü","contentType":"text/plain","metadata":{"k":"v"}}`, req.Body)

	// If the size is unknown, the request has no header for it.
	const unknownSize = -1
	r.Size = unknownSize
	_, err = server.openDriver(t).BeginParts(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, server.Last(t).Header.Get("X-Upload-Content-Length"))
}

// BeginParts fails with Internal if Google names a session URL that is not one of Google's uploads.
func TestSessionURLFromServer(t *testing.T) {
	locations := []struct {
		name     string
		location string
	}{
		{name: "a URL of another kind", location: "https://storage.googleapis.com/photos/a?upload_id=x"},
		{name: "an invalid URL", location: "https://%zz/"},
		{name: "out of the path of uploads", location: "https://storage.googleapis.com/upload/../photos/a"},
	}
	for _, tt := range locations {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, reply{Header: map[string]string{"Location": tt.location}})
			_, err := server.openDriver(t).BeginParts(t.Context(), &driver.PutRequest{Key: "a", Size: -1})
			require.ErrorIs(t, err, storage.Internal)
		})
	}
}

// The driver sends no request, and so no credentials, to a session URL of the caller that is not one of Google's
// uploads.
func TestSessionURLOfAnotherHost(t *testing.T) {
	uploads := []string{
		"",
		"x",
		"https://example.org/upload/x",
		"//example.org/upload/x",
		"https:/upload/x",
		"/photos/a",
		"@example.org/upload/",
	}
	for _, upload := range uploads {
		t.Run(upload, func(t *testing.T) {
			server := newCannedServer(t)
			d := server.openDriver(t)
			part := newPartRequest(1, 0, "x")
			part.Upload = upload

			_, err := d.PutPart(t.Context(), part)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NoError(t, d.AbortParts(t.Context(), "a", upload))
			require.Empty(t, server.Calls())
		})
	}
}

// Each part is sent as a chunk of the session, and the last one with the size and the checksum of the whole object.
func TestSessionChunks(t *testing.T) {
	server := newCannedServer(t, resumeReply(unit), resumeReply(2*unit), storedReply)
	d := server.openDriver(t)
	text := strings.Repeat("x", unit)
	_, err := d.PutPart(t.Context(), newPartRequest(1, 0, text))
	require.NoError(t, err)
	_, err = d.PutPart(t.Context(), newPartRequest(2, unit, text))
	require.NoError(t, err)

	full := text + text + "end"
	attrs, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", Size: int64(len(full)), CRC32C: wiretest.CRC32C(full)},
		Upload: sessionName,
		Last:   newPartRequest(3, 2*unit, "end"),
	})
	require.NoError(t, err)
	require.Equal(t, "1700000000000001", attrs.Revision)

	// Each request names its range of bytes. Only the last chunk states the size of the object.
	var ranges []string
	for _, req := range server.Requests() {
		require.Equal(t, "PUT /upload/storage/v1/b/photos/o", req.Call())
		require.Equal(t, "S3CR3T", req.Query().Get("upload_id"))
		ranges = append(ranges, req.Header.Get("Content-Range"))
	}
	require.Equal(t, []string{
		fmt.Sprintf("bytes 0-%d/*", unit-1),
		fmt.Sprintf("bytes %d-%d/*", unit, 2*unit-1),
		fmt.Sprintf("bytes %d-%d/%d", 2*unit, len(full)-1, len(full)),
	}, ranges)

	// Only the last request has the checksum.
	require.Equal(t, "crc32c="+crc32c.Encode(wiretest.CRC32C(full).Sum),
		server.Last(t).Header.Get("X-Goog-Hash"))
	require.Empty(t, server.Requests()[0].Header.Get("X-Goog-Hash"))
}

// If the server keeps only some of the bytes of a chunk, PutPart sends the rest again.
func TestSessionKeepsLess(t *testing.T) {
	text := strings.Repeat("a", unit) + strings.Repeat("b", unit) + strings.Repeat("c", unit)

	// After each request, the server has one more of the three units.
	server := newCannedServer(t, resumeReply(unit), resumeReply(2*unit), resumeReply(3*unit))

	_, err := server.openDriver(t).PutPart(t.Context(), newPartRequest(1, 0, text))
	require.NoError(t, err)

	reqs := server.Requests()
	require.Len(t, reqs, 3)
	require.Equal(t, fmt.Sprintf("bytes %d-%d/*", unit, 3*unit-1), reqs[1].Header.Get("Content-Range"))
	require.Equal(t, text[unit:], reqs[1].Body)
	require.Equal(t, text[2*unit:], reqs[2].Body)
}

// If the server keeps only some of the bytes of the last chunk, CompleteParts sends the rest again.
func TestSessionKeepsLessOfLastChunk(t *testing.T) {
	// The upload has one unit of bytes. The last chunk has another unit and "end", but the server
	// keeps only the unit.
	server := newCannedServer(t, resumeReply(2*unit), storedReply)

	_, err := server.openDriver(t).CompleteParts(t.Context(), newCompleteRequest(strings.Repeat("b", unit)+"end"))
	require.NoError(t, err)
	const size = 2*unit + len("end")
	require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", 2*unit, size-1, size), server.Last(t).Header.Get("Content-Range"))
	require.Equal(t, "end", server.Last(t).Body)
}

// If the server keeps all bytes of the last chunk without ending the upload, CompleteParts only ends it.
func TestSessionKeepsLastChunk(t *testing.T) {
	const size = unit + len("end") // of the object
	server := newCannedServer(t, resumeReply(int64(size)), storedReply)

	_, err := server.openDriver(t).CompleteParts(t.Context(), newCompleteRequest("end"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("bytes */%d", size), server.Last(t).Header.Get("Content-Range"))
	require.Empty(t, server.Last(t).Body)
}

// If the server makes no progress with a chunk, PutPart fails with Unavailable. If the server has
// lost bytes, PutPart also fails with the status 409, and the engine then restarts the upload.
func TestSessionWithoutProgress(t *testing.T) {
	chunk := strings.Repeat("x", 3*unit)

	// The server has the first unit. With each of these replies, it has one byte more.
	var oneByteMore []reply
	for i := range maxResends + 1 {
		oneByteMore = append(oneByteMore, resumeReply(unit+1+int64(i)))
	}

	tests := []struct {
		name         string
		replies      []reply
		wantRestart  bool
		wantRequests int
	}{
		{name: "server keeps nothing", replies: []reply{resumeReply(unit)}, wantRestart: false, wantRequests: 1},
		{name: "server keeps one byte of each request", replies: oneByteMore, wantRestart: false, wantRequests: maxResends},
		{name: "server has lost the first unit", replies: []reply{resumeReply(0)}, wantRestart: true, wantRequests: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)

			_, err := server.openDriver(t).PutPart(t.Context(), newPartRequest(2, unit, chunk))
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unavailable, storageErr.Code)
			require.Equal(t, tt.wantRestart, storageErr.Status == http.StatusConflict)
			require.Len(t, server.Calls(), tt.wantRequests)
		})
	}
}

// If the upload session no longer exists, PutPart and CompleteParts fail with the status 409, and
// the engine then restarts the upload. AbortParts succeeds.
func TestSessionMissing(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone, statusAborted} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := newCannedServer(t, reply{
				Status: status,
				Header: map[string]string{requestIDHeader: "S3CR3T"},
			})
			d := server.openDriver(t)

			_, err := d.PutPart(t.Context(), newPartRequest(1, 0, "x"))
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unavailable, storageErr.Code)
			require.Equal(t, http.StatusConflict, storageErr.Status)

			// This attempt has done nothing, so its outcome is known.
			_, err = d.CompleteParts(t.Context(), newCompleteRequest("end"))
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, http.StatusConflict, storageErr.Status)
			require.False(t, storageErr.Unknown)

			require.NoError(t, d.AbortParts(t.Context(), "a", sessionName))
			require.Equal(t, "DELETE /upload/storage/v1/b/photos/o", server.Last(t).Call())
			require.Equal(t, "0", server.Last(t).Header.Get("Content-Length"))
		})
	}
}

// If a gateway responds in place of Google, AbortParts fails with Unavailable, because the session still accepts bytes
// from everyone who has its URL.
func TestSessionAbortedByGoogleOnly(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusGone, statusAborted} {
		t.Run(fmt.Sprint("a gateway sends ", status), func(t *testing.T) {
			d := newCannedServer(t, gatewayError(status)).openDriver(t)
			err := d.AbortParts(t.Context(), "a", sessionName)
			require.ErrorIs(t, err, storage.Unavailable)
		})
	}
}

// AbortParts succeeds if Google responds with 204.
func TestSessionAborted(t *testing.T) {
	d := newCannedServer(t, reply{Status: http.StatusNoContent}).openDriver(t)
	require.NoError(t, d.AbortParts(t.Context(), "a", sessionName))
}

// If the response to the last chunk is lost, CompleteParts fails with OutcomeUnknown, and another attempt succeeds.
func TestSessionLastResponseLost(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
	}{
		{name: "no response", reply: reply{Cut: true}},
		{name: "503", reply: jsonError(503, "backendError", "Backend Error")},
		{name: "half a response", reply: reply{Body: `{"gener`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.reply, storedReply)
			d := server.openDriver(t)

			_, err := d.CompleteParts(t.Context(), newCompleteRequest("end"))
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unavailable, storageErr.Code)
			require.True(t, storageErr.Unknown)

			// A session that has already made its object returns the object again.
			attrs, err := d.CompleteParts(t.Context(), newCompleteRequest("end"))
			require.NoError(t, err)
			require.Equal(t, "1700000000000001", attrs.Revision)
		})
	}
}

// If the response to an earlier chunk is lost, the error is not OutcomeUnknown, because there is no object yet.
func TestSessionChunkLost(t *testing.T) {
	server := newCannedServer(t, reply{Cut: true})
	_, err := server.openDriver(t).PutPart(t.Context(), newPartRequest(1, 0, "x"))
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unavailable, storageErr.Code)
	require.True(t, storageErr.Retryable)
}

// No error shows the session URL, with which anyone can write, although the server repeats the
// URL's secret part in the request ID.
func TestSessionNotInErrors(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
	}{
		{name: "refused", reply: jsonError(403, "forbidden", "Access denied.")},
		{name: "session missing", reply: jsonError(404, "notFound", "Not Found")},
		{name: "service unavailable", reply: jsonError(503, "backendError", "Backend Error")},
		{name: "no response", reply: reply{Cut: true}},
		{name: "session completed", reply: storedReply},
		{name: "invalid range", reply: reply{Status: 308, Header: map[string]string{"Range": "S3CR3T"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// "S3CR3T" is the secret part of the session URL.
			if tt.reply.Header != nil {
				tt.reply.Header[requestIDHeader] = "S3CR3T"
			}
			d := newCannedServer(t, tt.reply).openDriver(t)

			_, err := d.PutPart(t.Context(), newPartRequest(1, 0, "x"))
			require.Error(t, err)
			requireNoSession(t, err)

			// Some of the replies mean success for these calls. Then there is no error to check.
			_, err = d.CompleteParts(t.Context(), newCompleteRequest("end"))
			requireNoSession(t, err)

			err = d.AbortParts(t.Context(), "a", sessionName)
			requireNoSession(t, err)
		})
	}
}

// requireNoSession requires that no error in the chain of err shows "S3CR3T", or has a request id.
func requireNoSession(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, err.Error(), "S3CR3T")
		var storageErr *storage.Error
		if errors.As(err, &storageErr) {
			require.Empty(t, storageErr.RequestID)
		}
		if response := responseOf(err); response != nil {
			require.Empty(t, response.Header.Get(requestIDHeader))
		}
	}
}

// If another process has completed the session, PutPart fails with Unavailable and the status 409.
// The engine then restarts the upload.
func TestSessionCompletedMeanwhile(t *testing.T) {
	server := newCannedServer(t, storedReply)
	_, err := server.openDriver(t).PutPart(t.Context(), newPartRequest(1, 0, strings.Repeat("x", unit)))
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unavailable, storageErr.Code)
	require.Equal(t, http.StatusConflict, storageErr.Status)
}
