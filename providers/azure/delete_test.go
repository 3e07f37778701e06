package azure

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Delete removes an object together with its snapshots. The request has the caller's condition.
func TestDeleteRequests(t *testing.T) {
	server := newCannedServer(t, reply{Status: http.StatusAccepted})
	err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
		Key:       "a",
		Condition: storage.Condition{Revision: etag},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"DELETE /photos/a"}, server.Lines())
	require.Equal(t, "include", server.Last(t).Header.Get("X-Ms-Delete-Snapshots"))
	require.Equal(t, etag, server.Last(t).Header.Get("If-Match"))
}

// Delete of a missing object succeeds. After an unmet condition, a second request tells a missing object from
// another revision.
func TestDeleteErrors(t *testing.T) {
	condition := storage.Condition{Revision: etag}
	tests := []struct {
		name      string
		replies   []reply // to the removal, and to the second request
		condition storage.Condition
		want      storage.Code // "": success
	}{
		{
			name:    "object missing",
			replies: []reply{errorReply(404, "BlobNotFound")},
		},
		{
			name:      "object missing, with a condition",
			replies:   []reply{errorReply(412, "ConditionNotMet"), errorReply(404, "BlobNotFound")},
			condition: condition,
		},
		{
			name:      "object has another revision",
			replies:   []reply{errorReply(412, "ConditionNotMet"), objectReply("x")},
			condition: condition,
			want:      storage.PreconditionFailed,
		},
		{
			name:    "container missing",
			replies: []reply{errorReply(404, "ContainerNotFound")},
			want:    storage.BucketNotFound,
		},
		{
			name:      "container missing, with a condition",
			replies:   []reply{errorReply(412, "ConditionNotMet"), errorReply(404, "ContainerNotFound")},
			condition: condition,
			want:      storage.BucketNotFound,
		},
		{
			name:    "object under an immutability policy",
			replies: []reply{errorReply(409, "BlobImmutableDueToPolicy")},
			want:    storage.Locked,
		},
		{
			name:    "object under a lease",
			replies: []reply{errorReply(412, "LeaseIdMissing")},
			want:    storage.Locked,
		},
		{
			name:    "404 of a gateway",
			replies: []reply{{Status: 404, Header: map[string]string{requestIDHeader: ""}, Body: "<html></html>"}},
			want:    storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
				Key:       "a",
				Condition: tt.condition,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// Azure refuses to delete the current version by its id. Delete then removes the object, so the
// version becomes noncurrent, and deletes the version again. DeleteBatch does the same.
func TestDeleteCurrentVersion(t *testing.T) {
	const (
		object        = "/photos/a"
		version       = object + "?versionid=2026-11-20T12%3A00%3A01.0000000Z"
		deleteVersion = "DELETE " + version
		readVersion   = "HEAD " + version
		deleteObject  = "DELETE " + object
	)
	refused := errorReply(403, codeCurrentVersion)
	found := objectReply("x")
	missing := errorReply(404, "BlobNotFound")
	removed := reply{Status: 202}
	requests := []string{deleteVersion, readVersion, deleteObject, deleteVersion}

	// Each test has a reply to each of these requests, in this order. If it has fewer replies,
	// fewer requests are made.
	tests := []struct {
		name    string
		replies []reply
		want    storage.Code // "": success
	}{
		{name: "nothing changes meanwhile", replies: []reply{refused, found, removed, removed}},
		{
			name:    "object overwritten meanwhile",
			replies: []reply{refused, found, errorReply(412, "ConditionNotMet"), removed},
		},
		{name: "object removed meanwhile", replies: []reply{refused, found, missing, removed}},
		{name: "version deleted before it is read", replies: []reply{refused, missing}},
		{name: "version deleted before it is deleted again", replies: []reply{refused, found, removed, missing}},
		{
			name:    "object has snapshots",
			replies: []reply{refused, found, errorReply(409, "SnapshotsPresent")},
			want:    storage.Locked,
		},
		{
			name:    "no permission to delete versions",
			replies: []reply{refused, found, removed, errorReply(403, "AuthorizationPermissionMismatch")},
			want:    storage.PermissionDenied,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: versionAt(1)})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, requests[:len(tt.replies)], server.Lines())

			for _, r := range server.Requests() {
				require.Empty(t, r.Header.Get("X-Ms-Delete-Snapshots"))
				if r.Line() == deleteObject {
					require.Equal(t, etag, r.Header.Get("If-Match"), "only this version may be removed")
				}
			}
		})
		t.Run("in a batch, "+tt.name, func(t *testing.T) {
			refusedInBatch := batchReply("403 " + codeCurrentVersion)
			server := newCannedServer(t, append([]reply{refusedInBatch}, tt.replies[1:]...)...)
			errs := server.openDriver(t).DeleteBatch(t.Context(),
				[]driver.DeleteRequest{{Key: "a", Version: versionAt(1)}})
			require.Equal(t, tt.want, storage.CodeOf(errs[0]), "%v", errs[0])
			require.Equal(t, requests[1:len(tt.replies)], server.Lines()[1:])
		})
	}
}

// batchReply returns the response to a batch. Each verdict has the status of one request, which a
// space and an error code may follow.
func batchReply(verdicts ...string) reply {
	var b strings.Builder
	for i, verdict := range verdicts {
		status, code, _ := strings.Cut(verdict, " ")
		fmt.Fprintf(&b,
			"--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 %s Said\r\nx-ms-request-id: R%d\r\n",
			i, status, i)
		if code != "" {
			fmt.Fprintf(&b, "x-ms-error-code: %s\r\n", code)
		}
		b.WriteString("\r\n\r\n")
	}
	b.WriteString("--batchresponse_1--\r\n")
	return reply{
		Status: http.StatusAccepted,
		Header: map[string]string{"Content-Type": "multipart/mixed; boundary=batchresponse_1"},
		Body:   b.String(),
	}
}

// DeleteBatch sends a batch with a request for each object, and returns the error of each. A
// missing object is no error.
func TestDeleteBatchRequests(t *testing.T) {
	// The response has the verdict on each object, in the order of the requests.
	server := newCannedServer(t,
		batchReply("202", "404 BlobNotFound", "403 AuthorizationPermissionMismatch", "202"))
	errs := server.openDriver(t).DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a b/ü"},
		{Key: "gone"},
		{Key: "kept"},
		{Key: "v", Version: versionAt(1)},
	})

	require.Len(t, errs, 4)
	require.NoError(t, errs[0])
	require.NoError(t, errs[1], "a missing object must be no error")
	require.NoError(t, errs[3])

	// The error of "kept" has the request ID of its own verdict.
	var e *storage.Error
	require.ErrorAs(t, errs[2], &e)
	require.Equal(t, storage.PermissionDenied, e.Code)
	require.Equal(t, "R2", e.RequestID)

	// Each request of the batch has a signature of its own. Snapshots are removed with an object, but not with a
	// version.
	got := server.Last(t)
	require.Equal(t, "POST /photos?comp=batch&restype=container", got.Line())
	require.Regexp(t, `^multipart/mixed; boundary=`, got.Header.Get("Content-Type"))
	require.Contains(t, got.Body, "DELETE /devstoreaccount1/photos/a%20b%2F%C3%BC HTTP/1.1")
	require.Contains(t, got.Body, "?versionid=2026-11-20T12%3A00%3A01.0000000Z HTTP/1.1")
	require.Equal(t, 4, strings.Count(got.Body, "Authorization: SharedKey devstoreaccount1:"))
	require.Equal(t, 3, strings.Count(strings.ToLower(got.Body), "x-ms-delete-snapshots: include"))
}

// anonymousBatchReply returns the response to an accepted batch whose parts do not tell to which request they
// belong.
func anonymousBatchReply(parts ...string) reply {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--b\r\nContent-Type: application/http\r\n\r\n" + part + "\r\n")
	}
	return reply{
		Status: http.StatusAccepted,
		Header: map[string]string{"Content-Type": "multipart/mixed; boundary=b"},
		Body:   b.String() + "--b--\r\n",
	}
}

// If a batch fails or its response is incomplete, each object of the batch gets that error.
func TestDeleteBatchErrors(t *testing.T) {
	requests := []driver.DeleteRequest{{Key: "a"}, {Key: "b"}}
	tests := []struct {
		name        string
		answer      reply
		want        storage.Code
		wantUnknown bool
	}{
		{
			name:   "container missing",
			answer: errorReply(404, "ContainerNotFound"),
			want:   storage.BucketNotFound,
		},
		{
			name:   "no permission",
			answer: errorReply(403, "AuthorizationFailure"),
			want:   storage.PermissionDenied,
		},
		{
			name:   "server busy",
			answer: errorReply(503, "ServerBusy"),
			want:   storage.RateLimited,
		},
		{name: "connection cut", answer: reply{Cut: true}, want: storage.Unavailable, wantUnknown: true},
		{
			name:        "one of two responses missing",
			answer:      batchReply("202"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:   "whole batch refused",
			answer: anonymousBatchReply("HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch\r\n\r\n"),
			want:   storage.PermissionDenied,
		},
		{
			name:   "whole batch refused by a busy server",
			answer: anonymousBatchReply("HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\n\r\n"),
			want:   storage.RateLimited,
		},
		{
			name: "responses that name no request",
			answer: anonymousBatchReply("HTTP/1.1 202 Accepted\r\n\r\n",
				"HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationFailure\r\n\r\n"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name: "response that names an unknown request",
			answer: reply{
				Status: 202,
				Header: anonymousBatchReply().Header,
				Body:   "--b\r\nContent-ID: 7\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n\r\n--b--\r\n",
			},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "text in place of a response",
			answer:      anonymousBatchReply("x-ms-secret: 1"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "response of another content type",
			answer:      reply{Status: 202, Header: map[string]string{"Content-Type": "text/plain"}},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answer)
			errs := server.openDriver(t).DeleteBatch(t.Context(), requests)
			require.Len(t, errs, 2)
			for _, err := range errs {
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.want, e.Code)
				require.Equal(t, tt.wantUnknown, e.Unknown)
				require.NotContains(t, err.Error(), "x-ms-", "the text must not show headers")
			}
		})
	}
}

// With a SAS token, the driver sends no batches, because each request of a batch needs its own
// signature.
func TestDeleteBatchNeedsCredential(t *testing.T) {
	server := newCannedServer(t, batchReply("202"))
	d := server.openDriver(t, func(c *Config) {
		c.SASToken = "?sv=2026&sig=x"
	})

	errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}})
	require.Equal(t, []error{storage.Unsupported}, errs)
	require.Empty(t, server.Requests())
	require.Zero(t, d.Describe().MaxBatch)

	// A driver with the account's key sends batches.
	require.Equal(t, 256, newCannedServer(t).openDriver(t).Describe().MaxBatch)
}

// After a 412, the driver reads the object to tell a missing object from another revision. If that
// read fails temporarily, so does the call.
func TestPreconditionFailedNeedsLook(t *testing.T) {
	condition := storage.Condition{Revision: etag}
	calls := []struct {
		name string
		run  func(t *testing.T, d *objectDriver) error
	}{
		{
			name: "Get",
			run: func(t *testing.T, d *objectDriver) error {
				_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
				return err
			},
		},
		{
			name: "Delete",
			run: func(t *testing.T, d *objectDriver) error {
				return d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: condition})
			},
		},
	}
	tests := []struct {
		name   string
		object reply // the response to the read of the object
		want   storage.Code
	}{
		{
			name:   "server busy",
			object: errorReply(http.StatusServiceUnavailable, "ServerBusy"),
			want:   storage.RateLimited,
		},
		{
			name:   "server timed out",
			object: errorReply(http.StatusInternalServerError, "OperationTimedOut"),
			want:   storage.Unavailable,
		},
		{
			name: "page of a gateway",
			object: reply{
				Status: http.StatusServiceUnavailable,
				Header: map[string]string{requestIDHeader: ""},
				Body:   "<html></html>",
			},
			want: storage.Unavailable,
		},
		{name: "object has another revision", object: objectReply("x"), want: storage.PreconditionFailed},
	}
	for _, call := range calls {
		for _, tt := range tests {
			t.Run(call.name+", "+tt.name, func(t *testing.T) {
				unmet := errorReply(http.StatusPreconditionFailed, "ConditionNotMet")
				err := call.run(t, newCannedServer(t, unmet, tt.object).openDriver(t))
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.NotErrorIs(t, err, storage.OutcomeUnknown, "the error must say that nothing was done")
			})
		}
	}
}
