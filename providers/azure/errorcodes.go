package azure

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	deniedHint       = "the credential may not do this: with Microsoft Entra ID it needs a data role such as Storage Blob Data Contributor, or Storage Blob Data Owner for tags and locks; a shared access signature needs the permission"
	networkHint      = "the account's firewall refuses this address"
	publicHint       = "the container is private, or the account permits no public access: use credentials"
	hiddenHint       = "the service shows a private container to nobody without credentials: use credentials, or a shared access signature that has not expired"
	archiveHint      = "the object's access tier keeps it offline: call storage.Restore"
	overwriteHint    = "Azure does not overwrite an archived object: remove it first"
	hierarchicalHint = "the account has a hierarchical namespace, in which a directory and an object cannot have one name: use another key, or an account without one"
	lengthHint       = "a proxy has removed the Content-Length of the request: uploads need it"
	dataLakeHint     = "the Data Lake API has made the object, which parts cannot replace: remove it first, or upload without parts (WithPartSize)"
	unorderedHint    = "the account has a hierarchical namespace, which does not list in byte order: set Config.HierarchicalNamespace (hierarchical_namespace=true); list with WithAnyOrder"
	foreignHint      = "another tool left uncommitted blocks with short ids on this key: commit its upload, wait a week, or first write a small object to the key"
	blocksHint       = "other uploads left 100,000 uncommitted blocks on this key: wait a week, or first write a small object to the key"
	charactersHint   = "Azure refuses keys with a character of U+0080 to U+009F, a private one (U+E000 to U+F8FF) or U+FFFD"
	emulatorHint     = "this Azurite is older than the API: start it with --skipApiVersionCheck, or use a newer one"
	versionHint      = "if the cloud or the server is older than the service version of the request, set Config.APIVersion (api_version=) to one that it has, such as 2019-07-07 for Azure Stack Hub"
	policyHint       = "the account's SAS expiration policy refuses the shared access signature: give it a start (st) and a shorter term"
	scopeHint        = "the account has no such encryption scope: create it, or change Config.EncryptionScope (encryption_scope=)"
	deletingHint     = "a container of this name is being deleted, which takes half a minute or more"
	managementHint   = "the container has an immutability policy or a legal hold: delete it in the management plane (portal, az, ARM)"
	operationHint    = "the account does not have this operation, such as tags in a hierarchical namespace, or the service version is too old for it"
)

// errorMeanings maps the error codes of Blob Storage to their meanings. For responses without a
// known code, it maps the HTTP statuses.
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
var errorMeanings = sdkerror.Table{
	Codes: sdkerror.Codes(map[sdkerror.Meaning]string{
		{Code: storage.ObjectNotFound}:                                       "BlobNotFound ResourceNotFound",
		{Code: storage.BucketNotFound}:                                       "ContainerNotFound",
		{Code: storage.BucketNotFound, Hint: deletingHint}:                   "ContainerBeingDeleted",
		{Code: storage.PermissionDenied}:                                     "ContainerDisabled CannotVerifyCopySource",
		{Code: storage.BucketExists}:                                         "ContainerAlreadyExists",
		{Code: storage.Locked, Hint: "a copy to this object is in progress"}: "PendingCopyOperation",
		{Code: storage.InvalidArgument}: `
			NoPendingCopyOperation CopyIdMismatch InvalidInput InvalidUri InvalidMetadata EmptyMetadataKey
			MetadataTooLarge InvalidTag DuplicateTagNames EmptyTagName TagsTooLarge InvalidHeaderValue
			InvalidQueryParameterValue OutOfRangeQueryParameterValue OutOfRangeInput InvalidBlockId
			InvalidVersionForPageBlobOperation BlobNotArchived AccountAlreadyExists CannotChangeToLowerTier
			IncrementalCopyBlobMismatch IncrementalCopyOfEarlierSnapshotNotAllowed
			IncrementalCopyOfEralierVersionSnapshotNotAllowed IncrementalCopySourceMustBeSnapshot
			InfiniteLeaseDurationRequired InvalidSourceBlobType InvalidSourceBlobUrl
			LeaseNotPresentWithBlobOperation LeaseNotPresentWithContainerOperation
			LeaseNotPresentWithLeaseOperation OperationNotAllowedOnIncrementalCopyBlob PreviousSnapshotNotFound
			PreviousSnapshotOperationNotSupported SequenceNumberIncrementTooLarge`,
		{Code: storage.InvalidArgument, Hint: lengthHint}: "MissingContentLengthHeader",
		{Code: storage.Unsupported}: `
			CopyAcrossAccountsNotSupported UnsupportedHeader UnsupportedQueryParameter UnsupportedHttpVerb
			FeatureVersionMismatch FeatureNotSupportedForAccount BlobTypeNotSupported
			ConditionHeadersNotSupported HierarchicalNamespaceNotEnabled`,
		{Code: storage.PreconditionFailed}: "ConditionNotMet TargetConditionNotMet BlobAlreadyExists ResourceAlreadyExists",
		{Code: storage.PermissionDenied, Hint: "the shared access signature permits creating objects, but not overwriting them"}: "UnauthorizedBlobOverwrite",
		{Code: storage.Changed}:             "SourceConditionNotMet BlobOverwritten",
		{Code: storage.RangeNotSatisfiable}: "InvalidRange",
		{Code: storage.InvalidArgument, Hint: "use only the characters a-z, 0-9 and \"-\" in the name of a container"}:                                       "InvalidResourceName",
		{Code: storage.InvalidArgument, Hint: "the service has dropped blocks of the upload: another upload to the key was completed, or a week has passed"}: "InvalidBlockList",
		{Code: storage.Locked, Hint: foreignHint}: "InvalidBlobOrBlock",
		{Code: storage.InvalidArgument, Hint: "the blob is an append or page blob: remove it before writing a block blob"}: "InvalidBlobType",
		{Code: storage.InvalidArgument, Hint: scopeHint}:                                                                   "EncryptionScopeNotFound",
		{Code: storage.InvalidArgument, Hint: "the account does not have this access tier"}:                                "InvalidBlobTier BlobAccessTierNotSupportedForAccountType",
		{Code: storage.TooLarge}: `
			RequestBodyTooLarge BlockCountExceedsLimit BlockListTooLong ContentLengthLargerThanTierLimit
			BlobTierInadequateForContentLength SnapshotCountExceeded`,
		{Code: storage.ChecksumMismatch}: "Md5Mismatch Crc64Mismatch InvalidMd5 InvalidCrc64",
		{
			Code: storage.Unauthenticated,
			Hint: "the account key or the signature is wrong or has expired, or this machine's clock is off by more than 15 minutes",
		}: "AuthenticationFailed InvalidAuthenticationInfo",
		{Code: storage.Unauthenticated, Hint: publicHint}:                          "NoAuthenticationInformation",
		{Code: storage.PermissionDenied, Hint: publicHint}:                         "PublicAccessNotPermitted",
		{Code: storage.PermissionDenied, Hint: deniedHint + "; or " + networkHint}: "AuthorizationFailure",
		{Code: storage.PermissionDenied, Hint: deniedHint}: `
			AuthorizationPermissionMismatch AuthorizationResourceTypeMismatch AuthorizationServiceMismatch
			InsufficientAccountPermissions`,
		{Code: storage.PermissionDenied, Hint: "the account requires https"}:                          "AuthorizationProtocolMismatch AccountRequiresHttps",
		{Code: storage.PermissionDenied, Hint: networkHint}:                                           "AuthorizationSourceIPMismatch",
		{Code: storage.PermissionDenied, Hint: "the account accepts no keys: use Microsoft Entra ID"}: "KeyBasedAuthenticationNotPermitted",
		{Code: storage.PermissionDenied, Hint: "the account is disabled: ask the provider why"}:       "AccountIsDisabled",
		{
			Code: storage.InvalidArgument,
			Hint: "the object is encrypted with a key that Azure does not keep: give WithCustomerKey, or WithSourceCustomerKey for the source of a copy, with the same key",
		}: "BlobUsesCustomerSpecifiedEncryption BlobCustomerSpecifiedEncryptionMismatch",
		{Code: storage.Archived, Hint: archiveHint}:                                                           "BlobArchived",
		{Code: storage.Archived, Hint: "the object is being restored from the archive tier: try again later"}: "BlobBeingRehydrated",
		{Code: storage.Locked}: `
			BlobImmutableDueToPolicy ImmutabilityPolicyDeleteOnLockedPolicy BlobImmutableDueToLegalHold SystemInUse`,
		{Code: storage.Locked, Hint: managementHint}:      "ContainerImmutabilityPolicyLocked ContainerHasLegalHold",
		{Code: storage.Unsupported, Hint: managementHint}: "ContainerImmutableStorageWithVersioningEnabled",
		{Code: storage.Locked, Hint: "another client holds a lease on the object, or on the container that is to be deleted"}: `
			LeaseIdMissing LeaseLost LeaseAlreadyPresent LeaseIdMismatchWithBlobOperation
			LeaseIdMismatchWithContainerOperation LeaseIdMismatchWithLeaseOperation LeaseAlreadyBroken
			LeaseIsBreakingAndCannotBeAcquired LeaseIsBreakingAndCannotBeChanged LeaseIsBrokenAndCannotBeRenewed`,
		{Code: storage.Locked, Hint: "the object has snapshots"}:                                                   "SnapshotsPresent",
		{Code: storage.Locked, Hint: "the version is the current one: remove the object without naming a version"}: "OperationNotAllowedOnRootBlob",
		{Code: storage.RateLimited}: "ServerBusy TooManyRequests SnapshotOperationRateExceeded",
		{Code: storage.Unavailable}: "InternalError OperationTimedOut AccountBeingCreated IncompleteBody",
		{Code: storage.Unsupported, Hint: "the emulator does not have this: use an account of Azure"}: "FeatureNotSupported",
		{Code: storage.Unsupported, Hint: dataLakeHint}:                                               "BlobOperationNotSupported",
		{Code: storage.Unsupported, Hint: hierarchicalHint}: `
			EndpointUnsupportedAccountFeatures PathConflict DirectoryIsNotEmpty OperationNotSupportedOnDirectory
			ResourceTypeMismatch`,
	}),

	Statuses: map[int]sdkerror.Meaning{
		http.StatusUnauthorized: {Code: storage.Unauthenticated, Hint: publicHint},
		http.StatusForbidden:    {Code: storage.PermissionDenied, Hint: deniedHint},
	},
}

const (
	codeArchived    = "BlobArchived"
	codeRehydrating = "BlobBeingRehydrated"
	codeBlockCount  = "BlockCountExceedsLimit"
)

// specialHint returns the hint for an error whose cause does not follow from the code alone, or "".
func specialHint(code string, document errorDocument, response *http.Response) string {
	if strings.HasPrefix(document.AuthenticationErrorDetail, "Policy violated") {
		return policyHint
	}
	if code == "InvalidHeaderValue" {
		return headerHint(document.HeaderName, response)
	}

	isFromFrontEnd := code == "" && strings.HasPrefix(response.Header.Get("Server"), "Microsoft-HTTPAPI")
	if isFromFrontEnd && response.StatusCode == http.StatusBadRequest {
		// The server in front of the service refuses some characters in a URL.
		// https://github.com/Azure/azure-storage-azcopy/issues/2421
		return charactersHint
	}
	return ""
}

// headerHint returns the hint for a response that refuses the value of the header name. The cause is
// probably the service version, which an older service does not know. name is "" if the response does
// not name the header. headerHint returns "" if the cause is certainly another header, or unknown.
func headerHint(name string, response *http.Response) string {
	isVersion := strings.EqualFold(name, "x-ms-version")
	if name != "" && !isVersion {
		return ""
	}
	if strings.HasPrefix(response.Header.Get("Server"), "Azurite") {
		return emulatorHint
	}

	// The response to a HEAD names no header, because it has no document.
	isHead := response.Request != nil && response.Request.Method == http.MethodHead
	if isVersion || isHead {
		return versionHint
	}
	return ""
}

// meaningOf returns what the service's code means or, if the code is unknown, the status.
func meaningOf(code string, status int) sdkerror.Meaning {
	if status == http.StatusNotModified {
		// The code is ConditionNotMet, which otherwise means PreconditionFailed, because responses with
		// status 412 have it, too.
		code = ""
	}
	return errorMeanings.Lookup(code, status)
}
