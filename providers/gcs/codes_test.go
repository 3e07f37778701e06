package gcs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
)

// documentedCodes are the reasons of the JSON API and the codes of the XML API that Google lists,
// and their statuses.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
// https://cloud.google.com/storage/docs/xml-api/reference-status
var documentedCodes = []struct {
	code   string
	status int
	want   storage.Code
}{
	{code: "notModified", status: 304, want: storage.NotModified},
	{code: "badRequest", status: 400, want: storage.InvalidArgument},
	{code: "badRequestException", status: 400, want: storage.InvalidArgument},
	{code: "cloudKmsBadKey", status: 400, want: storage.InvalidArgument},
	{code: "cloudKmsCannotChangeKeyName", status: 400, want: storage.InvalidArgument},
	{code: "cloudKmsDecryptionKeyNotFound", status: 400, want: storage.InvalidArgument},
	{code: "cloudKmsDisabledKey", status: 400, want: storage.PermissionDenied},
	{code: "cloudKmsEncryptionKeyNotFound", status: 400, want: storage.InvalidArgument},
	{code: "cloudKmsKeyLocationNotAllowed", status: 400, want: storage.InvalidArgument},
	{code: "corsRequestWithXOrigin", status: 400, want: storage.InvalidArgument},
	{code: "customerEncryptionAlgorithmIsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "customerEncryptionKeyFormatIsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "customerEncryptionKeyIsIncorrect", status: 400, want: storage.InvalidArgument},
	{code: "customerEncryptionKeySha256IsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "invalid", status: 400, want: storage.InvalidArgument},
	{code: "invalidAltValue", status: 400, want: storage.InvalidArgument},
	{code: "invalidArgument", status: 400, want: storage.InvalidArgument},
	{code: "invalidParameter", status: 400, want: storage.InvalidArgument},
	{code: "notDownload", status: 400, want: storage.InvalidArgument},
	{code: "notUpload", status: 400, want: storage.InvalidArgument},
	{code: "parseError", status: 400, want: storage.InvalidArgument},
	{code: "required", status: 400, want: storage.InvalidArgument},
	{code: "resourceIsEncryptedWithCustomerEncryptionKey", status: 400, want: storage.InvalidArgument},
	{code: "resourceNotEncryptedWithCustomerEncryptionKey", status: 400, want: storage.InvalidArgument},
	{code: "turnedDown", status: 400, want: storage.InvalidArgument},
	{code: "userProjectInvalid", status: 400, want: storage.InvalidArgument},
	{code: "userProjectMissing", status: 400, want: storage.InvalidArgument},
	{code: "wrongUrlForUpload", status: 400, want: storage.InvalidArgument},
	{code: "AuthenticationRequiredRequesterPays", status: 401, want: storage.Unauthenticated},
	{code: "authError", status: 401, want: storage.Unauthenticated},
	{code: "lockedDomainExpired", status: 401, want: storage.Unauthenticated},
	{code: "required", status: 401, want: storage.Unauthenticated},
	{code: "accountDisabled", status: 403, want: storage.PermissionDenied},
	{code: "countryBlocked", status: 403, want: storage.PermissionDenied},
	{code: "forbidden", status: 403, want: storage.PermissionDenied},
	{code: "insufficientPermissions", status: 403, want: storage.PermissionDenied},
	{code: "objectUnderActiveHold", status: 403, want: storage.Locked},
	{code: "retentionPolicyNotMet", status: 403, want: storage.Locked},
	{code: "rateLimitExceeded", status: 403, want: storage.RateLimited},
	{code: "userRateLimitExceeded", status: 403, want: storage.RateLimited},
	{code: "quotaExceeded", status: 403, want: storage.RateLimited},
	{code: "sslRequired", status: 403, want: storage.PermissionDenied},
	{code: "stopChannelCallerNotOwner", status: 403, want: storage.PermissionDenied},
	{code: "UserProjectAccessDenied", status: 403, want: storage.PermissionDenied},
	{code: "UserProjectAccountProblem", status: 403, want: storage.PermissionDenied},
	{code: "notFound", status: 404, want: storage.ObjectNotFound},
	{code: "methodNotAllowed", status: 405, want: storage.Unsupported},
	{code: "uploadBrokenConnection", status: 408, want: storage.Unavailable},
	{code: "conflict", status: 409, want: storage.Unavailable},
	{code: "", status: 410, want: storage.Unavailable},
	{code: "", status: 411, want: storage.InvalidArgument},
	{code: "conditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "orgPolicyConstraintFailed", status: 412, want: storage.PermissionDenied},
	{code: "softDeletePolicyNotSet", status: 412, want: storage.PreconditionFailed},
	{code: "objectNotSoftDeleted", status: 412, want: storage.PreconditionFailed},
	{code: "uploadTooLarge", status: 413, want: storage.TooLarge},
	{code: "requestedRangeNotSatisfiable", status: 416, want: storage.RangeNotSatisfiable},
	{code: "rateLimitExceeded", status: 429, want: storage.RateLimited},
	{code: "", status: 499, want: storage.Unavailable},
	{code: "backendError", status: 500, want: storage.Unavailable},
	{code: "internalError", status: 500, want: storage.Unavailable},
	{code: "", status: 502, want: storage.Unavailable},
	{code: "backendError", status: 503, want: storage.Unavailable},
	{code: "gatewayTimeout", status: 504, want: storage.Unavailable},

	{code: "AmbiguousGrantByEmailAddress", status: 400, want: storage.InvalidArgument},
	{code: "BadDigest", status: 400, want: storage.ChecksumMismatch},
	{code: "CloudKmsBadKey", status: 400, want: storage.InvalidArgument},
	{code: "CloudKmsCannotChangeKeyName", status: 400, want: storage.InvalidArgument},
	{code: "CloudKmsDecryptionKeyNotFound", status: 400, want: storage.InvalidArgument},
	{code: "CloudKmsDisabledKey", status: 400, want: storage.PermissionDenied},
	{code: "CloudKmsEncryptionKeyNotFound", status: 400, want: storage.InvalidArgument},
	{code: "CloudKmsKeyLocationNotAllowed", status: 400, want: storage.InvalidArgument},
	{code: "CredentialsNotSupported", status: 400, want: storage.InvalidArgument},
	{code: "CrcMismatch", status: 400, want: storage.ChecksumMismatch},
	{code: "CustomerEncryptionAlgorithmIsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "CustomerEncryptionKeyFormatIsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "CustomerEncryptionKeyIsIncorrect", status: 400, want: storage.InvalidArgument},
	{code: "CustomerEncryptionKeySha256IsInvalid", status: 400, want: storage.InvalidArgument},
	{code: "EntityTooSmall", status: 400, want: storage.InvalidArgument},
	{code: "EntityTooLarge", status: 400, want: storage.TooLarge},
	{code: "ExcessHeaderValues", status: 400, want: storage.InvalidArgument},
	{code: "ExpiredToken", status: 400, want: storage.Unauthenticated},
	{code: "ImmutableObject", status: 400, want: storage.InvalidArgument},
	{code: "IncompleteBody", status: 400, want: storage.InvalidArgument},
	{code: "IncorrectNumberOfFilesInPostRequest", status: 400, want: storage.InvalidArgument},
	{code: "InvalidArgument", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBucketName", status: 400, want: storage.InvalidArgument},
	{code: "InvalidDigest", status: 400, want: storage.InvalidArgument},
	{code: "InvalidLocationConstraint", status: 400, want: storage.InvalidArgument},
	{code: "InvalidPolicyDocument", status: 400, want: storage.InvalidArgument},
	{code: "InvalidURI", status: 400, want: storage.InvalidArgument},
	{code: "KeyTooLong", status: 400, want: storage.InvalidArgument},
	{code: "MalformedACLError", status: 400, want: storage.InvalidArgument},
	{code: "MalformedHeaderValue", status: 400, want: storage.InvalidArgument},
	{code: "MalformedPOSTRequest", status: 400, want: storage.InvalidArgument},
	{code: "MalformedSecurityHeader", status: 400, want: storage.InvalidArgument},
	{code: "MalformedXML", status: 400, want: storage.InvalidArgument},
	{code: "MaxMessageLengthExceeded", status: 400, want: storage.InvalidArgument},
	{code: "MaxPostPreDataLengthExceededError", status: 400, want: storage.InvalidArgument},
	{code: "MetadataTooLarge", status: 400, want: storage.InvalidArgument},
	{code: "MissingRequestBodyError", status: 400, want: storage.InvalidArgument},
	{code: "MissingSecurityHeader", status: 400, want: storage.InvalidArgument},
	{code: "NoLoggingStatusForKey", status: 400, want: storage.InvalidArgument},
	{code: "RequestIsNotMultiPartContent", status: 400, want: storage.InvalidArgument},
	{code: "RequestTimeout", status: 400, want: storage.Unavailable},
	{code: "ResourceIsEncryptedWithCustomerEncryptionKey", status: 400, want: storage.InvalidArgument},
	{code: "ResourceNotEncryptedWithCustomerEncryptionKey", status: 400, want: storage.InvalidArgument},
	{code: "TooManyBuckets", status: 400, want: storage.InvalidArgument},
	{code: "UnexpectedContent", status: 400, want: storage.InvalidArgument},
	{code: "UnresolvableGrantByEmailAddress", status: 400, want: storage.InvalidArgument},
	{code: "UserProjectInvalid", status: 400, want: storage.InvalidArgument},
	{code: "UserProjectMissing", status: 400, want: storage.InvalidArgument},
	{code: "AuthenticationRequired", status: 401, want: storage.Unauthenticated},
	{code: "AccessDenied", status: 403, want: storage.PermissionDenied},
	{code: "AccountProblem", status: 403, want: storage.PermissionDenied},
	{code: "InvalidSecurity", status: 403, want: storage.Unauthenticated},
	{code: "ObjectUnderActiveHold", status: 403, want: storage.Locked},
	{code: "RetentionPolicyNotMet", status: 403, want: storage.Locked},
	{code: "SignatureDoesNotMatch", status: 403, want: storage.Unauthenticated},
	{code: "NoSuchBucket", status: 404, want: storage.BucketNotFound},
	{code: "NoSuchKey", status: 404, want: storage.ObjectNotFound},
	{code: "MethodNotAllowed", status: 405, want: storage.Unsupported},
	{code: "BucketAlreadyExists", status: 409, want: storage.BucketExists},
	{code: "BucketAlreadyOwnedByYou", status: 409, want: storage.BucketExists},
	{code: "BucketNameUnavailable", status: 409, want: storage.BucketExists},
	{code: "BucketNotEmpty", status: 409, want: storage.BucketNotEmpty},
	{code: "OperationAborted", status: 409, want: storage.Unavailable},
	{code: "MissingContentLength", status: 411, want: storage.InvalidArgument},
	{code: "PreconditionFailed", status: 412, want: storage.PreconditionFailed},
	{code: "InvalidRange", status: 416, want: storage.RangeNotSatisfiable},
	{code: "SlowDown", status: 429, want: storage.RateLimited},
	{code: "InternalError", status: 500, want: storage.Unavailable},
	{code: "ServiceUnavailable", status: 503, want: storage.Unavailable},
	{code: "SlowDown", status: 503, want: storage.RateLimited},
}

// Each reason and error code that Google documents maps to a storage.Code other than Internal.
func TestErrorCodesDocumented(t *testing.T) {
	for _, tt := range documentedCodes {
		t.Run(tt.code, func(t *testing.T) {
			response := &googleapi.Error{Code: tt.status}
			if tt.code != "" {
				response.Errors = []googleapi.ErrorItem{{Reason: tt.code}}
			}
			got := meaningOf(response).Code
			require.Equal(t, tt.want, got)
			require.NotEqual(t, storage.Internal, got)
		})
	}
}

// An error code that Google does not document gets the storage.Code of its HTTP status. If that is Internal, a
// hint explains it.
func TestErrorCodesUnlisted(t *testing.T) {
	for status := 400; status < 500; status++ {
		got := meaningOf(&googleapi.Error{Code: status, Errors: []googleapi.ErrorItem{{Reason: "newReason"}}})
		require.True(t, got.Code != storage.Internal || got.Hint != "", "%d", status)
	}
}
