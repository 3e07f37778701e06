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

func TestDeleteRequests(t *testing.T) {
	s := newScript(t, said{Status: http.StatusAccepted})
	require.NoError(t, s.driver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: storage.Condition{Revision: etag}}))
	require.Equal(t, []string{"DELETE /photos/a"}, s.server.Lines())
	require.Equal(t, "include", s.server.Last(t).Header.Get("X-Ms-Delete-Snapshots"))
	require.Equal(t, etag, s.server.Last(t).Header.Get("If-Match"))
}

func TestDeleteErrors(t *testing.T) {
	condition := storage.Condition{Revision: etag}
	tests := map[string]struct {
		answers   []said
		condition storage.Condition
		want      storage.Code // "": success
	}{
		"no object":                   {[]said{refusing(404, "BlobNotFound")}, storage.Condition{}, ""},
		"a condition on nothing":      {[]said{refusing(412, "ConditionNotMet"), refusing(404, "BlobNotFound")}, condition, ""},
		"another revision":            {[]said{refusing(412, "ConditionNotMet"), anObject("x")}, condition, storage.PreconditionFailed},
		"no container":                {[]said{refusing(404, "ContainerNotFound")}, storage.Condition{}, storage.BucketNotFound},
		"a condition in no container": {[]said{refusing(412, "ConditionNotMet"), refusing(404, "ContainerNotFound")}, condition, storage.BucketNotFound},
		"an object that may not go":   {[]said{refusing(409, "BlobImmutableDueToPolicy")}, storage.Condition{}, storage.Locked},
		"an object under a lease":     {[]said{refusing(412, "LeaseIdMissing")}, storage.Condition{}, storage.Locked},
		"a gateway's 404":             {[]said{{Status: 404, Header: map[string]string{requestIDHeader: ""}, Body: "<html></html>"}}, storage.Condition{}, storage.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			err := s.driver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: tt.condition})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, s.server.Requests(), len(tt.answers))
		})
	}
}

// Azure does not delete the current version by its id, so Delete removes the object first.
func TestDeleteCurrentVersion(t *testing.T) {
	const (
		object  = "/photos/a"
		version = object + "?versionid=2026-11-20T12%3A00%3A01.0000000Z"
	)
	current := refusing(403, codeCurrentVersion)
	look := anObject("x")
	accepted := said{Status: 202}

	tests := map[string]struct {
		answers []said
		asked   []string
		want    storage.Code // "": success
	}{
		"as it was": {
			[]said{current, look, accepted, accepted},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object, "DELETE " + version}, "",
		},
		"another write has come between": {
			[]said{current, look, refusing(412, "ConditionNotMet"), accepted},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object, "DELETE " + version}, "",
		},
		"the object was removed meanwhile": {
			[]said{current, look, refusing(404, "BlobNotFound"), accepted},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object, "DELETE " + version}, "",
		},
		"the version was removed meanwhile": {
			[]said{current, refusing(404, "BlobNotFound")},
			[]string{"DELETE " + version, "HEAD " + version}, "",
		},
		"and at last": {
			[]said{current, look, accepted, refusing(404, "BlobNotFound")},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object, "DELETE " + version}, "",
		},
		"an object with snapshots": {
			[]said{current, look, refusing(409, "SnapshotsPresent")},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object}, storage.Locked,
		},
		"no right to remove versions": {
			[]said{current, look, accepted, refusing(403, "AuthorizationPermissionMismatch")},
			[]string{"DELETE " + version, "HEAD " + version, "DELETE " + object, "DELETE " + version}, storage.PermissionDenied,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			err := s.driver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: versionAt(1)})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.asked, s.server.Lines())
			for _, r := range s.server.Requests() {
				require.Empty(t, r.Header.Get("X-Ms-Delete-Snapshots"))
				if r.Line() == "DELETE "+object {
					require.Equal(t, etag, r.Header.Get("If-Match"), "only the version")
				}
			}

			s = newScript(t, append([]said{batchAnswer("403 " + codeCurrentVersion)}, tt.answers[1:]...)...)
			errs := s.driver(t).DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a", Version: versionAt(1)}})
			require.Equal(t, tt.want, storage.CodeOf(errs[0]), "in a batch: %v", errs[0])
			require.Equal(t, tt.asked[1:], s.server.Lines()[1:], "in a batch")
		})
	}
}

// batchAnswer returns the response to a batch, with one status and code for each
// request.
func batchAnswer(verdicts ...string) said {
	var b strings.Builder
	for i, verdict := range verdicts {
		status, code, _ := strings.Cut(verdict, " ")
		fmt.Fprintf(&b, "--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 %s Said\r\nx-ms-request-id: R%d\r\n", i, status, i)
		if code != "" {
			fmt.Fprintf(&b, "x-ms-error-code: %s\r\n", code)
		}
		b.WriteString("\r\n\r\n")
	}
	b.WriteString("--batchresponse_1--\r\n")
	return said{Status: http.StatusAccepted, Header: map[string]string{"Content-Type": "multipart/mixed; boundary=batchresponse_1"}, Body: b.String()}
}

// A batch has a request for each object.
func TestDeleteBatchRequests(t *testing.T) {
	s := newScript(t, batchAnswer("202", "404 BlobNotFound", "403 AuthorizationPermissionMismatch", "202"))
	errs := s.driver(t).DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a b/ü"}, {Key: "gone"}, {Key: "kept"}, {Key: "v", Version: versionAt(1)},
	})
	require.NoError(t, errs[0])
	require.NoError(t, errs[1], "a missing object is no error")

	var e *storage.Error
	require.ErrorAs(t, errs[2], &e)
	require.Equal(t, storage.PermissionDenied, e.Code)
	require.Equal(t, "R2", e.RequestID)
	require.NoError(t, errs[3])

	got := s.server.Last(t)
	require.Equal(t, "POST /photos?comp=batch&restype=container", got.Line())
	require.Regexp(t, `^multipart/mixed; boundary=`, got.Header.Get("Content-Type"))
	require.Contains(t, got.Body, "DELETE /devstoreaccount1/photos/a%20b%2F%C3%BC HTTP/1.1")
	require.Contains(t, got.Body, "?versionid=2026-11-20T12%3A00%3A01.0000000Z HTTP/1.1")
	require.Equal(t, 4, strings.Count(got.Body, "Authorization: SharedKey devstoreaccount1:"), "each by itself")
	require.Equal(t, 3, strings.Count(strings.ToLower(got.Body), "x-ms-delete-snapshots: include"))
}

// inBatch returns the response to an accepted batch whose parts name no request.
func inBatch(parts ...string) said {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--b\r\nContent-Type: application/http\r\n\r\n" + part + "\r\n")
	}
	return said{Status: http.StatusAccepted, Header: map[string]string{"Content-Type": "multipart/mixed; boundary=b"}, Body: b.String() + "--b--\r\n"}
}

// If a batch fails or its response is incomplete, each of its objects gets that error.
func TestDeleteBatchErrors(t *testing.T) {
	requests := []driver.DeleteRequest{{Key: "a"}, {Key: "b"}}
	tests := map[string]struct {
		answer  said
		want    storage.Code
		unknown bool
	}{
		"no container":                   {refusing(404, "ContainerNotFound"), storage.BucketNotFound, false},
		"no right":                       {refusing(403, "AuthorizationFailure"), storage.PermissionDenied, false},
		"a busy server":                  {refusing(503, "ServerBusy"), storage.RateLimited, false},
		"a lost response":                {said{Cut: true}, storage.Unavailable, true},
		"a response to only one request": {batchAnswer("202"), storage.Unavailable, true},
		"a refusal of the batch":         {inBatch("HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch\r\n\r\n"), storage.PermissionDenied, false},
		"a batch that is too busy":       {inBatch("HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\n\r\n"), storage.RateLimited, false},
		"refusals without a request": {inBatch("HTTP/1.1 202 Accepted\r\n\r\n",
			"HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationFailure\r\n\r\n"), storage.Unavailable, true},
		"a response to an unknown request": {said{
			Status: 202,
			Header: inBatch().Header,
			Body:   "--b\r\nContent-ID: 7\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n\r\n--b--\r\n",
		}, storage.Unavailable, true},
		"text that is no response": {inBatch("x-ms-secret: 1"), storage.Unavailable, true},
		"an unreadable response":   {said{Status: 202, Header: map[string]string{"Content-Type": "text/plain"}}, storage.Unavailable, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answer)
			errs := s.driver(t).DeleteBatch(t.Context(), requests)
			require.Len(t, errs, 2)
			for _, err := range errs {
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.want, e.Code)
				require.Equal(t, tt.unknown, e.Unknown)
				require.NotContains(t, err.Error(), "x-ms-", "no headers in words")
			}
		})
	}
}

// With a SAS token, the driver sends no batches, because each request of a batch needs its own signature.
func TestDeleteBatchNeedsCredential(t *testing.T) {
	s := newScript(t, batchAnswer("202"))
	d := s.driver(t, func(c *Config) {
		c.SASToken = "?sv=2026&sig=x"
	})
	require.Zero(t, d.Describe().MaxBatch)
	require.Equal(t, []error{storage.Unsupported}, d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}}))
	require.Empty(t, s.server.Requests())
	require.Equal(t, 256, newScript(t).driver(t).Describe().MaxBatch)
}

// After a 412, the driver reads the object to tell a missing object from another revision. If that read fails
// temporarily, the call does, too.
func TestPreconditionFailedNeedsLook(t *testing.T) {
	unmet := refusing(http.StatusPreconditionFailed, "ConditionNotMet")
	page := said{Status: http.StatusServiceUnavailable, Header: map[string]string{requestIDHeader: ""}, Body: "<html></html>"}
	condition := storage.Condition{Revision: etag}
	for name, do := range map[string]func(d *objectDriver) error{
		"Get": func(d *objectDriver) error {
			_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
			return err
		},
		"Delete": func(d *objectDriver) error {
			return d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: condition})
		},
	} {
		tests := []struct {
			look said
			want storage.Code
		}{
			{refusing(http.StatusServiceUnavailable, "ServerBusy"), storage.RateLimited},
			{refusing(http.StatusInternalServerError, "OperationTimedOut"), storage.Unavailable},
			{page, storage.Unavailable},
			{anObject("x"), storage.PreconditionFailed},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(name, " ", tt.look.Status, " ", tt.want), func(t *testing.T) {
				err := do(newScript(t, unmet, tt.look).driver(t))
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.NotErrorIs(t, err, storage.OutcomeUnknown, "nothing was done")
			})
		}
	}
}
