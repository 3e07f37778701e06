package azure

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// documentedCodes are the error codes that Microsoft lists for Blob Storage, and their statuses.
// https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
// https://learn.microsoft.com/rest/api/storageservices/sas-error-codes
var documentedCodes = []struct {
	code   string
	status int
	want   storage.Code
}{
	{code: "AccountAlreadyExists", status: 409, want: storage.InvalidArgument},
	{code: "AccountBeingCreated", status: 409, want: storage.Unavailable},
	{code: "AccountIsDisabled", status: 403, want: storage.PermissionDenied},
	{code: "AppendPositionConditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "AuthenticationFailed", status: 403, want: storage.Unauthenticated},
	{code: "AuthorizationFailure", status: 403, want: storage.PermissionDenied},
	{code: "AuthorizationPermissionMismatch", status: 403, want: storage.PermissionDenied},
	{code: "AuthorizationProtocolMismatch", status: 403, want: storage.PermissionDenied},
	{code: "AuthorizationResourceTypeMismatch", status: 403, want: storage.PermissionDenied},
	{code: "AuthorizationServiceMismatch", status: 403, want: storage.PermissionDenied},
	{code: "AuthorizationSourceIPMismatch", status: 403, want: storage.PermissionDenied},
	{code: "BlobAccessTierNotSupportedForAccountType", status: 400, want: storage.InvalidArgument},
	{code: "BlobAlreadyExists", status: 409, want: storage.PreconditionFailed},
	{code: "BlobArchived", status: 409, want: storage.Archived},
	{code: "BlobBeingRehydrated", status: 409, want: storage.Archived},
	{code: "BlobCustomerSpecifiedEncryptionMismatch", status: 409, want: storage.InvalidArgument},
	{code: "BlobImmutableDueToLegalHold", status: 409, want: storage.Locked},
	{code: "BlobImmutableDueToPolicy", status: 409, want: storage.Locked},
	{code: "BlobNotArchived", status: 409, want: storage.InvalidArgument},
	{code: "BlobNotFound", status: 404, want: storage.ObjectNotFound},
	{code: "BlobOperationNotSupported", status: 409, want: storage.Unsupported},
	{code: "BlobOverwritten", status: 409, want: storage.Changed},
	{code: "BlobTierInadequateForContentLength", status: 409, want: storage.TooLarge},
	{code: "BlobUsesCustomerSpecifiedEncryption", status: 409, want: storage.InvalidArgument},
	{code: "BlockCountExceedsLimit", status: 409, want: storage.TooLarge},
	{code: "BlockListTooLong", status: 400, want: storage.TooLarge},
	{code: "CannotChangeToLowerTier", status: 409, want: storage.InvalidArgument},
	{code: "CannotVerifyCopySource", status: 500, want: storage.PermissionDenied},
	{code: "ConditionHeadersNotSupported", status: 400, want: storage.Unsupported},
	{code: "ConditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "ConditionNotMet", status: 304, want: storage.NotModified},
	{code: "ContainerAlreadyExists", status: 409, want: storage.BucketExists},
	{code: "ContainerBeingDeleted", status: 409, want: storage.BucketNotFound},
	{code: "ContainerDisabled", status: 409, want: storage.PermissionDenied},
	{code: "ContainerHasLegalHold", status: 409, want: storage.Locked},
	{code: "ContainerImmutabilityPolicyLocked", status: 409, want: storage.Locked},
	{code: "ContainerNotFound", status: 404, want: storage.BucketNotFound},
	{code: "ContentLengthLargerThanTierLimit", status: 409, want: storage.TooLarge},
	{code: "CopyAcrossAccountsNotSupported", status: 400, want: storage.Unsupported},
	{code: "CopyIdMismatch", status: 409, want: storage.InvalidArgument},
	{code: "Crc64Mismatch", status: 400, want: storage.ChecksumMismatch},
	{code: "EmptyMetadataKey", status: 400, want: storage.InvalidArgument},
	{code: "FeatureVersionMismatch", status: 409, want: storage.Unsupported},
	{code: "ImmutabilityPolicyDeleteOnLockedPolicy", status: 409, want: storage.Locked},
	{code: "IncrementalCopyBlobMismatch", status: 409, want: storage.InvalidArgument},
	{code: "IncrementalCopyOfEarlierSnapshotNotAllowed", status: 409, want: storage.InvalidArgument},
	// the service's spelling
	{code: "IncrementalCopyOfEralierVersionSnapshotNotAllowed", status: 409, want: storage.InvalidArgument},
	{code: "IncrementalCopySourceMustBeSnapshot", status: 409, want: storage.InvalidArgument},
	{code: "InfiniteLeaseDurationRequired", status: 412, want: storage.InvalidArgument},
	{code: "InsufficientAccountPermissions", status: 403, want: storage.PermissionDenied},
	{code: "InternalError", status: 500, want: storage.Unavailable},
	{code: "InvalidAuthenticationInfo", status: 400, want: storage.Unauthenticated},
	{code: "InvalidBlobOrBlock", status: 400, want: storage.Locked},
	{code: "InvalidBlobTier", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBlobType", status: 409, want: storage.InvalidArgument},
	{code: "InvalidBlockId", status: 400, want: storage.InvalidArgument},
	{code: "InvalidBlockList", status: 400, want: storage.InvalidArgument},
	{code: "InvalidHeaderValue", status: 400, want: storage.InvalidArgument},
	{code: "InvalidHttpVerb", status: 400, want: storage.InvalidArgument},
	{code: "InvalidInput", status: 400, want: storage.InvalidArgument},
	{code: "InvalidMd5", status: 400, want: storage.ChecksumMismatch},
	{code: "InvalidMetadata", status: 400, want: storage.InvalidArgument},
	{code: "InvalidOperation", status: 400, want: storage.InvalidArgument},
	{code: "InvalidPageRange", status: 416, want: storage.RangeNotSatisfiable},
	{code: "InvalidQueryParameterValue", status: 400, want: storage.InvalidArgument},
	{code: "InvalidRange", status: 416, want: storage.RangeNotSatisfiable},
	{code: "InvalidResourceName", status: 400, want: storage.InvalidArgument},
	{code: "InvalidSourceBlobType", status: 409, want: storage.InvalidArgument},
	{code: "InvalidSourceBlobUrl", status: 409, want: storage.InvalidArgument},
	{code: "InvalidUri", status: 400, want: storage.InvalidArgument},
	{code: "InvalidVersionForPageBlobOperation", status: 400, want: storage.InvalidArgument},
	{code: "InvalidXmlDocument", status: 400, want: storage.InvalidArgument},
	{code: "InvalidXmlNodeValue", status: 400, want: storage.InvalidArgument},
	{code: "KeyBasedAuthenticationNotPermitted", status: 403, want: storage.PermissionDenied},
	{code: "LeaseAlreadyBroken", status: 409, want: storage.Locked},
	{code: "LeaseAlreadyPresent", status: 409, want: storage.Locked},
	{code: "LeaseIdMismatchWithBlobOperation", status: 412, want: storage.Locked},
	{code: "LeaseIdMismatchWithContainerOperation", status: 412, want: storage.Locked},
	{code: "LeaseIdMismatchWithLeaseOperation", status: 409, want: storage.Locked},
	{code: "LeaseIdMissing", status: 412, want: storage.Locked},
	{code: "LeaseIsBreakingAndCannotBeAcquired", status: 409, want: storage.Locked},
	{code: "LeaseIsBreakingAndCannotBeChanged", status: 409, want: storage.Locked},
	{code: "LeaseIsBrokenAndCannotBeRenewed", status: 409, want: storage.Locked},
	{code: "LeaseLost", status: 412, want: storage.Locked},
	{code: "LeaseNotPresentWithBlobOperation", status: 412, want: storage.InvalidArgument},
	{code: "LeaseNotPresentWithContainerOperation", status: 412, want: storage.InvalidArgument},
	{code: "LeaseNotPresentWithLeaseOperation", status: 409, want: storage.InvalidArgument},
	{code: "MaxBlobSizeConditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "Md5Mismatch", status: 400, want: storage.ChecksumMismatch},
	{code: "MetadataTooLarge", status: 400, want: storage.InvalidArgument},
	{code: "MissingContentLengthHeader", status: 411, want: storage.InvalidArgument},
	{code: "MissingRequiredHeader", status: 400, want: storage.InvalidArgument},
	{code: "MissingRequiredQueryParameter", status: 400, want: storage.InvalidArgument},
	{code: "MissingRequiredXmlNode", status: 400, want: storage.InvalidArgument},
	{code: "MultipleConditionHeadersNotSupported", status: 400, want: storage.InvalidArgument},
	{code: "NoAuthenticationInformation", status: 401, want: storage.Unauthenticated},
	{code: "NoPendingCopyOperation", status: 409, want: storage.InvalidArgument},
	{code: "OperationNotAllowedOnIncrementalCopyBlob", status: 409, want: storage.InvalidArgument},
	{code: "OperationNotAllowedOnRootBlob", status: 403, want: storage.Locked},
	{code: "OperationTimedOut", status: 500, want: storage.Unavailable},
	{code: "OutOfRangeInput", status: 400, want: storage.InvalidArgument},
	{code: "OutOfRangeQueryParameterValue", status: 400, want: storage.InvalidArgument},
	{code: "PendingCopyOperation", status: 409, want: storage.Locked},
	{code: "PreviousSnapshotCannotBeNewer", status: 400, want: storage.InvalidArgument},
	{code: "PreviousSnapshotNotFound", status: 409, want: storage.InvalidArgument},
	{code: "PreviousSnapshotOperationNotSupported", status: 409, want: storage.InvalidArgument},
	{code: "PublicAccessNotPermitted", status: 409, want: storage.PermissionDenied},
	{code: "RequestBodyTooLarge", status: 413, want: storage.TooLarge},
	{code: "RequestUrlFailedToParse", status: 400, want: storage.InvalidArgument},
	{code: "ResourceAlreadyExists", status: 409, want: storage.PreconditionFailed},
	{code: "ResourceNotFound", status: 404, want: storage.ObjectNotFound},
	{code: "ResourceTypeMismatch", status: 409, want: storage.Unsupported},
	{code: "SequenceNumberConditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "SequenceNumberIncrementTooLarge", status: 409, want: storage.InvalidArgument},
	{code: "ServerBusy", status: 503, want: storage.RateLimited},
	{code: "SnapshotCountExceeded", status: 409, want: storage.TooLarge},
	{code: "SnapshotOperationRateExceeded", status: 409, want: storage.RateLimited},
	{code: "SnapshotsPresent", status: 409, want: storage.Locked},
	{code: "SourceConditionNotMet", status: 412, want: storage.Changed},
	{code: "SystemInUse", status: 409, want: storage.Locked},
	{code: "TargetConditionNotMet", status: 412, want: storage.PreconditionFailed},
	{code: "UnauthorizedBlobOverwrite", status: 403, want: storage.PermissionDenied},
	{code: "UnsupportedHeader", status: 400, want: storage.Unsupported},
	{code: "UnsupportedHttpVerb", status: 405, want: storage.Unsupported},
	{code: "UnsupportedQueryParameter", status: 400, want: storage.Unsupported},
	{code: "UnsupportedXmlNode", status: 400, want: storage.InvalidArgument},
}

// Each error code that Microsoft documents maps to a storage.Code other than Internal.
func TestErrorCodesDocumented(t *testing.T) {
	for _, tt := range documentedCodes {
		t.Run(tt.code, func(t *testing.T) {
			got := meaningOf(tt.code, tt.status).Code
			require.Equal(t, tt.want, got)
			require.NotEqual(t, storage.Internal, got)
		})
	}
}

// An error code that Microsoft does not document gets the storage.Code of its HTTP status. If that
// is Internal, a hint explains it.
func TestErrorCodesUnlisted(t *testing.T) {
	for status := 400; status < 500; status++ {
		got := meaningOf("NewCode", status)
		if got.Code == storage.Internal {
			require.NotEmpty(t, got.Hint, "status %d", status)
		}
	}
}
