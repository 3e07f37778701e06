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
	tests := []struct {
		status          int
		reason, message string
		wantCode        storage.Code
		wantRetryable   bool
	}{
		{status: 304, wantCode: storage.NotModified},
		{status: 400, reason: "invalid", message: "Invalid value", wantCode: storage.InvalidArgument},
		{status: 400, reason: "required", message: "Required", wantCode: storage.InvalidArgument},
		{status: 400, reason: "parseError", message: "Parse Error", wantCode: storage.InvalidArgument},
		{
			status:   400,
			reason:   "invalid",
			message:  `Provided MD5 hash "x" doesn't match calculated MD5 hash "y".`,
			wantCode: storage.ChecksumMismatch,
		},
		{
			status:   400,
			reason:   "BadDigest",
			message:  "The MD5 you specified did not match what we received.",
			wantCode: storage.ChecksumMismatch,
		},
		{
			status:   400,
			reason:   "userProjectMissing",
			message:  "Bucket is a requester pays bucket but no user project provided.",
			wantCode: storage.InvalidArgument,
		},
		{
			status:   400,
			reason:   "ExpiredToken",
			message:  "The provided token has expired.",
			wantCode: storage.Unauthenticated,
		},
		{status: 401, reason: "authError", message: "Invalid Credentials", wantCode: storage.Unauthenticated},
		{
			status:   401,
			reason:   "AuthenticationRequired",
			message:  "Authentication required.",
			wantCode: storage.Unauthenticated,
		},
		{
			status:   403,
			reason:   "forbidden",
			message:  "x does not have storage.objects.get access",
			wantCode: storage.PermissionDenied,
		},
		{status: 403, reason: "AccessDenied", message: "Access denied.", wantCode: storage.PermissionDenied},
		{
			status:        403,
			reason:        "rateLimitExceeded",
			message:       "Rate Limit Exceeded",
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{
			status:        403,
			reason:        "userRateLimitExceeded",
			message:       "User Rate Limit Exceeded",
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{
			status:   403,
			reason:   "retentionPolicyNotMet",
			message:  "Object is subject to bucket's retention policy",
			wantCode: storage.Locked,
		},
		{
			status:   403,
			reason:   "objectUnderActiveHold",
			message:  "Object is under active Temporary hold",
			wantCode: storage.Locked,
		},
		{
			status:   403,
			reason:   "forbidden",
			message:  "Object 'b/o' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.",
			wantCode: storage.Locked,
		},
		{
			status:   403,
			reason:   "forbidden",
			message:  "Object 'b/o' is under active Event-Based hold and cannot be deleted, overwritten or archived until hold is removed.",
			wantCode: storage.Locked,
		},
		{
			status:   403,
			reason:   "forbidden",
			message:  "x does not have storage.objects.delete access to the object 'Object 'b/o' is under active '.",
			wantCode: storage.PermissionDenied,
		},
		{
			status:   403,
			reason:   "forbidden",
			message:  "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.",
			wantCode: storage.PermissionDenied,
		},
		{
			status:   412,
			reason:   "conditionNotMet",
			message:  "Resource Location constraint constraints/gcp.restrictNonCmekServices violated.",
			wantCode: storage.PermissionDenied,
		},
		{
			status:   400,
			reason:   "resourceIsEncryptedWithCustomerEncryptionKey",
			message:  "The target object is encrypted by a customer-supplied encryption key.",
			wantCode: storage.InvalidArgument,
		},
		{
			status:   400,
			reason:   "CustomerEncryptionKeyIsIncorrect",
			message:  "The provided encryption key is incorrect.",
			wantCode: storage.InvalidArgument,
		},
		{status: 404, reason: "notFound", message: "No such object: b/o", wantCode: storage.ObjectNotFound},
		{
			status:   404,
			reason:   "notFound",
			message:  "The specified bucket does not exist.",
			wantCode: storage.BucketNotFound,
		},
		{
			status:   404,
			reason:   "notFound",
			message:  "No such object: b/The specified bucket does not exist.",
			wantCode: storage.ObjectNotFound,
		},
		{
			status:   404,
			reason:   "notFound",
			message:  "No such object: b/uniform bucket-level access",
			wantCode: storage.ObjectNotFound,
		},
		{
			status:   404,
			message:  "Live version of object b/my-bucket does not exist.",
			wantCode: storage.ObjectNotFound,
		},
		{
			status:   404,
			reason:   "NoSuchBucket",
			message:  "The specified bucket does not exist.",
			wantCode: storage.BucketNotFound,
		},
		{status: 405, wantCode: storage.Unsupported},
		{status: 408, wantCode: storage.Unavailable, wantRetryable: true},
		{status: 409, reason: "conflict", message: "Conflict", wantCode: storage.Unavailable, wantRetryable: true},
		{
			status:   412,
			reason:   "conditionNotMet",
			message:  "At least one of the pre-conditions you specified did not hold.",
			wantCode: storage.PreconditionFailed,
		},
		{
			status:   412,
			reason:   "PreconditionFailed",
			message:  "At least one of the pre-conditions you specified did not hold.",
			wantCode: storage.PreconditionFailed,
		},
		{status: 413, reason: "uploadTooLarge", message: "Too large", wantCode: storage.TooLarge},
		{
			status:   416,
			reason:   "InvalidRange",
			message:  "The requested range cannot be satisfied.",
			wantCode: storage.RangeNotSatisfiable,
		},
		{
			status:        429,
			reason:        "rateLimitExceeded",
			message:       "The object exceeded the rate limit",
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{status: 429, wantCode: storage.RateLimited, wantRetryable: true},
		{status: 500, reason: "internalError", wantCode: storage.Unavailable, wantRetryable: true},
		{status: 501, reason: "notImplemented", wantCode: storage.Unsupported},
		{status: 502, wantCode: storage.Unavailable, wantRetryable: true},
		{
			status:        503,
			reason:        "backendError",
			message:       "Backend Error",
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			status:        503,
			reason:        "SlowDown",
			message:       "Please reduce your request rate.",
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{status: 504, wantCode: storage.Unavailable, wantRetryable: true},
		{status: 418, wantCode: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.reason, " ", tt.message), func(t *testing.T) {
			answer := &googleapi.Error{Code: tt.status, Message: tt.message}
			if tt.reason != "" {
				answer.Errors = []googleapi.ErrorItem{{Reason: tt.reason, Message: tt.message}}
			}
			e := translate(fmt.Errorf("sdk: %w", answer))
			require.Equal(t, tt.wantCode, e.Code)
			require.Equal(t, tt.wantRetryable, e.Retryable)
			require.Equal(t, tt.status, e.Status)
		})
	}
}

// Each of these refusals of Google has a hint that says what to do.
func TestRefusalHints(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		reason  string
		message string
		want    string // part of the hint
	}{
		{
			name:    "requester pays, from the JSON API",
			status:  400,
			reason:  "required",
			message: "Bucket is a requester pays bucket but no user project provided.",
			want:    "user_project=",
		},
		{
			name:    "requester pays, from the XML API",
			status:  400,
			reason:  "UserProjectMissing",
			message: "Bucket is a requester pays bucket but no user project provided.",
			want:    "user_project=",
		},
		{
			name:    "no permission for the KMS key",
			status:  403,
			reason:  "forbidden",
			message: "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.",
			want:    "cryptoKeyEncrypterDecrypter",
		},
		{
			name:    "object under a hold",
			status:  403,
			reason:  "forbidden",
			message: "Object 'b/o' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.",
			want:    "hold",
		},
		{
			name:    "customer key for an object without a key",
			status:  400,
			reason:  "resourceNotEncryptedWithCustomerEncryptionKey",
			message: "The target object is not encrypted by a customer-supplied encryption key.",
			want:    "omit WithCustomerKey",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storageErr := translate(&googleapi.Error{
				Code:    tt.status,
				Message: tt.message,
				Errors:  []googleapi.ErrorItem{{Reason: tt.reason}},
			})
			require.Contains(t, storageErr.Hint, tt.want)
		})
	}
}

// Errors without a response, such as those of the network and of the context, map to a Code.
func TestErrorsWithoutAResponse(t *testing.T) {
	tests := []struct {
		name          string
		err           error
		wantCode      storage.Code
		wantRetryable bool
	}{
		{
			name:          "a dropped connection",
			err:           &requestError{&transport.Error{Err: errors.New("reset")}},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:          "a silent peer",
			err:           &transport.Error{Err: transport.ErrStalled},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:          "no such host",
			err:           &net.DNSError{IsNotFound: true},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{name: "a canceled context", err: &requestError{context.Canceled}, wantCode: storage.Canceled},
		{name: "a deadline", err: &requestError{context.DeadlineExceeded}, wantCode: storage.DeadlineExceeded},
		{
			name:     "credentials that were refused",
			err:      &requestError{&storage.Error{Code: storage.Unauthenticated}},
			wantCode: storage.Unauthenticated,
		},
		{name: "anything else", err: errors.New("boom"), wantCode: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storageErr := translate(tt.err)
			require.Equal(t, tt.wantCode, storageErr.Code)
			require.Equal(t, tt.wantRetryable, storageErr.Retryable)
		})
	}
}

// If Google refuses a request, the driver sends a second one to learn the reason. If the second one
// fails temporarily, the call fails with a retryable error, and not with OutcomeUnknown, because
// the first request changed nothing.
func TestRefusalNotExplained(t *testing.T) {
	retention := storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)}
	tests := []struct {
		name    string
		refusal reply
		call    func(d *objectDriver) error
	}{
		{
			name:    "SetRetention refused",
			refusal: jsonError(403, "forbidden", "The object retention cannot be removed or shortened."),
			call: func(d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Retention: retention})
			},
		},
		{
			name:    "Put with a retention refused",
			refusal: jsonError(400, "invalid", "No retention here."),
			call: func(d *objectDriver) error {
				_, err := d.Put(t.Context(), &driver.PutRequest{
					Key:      "a",
					Body:     strings.NewReader(""),
					Controls: storage.Controls{Retention: retention},
				})
				return err
			},
		},
		{
			name:    "Delete of a revision refused",
			refusal: conditionNotMet,
			call: func(d *objectDriver) error {
				return d.Delete(t.Context(), &driver.DeleteRequest{
					Key:       "a",
					Condition: storage.Condition{Revision: "7"},
				})
			},
		},
		{
			name:    "Get of a revision refused",
			refusal: xmlError(412, "PreconditionFailed", "No."),
			call: func(d *objectDriver) error {
				_, _, err := d.Get(t.Context(), &driver.GetRequest{
					Key:       "a",
					Length:    -1,
					Condition: storage.Condition{Revision: "7"},
				})
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, failure := range []reply{jsonError(503, "backendError", "Backend Error"), gatewayError(502)} {
				server := newCannedServer(t, tt.refusal, failure)

				err := tt.call(server.openDriver(t))
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.Equal(t, storage.Unavailable, storageErr.Code)
				require.True(t, storageErr.Retryable)
				require.False(t, storageErr.Unknown)
				require.Len(t, server.Calls(), 2)
			}
		})
	}
}
