package gcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/transport"
)

// Each response of Google Cloud Storage, in both of its APIs, maps to a Code and is retryable or not.
func TestVerdicts(t *testing.T) {
	for _, row := range []struct {
		status          int
		reason, message string
		code            storage.Code
		retryable       bool
	}{
		{304, "", "", storage.NotModified, false},
		{400, "invalid", "Invalid value", storage.InvalidArgument, false},
		{400, "required", "Required", storage.InvalidArgument, false},
		{400, "parseError", "Parse Error", storage.InvalidArgument, false},
		{400, "invalid", `Provided MD5 hash "x" doesn't match calculated MD5 hash "y".`, storage.ChecksumMismatch, false},
		{400, "BadDigest", "The MD5 you specified did not match what we received.", storage.ChecksumMismatch, false},
		{400, "userProjectMissing", "Bucket is a requester pays bucket but no user project provided.", storage.InvalidArgument, false},
		{400, "ExpiredToken", "The provided token has expired.", storage.Unauthenticated, false},
		{401, "authError", "Invalid Credentials", storage.Unauthenticated, false},
		{401, "AuthenticationRequired", "Authentication required.", storage.Unauthenticated, false},
		{403, "forbidden", "x does not have storage.objects.get access", storage.PermissionDenied, false},
		{403, "AccessDenied", "Access denied.", storage.PermissionDenied, false},
		{403, "rateLimitExceeded", "Rate Limit Exceeded", storage.RateLimited, true},
		{403, "userRateLimitExceeded", "User Rate Limit Exceeded", storage.RateLimited, true},
		{403, "retentionPolicyNotMet", "Object is subject to bucket's retention policy", storage.Locked, false},
		{403, "objectUnderActiveHold", "Object is under active Temporary hold", storage.Locked, false},
		{403, "forbidden", "Object 'b/o' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.", storage.Locked, false},
		{403, "forbidden", "Object 'b/o' is under active Event-Based hold and cannot be deleted, overwritten or archived until hold is removed.", storage.Locked, false},
		{403, "forbidden", "x does not have storage.objects.delete access to the object 'Object 'b/o' is under active '.", storage.PermissionDenied, false},
		{403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.", storage.PermissionDenied, false},
		{412, "conditionNotMet", "Resource Location constraint constraints/gcp.restrictNonCmekServices violated.", storage.PermissionDenied, false},
		{400, "resourceIsEncryptedWithCustomerEncryptionKey", "The target object is encrypted by a customer-supplied encryption key.", storage.InvalidArgument, false},
		{400, "CustomerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect.", storage.InvalidArgument, false},
		{404, "notFound", "No such object: b/o", storage.ObjectNotFound, false},
		{404, "notFound", "The specified bucket does not exist.", storage.BucketNotFound, false},
		{404, "notFound", "No such object: b/The specified bucket does not exist.", storage.ObjectNotFound, false},
		{404, "notFound", "No such object: b/uniform bucket-level access", storage.ObjectNotFound, false},
		{404, "", "Live version of object b/my-bucket does not exist.", storage.ObjectNotFound, false},
		{404, "NoSuchBucket", "The specified bucket does not exist.", storage.BucketNotFound, false},
		{405, "", "", storage.Unsupported, false},
		{408, "", "", storage.Unavailable, true},
		{409, "conflict", "Conflict", storage.Unavailable, true},
		{412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", storage.PreconditionFailed, false},
		{412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.", storage.PreconditionFailed, false},
		{413, "uploadTooLarge", "Too large", storage.TooLarge, false},
		{416, "InvalidRange", "The requested range cannot be satisfied.", storage.RangeNotSatisfiable, false},
		{429, "rateLimitExceeded", "The object exceeded the rate limit", storage.RateLimited, true},
		{429, "", "", storage.RateLimited, true},
		{500, "internalError", "", storage.Unavailable, true},
		{501, "notImplemented", "", storage.Unsupported, false},
		{502, "", "", storage.Unavailable, true},
		{503, "backendError", "Backend Error", storage.Unavailable, true},
		{503, "SlowDown", "Please reduce your request rate.", storage.RateLimited, true},
		{504, "", "", storage.Unavailable, true},
		{418, "", "", storage.Internal, false},
	} {
		t.Run(fmt.Sprint(row.status, " ", row.reason, " ", row.message), func(t *testing.T) {
			answer := &googleapi.Error{Code: row.status, Message: row.message}
			if row.reason != "" {
				answer.Errors = []googleapi.ErrorItem{{Reason: row.reason, Message: row.message}}
			}
			e := translate(fmt.Errorf("sdk: %w", answer))
			require.Equal(t, row.code, e.Code)
			require.Equal(t, row.retryable, e.Retryable)
			require.Equal(t, row.status, e.Status)
		})
	}
}

// The error of a refused request has a hint.
func TestRefusalHints(t *testing.T) {
	for _, row := range []struct {
		status                int
		reason, message, hint string
	}{
		{400, "required", "Bucket is a requester pays bucket but no user project provided.", "user_project="},
		{400, "UserProjectMissing", "Bucket is a requester pays bucket but no user project provided.", "user_project="},
		{403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.", "cryptoKeyEncrypterDecrypter"},
		{403, "forbidden", "Object 'b/o' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.", "hold"},
		{400, "resourceNotEncryptedWithCustomerEncryptionKey", "The target object is not encrypted by a customer-supplied encryption key.", "omit WithCustomerKey"},
	} {
		e := translate(&googleapi.Error{Code: row.status, Message: row.message, Errors: []googleapi.ErrorItem{{Reason: row.reason}}})
		require.Contains(t, e.Hint, row.hint, row.message)
	}
}

func TestErrorsWithoutAResponse(t *testing.T) {
	for _, row := range []struct {
		name      string
		err       error
		code      storage.Code
		retryable bool
	}{
		{"a dropped connection", &requestError{&transport.Error{Err: errors.New("reset")}}, storage.Unavailable, true},
		{"a silent peer", &transport.Error{Err: transport.ErrStalled}, storage.Unavailable, true},
		{"no such host", &net.DNSError{IsNotFound: true}, storage.Unavailable, true},
		{"a canceled context", &requestError{context.Canceled}, storage.Canceled, false},
		{"a deadline", &requestError{context.DeadlineExceeded}, storage.DeadlineExceeded, false},
		{"credentials that were refused", &requestError{&storage.Error{Code: storage.Unauthenticated}}, storage.Unauthenticated, false},
		{"anything else", errors.New("boom"), storage.Internal, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := translate(row.err)
			require.Equal(t, row.code, e.Code)
			require.Equal(t, row.retryable, e.Retryable)
		})
	}
}

// After a refusal, the driver sends a second request to learn the reason. If that request fails temporarily, the
// call fails as retryable.
func TestRefusalNotExplained(t *testing.T) {
	end := time.Now().Add(time.Hour)
	retention := storage.Retention{Mode: storage.Governance, Until: end}
	mismatch := failing(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
	for name, row := range map[string]struct {
		refusal reply
		call    func(d *objectDriver) error
	}{
		"of a shorter retention": {failing(403, "forbidden", "The object retention cannot be removed or shortened."), func(d *objectDriver) error {
			return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Retention: retention})
		}},
		"of a retention by a bucket that has none": {failing(400, "invalid", "No retention here."), func(d *objectDriver) error {
			_, err := d.Put(t.Context(), &driver.PutRequest{Key: "a", Body: strings.NewReader(""), Controls: storage.Controls{Retention: retention}})
			return err
		}},
		"of a removal of another revision": {mismatch, func(d *objectDriver) error {
			return d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: storage.Condition{Revision: "7"}})
		}},
		"of a read of another revision": {failingXML(412, "PreconditionFailed", "No."), func(d *objectDriver) error {
			_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: storage.Condition{Revision: "7"}})
			return err
		}},
	} {
		for reason, later := range map[string]reply{"busy": failing(503, "backendError", "Backend Error"), "a gateway": ofGateway(502)} {
			t.Run(name+", "+reason, func(t *testing.T) {
				server := newStandIn(t, row.refusal, later)
				err := row.call(server.on(t))
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, storage.Unavailable, e.Code)
				require.True(t, e.Retryable)
				require.False(t, e.Unknown, "the first request was refused")
				require.Len(t, server.server.Calls(), 2)
			})
		}
	}
}
