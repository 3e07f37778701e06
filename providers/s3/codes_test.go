package s3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// documentedCodes are the error codes that Amazon lists, and their statuses.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var documentedCodes = []struct {
	code   string
	status int
	want   storage.Code
}{
	{code: "AccessControlListNotSupported", status: 400, want: storage.Unsupported},
	{code: "AccessDenied", status: 403, want: storage.PermissionDenied},
	{code: "AccessPointAlreadyOwnedByYou", status: 409, want: storage.BucketExists},
	{code: "AccountProblem", status: 403, want: storage.PermissionDenied},
	{code: "AllAccessDisabled", status: 403, want: storage.PermissionDenied},
	{code: "AmbiguousGrantByEmailAddress", status: 400, want: storage.InvalidArgument},
	{code: "AuthorizationHeaderMalformed", status: 400, want: storage.InvalidArgument},
	{code: "AuthorizationQueryParametersError", status: 400, want: storage.InvalidArgument},
	{code: "BadDigest", status: 400, want: storage.ChecksumMismatch},
	{code: "BucketAlreadyExists", status: 409, want: storage.BucketExists},
	{code: "BucketAlreadyOwnedByYou", status: 409, want: storage.BucketExists},
	{code: "BucketHasAccessPointsAttached", status: 400, want: storage.InvalidArgument},
	{code: "BucketNotEmpty", status: 409, want: storage.BucketNotEmpty},
	{code: "ClientTokenConflict", status: 409, want: storage.InvalidArgument},
	{code: "ConditionalRequestConflict", status: 409, want: storage.Unavailable},
	{code: "ConnectionClosedByRequester", status: 400, want: storage.Unavailable},
	{code: "CredentialsNotSupported", status: 400, want: storage.InvalidArgument},
	{code: "CrossLocationLoggingProhibited", status: 403, want: storage.PermissionDenied},
	{code: "DeviceNotActiveError", status: 400, want: storage.InvalidArgument},
	{code: "EncryptionTypeMismatch", status: 400, want: storage.InvalidArgument},
	{code: "EndpointNotFound", status: 400, want: storage.InvalidArgument},
	{code: "EntityTooLarge", status: 400, want: storage.TooLarge},
	{code: "EntityTooSmall", status: 400, want: storage.InvalidArgument},
	{code: "ExpiredToken", status: 400, want: storage.Unauthenticated},
	{code: "GlacierExpeditedRetrievalNotAvailable", status: 503, want: storage.Unavailable},
	{code: "IdempotencyException", status: 409, want: storage.InvalidArgument},
	{code: "IllegalLocationConstraintException", status: 400, want: storage.InvalidArgument},
	{code: "IllegalVersioningConfigurationException", status: 400, want: storage.InvalidArgument},
	{code: "IncompleteBody", status: 400, want: storage.Unavailable},
	{code: "IncorrectEndpoint", status: 400, want: storage.InvalidArgument},
	{code: "IncorrectNumberOfFilesInPostRequest", status: 400, want: storage.InvalidArgument},
	{code: "InlineDataTooLarge", status: 400, want: storage.InvalidArgument},
	{code: "InternalError", status: 500, want: storage.Unavailable},
	{code: "InvalidAccessKeyId", status: 403, want: storage.Unauthenticated},
	{code: "InvalidAccessPoint", status: 400, want: storage.InvalidArgument},
	{code: "InvalidAccessPointAliasError", status: 400, want: storage.InvalidArgument},
	{code: "InvalidAddressingHeader", status: 400, want: storage.InvalidArgument},
	{code: "InvalidArgument", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBucketAclWithObjectOwnership", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBucketName", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBucketOwnerAWSAccountID", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBucketState", status: 409, want: storage.Unsupported},
	{code: "InvalidDigest", status: 400, want: storage.ChecksumMismatch},
	{code: "InvalidEncryptionAlgorithmError", status: 400, want: storage.InvalidArgument},
	{code: "InvalidHostHeader", status: 400, want: storage.InvalidArgument},
	{code: "InvalidHttpMethod", status: 400, want: storage.InvalidArgument},
	{code: "InvalidLocationConstraint", status: 400, want: storage.InvalidArgument},
	{code: "InvalidObjectState", status: 403, want: storage.Archived},
	{code: "InvalidPart", status: 400, want: storage.InvalidArgument},
	{code: "InvalidPartOrder", status: 400, want: storage.InvalidArgument},
	{code: "InvalidPayer", status: 403, want: storage.PermissionDenied},
	{code: "InvalidPolicyDocument", status: 400, want: storage.InvalidArgument},
	{code: "InvalidRange", status: 416, want: storage.RangeNotSatisfiable},
	{code: "InvalidRegion", status: 403, want: storage.InvalidArgument},
	{code: "InvalidRequest", status: 400, want: storage.InvalidArgument},
	{code: "InvalidSecurity", status: 403, want: storage.Unauthenticated},
	{code: "InvalidSessionException", status: 400, want: storage.Unauthenticated},
	{code: "InvalidSignature", status: 400, want: storage.Unauthenticated},
	{code: "InvalidSOAPRequest", status: 400, want: storage.InvalidArgument},
	{code: "InvalidStorageClass", status: 400, want: storage.InvalidArgument},
	{code: "InvalidTag", status: 400, want: storage.InvalidArgument},
	{code: "InvalidTargetBucketForLogging", status: 400, want: storage.InvalidArgument},
	{code: "InvalidToken", status: 400, want: storage.Unauthenticated},
	{code: "InvalidURI", status: 400, want: storage.InvalidArgument},
	{code: "InvalidWriteOffset", status: 400, want: storage.PreconditionFailed},
	{code: "KeyTooLongError", status: 400, want: storage.InvalidArgument},
	{code: "KMS.DisabledException", status: 400, want: storage.PermissionDenied},
	{code: "KMS.InvalidKeyUsageException", status: 400, want: storage.PermissionDenied},
	{code: "KMS.KMSInvalidStateException", status: 400, want: storage.PermissionDenied},
	{code: "KMS.NotFoundException", status: 400, want: storage.InvalidArgument},
	{code: "MalformedACLError", status: 400, want: storage.InvalidArgument},
	{code: "MalformedPOSTRequest", status: 400, want: storage.InvalidArgument},
	{code: "MalformedPolicy", status: 400, want: storage.InvalidArgument},
	{code: "MalformedXML", status: 400, want: storage.InvalidArgument},
	{code: "MaxMessageLengthExceeded", status: 400, want: storage.TooLarge},
	{code: "MaxPostPreDataLengthExceededError", status: 400, want: storage.InvalidArgument},
	{code: "MetadataTooLarge", status: 400, want: storage.InvalidArgument},
	{code: "MethodNotAllowed", status: 405, want: storage.Unsupported},
	{code: "MissingAttachment", status: 400, want: storage.InvalidArgument},
	{code: "MissingAuthenticationToken", status: 403, want: storage.Unauthenticated},
	{code: "MissingContentLength", status: 411, want: storage.InvalidArgument},
	{code: "MissingRequestBodyError", status: 400, want: storage.InvalidArgument},
	{code: "MissingSecurityElement", status: 400, want: storage.InvalidArgument},
	{code: "MissingSecurityHeader", status: 400, want: storage.InvalidArgument},
	{code: "NoLoggingStatusForKey", status: 400, want: storage.InvalidArgument},
	{code: "NoSuchAccessPoint", status: 404, want: storage.BucketNotFound},
	{code: "NoSuchAsyncRequest", status: 404, want: storage.InvalidArgument},
	{code: "NoSuchBucket", status: 404, want: storage.BucketNotFound},
	{code: "NoSuchBucketPolicy", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchConfiguration", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchCORSConfiguration", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchKey", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchLifecycleConfiguration", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchMultiRegionAccessPoint", status: 404, want: storage.BucketNotFound},
	{code: "NoSuchObjectLockConfiguration", status: 404, want: storage.Unsupported},
	{code: "NoSuchPublicAccessBlockConfiguration", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchTagSet", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchUpload", status: 404, want: storage.InvalidArgument},
	{code: "NoSuchVersion", status: 404, want: storage.ObjectNotFound},
	{code: "NoSuchWebsiteConfiguration", status: 404, want: storage.ObjectNotFound},
	{code: "NotDeviceOwnerError", status: 400, want: storage.InvalidArgument},
	{code: "NotImplemented", status: 501, want: storage.Unsupported},
	{code: "NotModified", status: 304, want: storage.NotModified},
	{code: "NotSignedUp", status: 403, want: storage.PermissionDenied},
	{code: "ObjectAlreadyInActiveTierError", status: 403, want: storage.InvalidArgument},
	{code: "ObjectLockConfigurationNotFoundError", status: 404, want: storage.Unsupported},
	{code: "ObjectNotInActiveTierError", status: 403, want: storage.Archived},
	{code: "OperationAborted", status: 409, want: storage.Unavailable},
	{code: "OwnershipControlsNotFoundError", status: 404, want: storage.ObjectNotFound},
	{code: "PermanentRedirect", status: 301, want: storage.InvalidArgument},
	{code: "PreconditionFailed", status: 412, want: storage.PreconditionFailed},
	{code: "Redirect", status: 307, want: storage.InvalidArgument},
	{code: "ReplicationConfigurationNotFoundError", status: 404, want: storage.ObjectNotFound},
	{code: "RequestHeaderSectionTooLarge", status: 400, want: storage.InvalidArgument},
	{code: "RequestIsNotMultiPartContent", status: 400, want: storage.InvalidArgument},
	{code: "RequestTimeTooSkewed", status: 403, want: storage.Unauthenticated},
	{code: "RequestTimeout", status: 400, want: storage.Unavailable},
	{code: "RequestTorrentOfBucketError", status: 400, want: storage.InvalidArgument},
	{code: "ResponseInterrupted", status: 400, want: storage.Unavailable},
	{code: "RestoreAlreadyInProgress", status: 409, want: storage.Archived},
	{code: "ServerSideEncryptionConfigurationNotFoundError", status: 404, want: storage.ObjectNotFound},
	{code: "ServiceUnavailable", status: 503, want: storage.Unavailable},
	{code: "SignatureDoesNotMatch", status: 403, want: storage.Unauthenticated},
	{code: "SlowDown", status: 503, want: storage.RateLimited},
	{code: "TemporaryRedirect", status: 307, want: storage.InvalidArgument},
	{code: "TokenCodeInvalidError", status: 400, want: storage.InvalidArgument},
	{code: "TokenRefreshRequired", status: 400, want: storage.Unauthenticated},
	{code: "TooManyAccessPoints", status: 400, want: storage.InvalidArgument},
	{code: "TooManyBuckets", status: 400, want: storage.PermissionDenied},
	{code: "TooManyMultiRegionAccessPoints", status: 400, want: storage.InvalidArgument},
	{code: "TooManyMultiRegionAccessPointregionsError", status: 400, want: storage.InvalidArgument},
	{code: "TooManyParts", status: 400, want: storage.TooLarge},
	{code: "UnauthorizedAccessError", status: 403, want: storage.PermissionDenied},
	{code: "UnexpectedContent", status: 400, want: storage.InvalidArgument},
	{code: "UnexpectedIPError", status: 403, want: storage.PermissionDenied},
	{code: "UnresolvableGrantByEmailAddress", status: 400, want: storage.InvalidArgument},
	{code: "UnsupportedArgument", status: 400, want: storage.InvalidArgument},
	{code: "UnsupportedSignature", status: 400, want: storage.InvalidArgument},
	{code: "UserKeyMustBeSpecified", status: 400, want: storage.InvalidArgument},
	{code: "XAmzContentChecksumMismatch", status: 400, want: storage.ChecksumMismatch},
	{code: "XAmzContentSHA256Mismatch", status: 400, want: storage.ChecksumMismatch},
}

// Each error code that Amazon documents maps to a storage.Code other than Internal.
func TestErrorCodesDocumented(t *testing.T) {
	for _, tt := range documentedCodes {
		t.Run(tt.code, func(t *testing.T) {
			got := s3error.Meaning(tt.code, "", tt.status).Code
			require.Equal(t, tt.want, got)
			require.NotEqual(t, storage.Internal, got)
		})
	}
}

// An error code that Amazon does not document gets the storage.Code of its HTTP status, and a hint
// if that is Internal.
func TestErrorCodesUnlisted(t *testing.T) {
	for status := 400; status < 500; status++ {
		got := s3error.Meaning("NewCode", "", status)
		if got.Code == storage.Internal {
			require.NotEmpty(t, got.Hint, "status %d", status)
		}
	}
}
