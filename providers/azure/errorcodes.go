package azure

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	keyHint           = "the account key or the signature is wrong or has expired, or this machine's clock is off by more than 15 minutes"
	deniedHint        = "the credential may not do this: with Microsoft Entra ID it needs a data role such as Storage Blob Data Contributor, or Storage Blob Data Owner for tags and locks; a shared access signature needs the permission"
	networkHint       = "the account's firewall refuses this address"
	publicHint        = "the container is private, or the account permits no public access: use credentials"
	archiveHint       = "the object's access tier keeps it offline: call Restore"
	overwriteHint     = "Azure does not overwrite an archived object: remove it first"
	tierHint          = "the account does not have this access tier"
	keyedHint         = "the object is encrypted with a key that Azure does not keep: give WithCustomerKey, or WithSourceCustomerKey for the source of a copy, with the same key"
	leaseHint         = "another client holds a lease on the object"
	hierarchicalHint  = "the account has a hierarchical namespace, which does not list in byte order: use an account without one"
	httpHint          = "the account requires https"
	foreignHint       = "another tool left uncommitted blocks with short ids on this key: commit its upload, wait a week, or first write a small object to the key"
	blocksHint        = "other uploads left 100,000 uncommitted blocks on this key: wait a week, or first write a small object to the key"
	charactersHint    = "Azure refuses keys with a character of U+0080 to U+009F, a private one (U+E000 to U+F8FF) or U+FFFD"
	emulatorHint      = "this Azurite is older than the API: start it with --skipApiVersionCheck, or use a newer one"
	emulatorLacksHint = "the emulator does not have this: use an account of Azure"
	versionHint       = "if the cloud or the server is older than the service version of the request, set Config.APIVersion (api_version=) to one that it has, such as 2019-07-07 for Azure Stack Hub"
	policyHint        = "the account's SAS expiration policy refuses the shared access signature: give it a start (st) and a shorter term"
	deletingHint      = "a container of this name is being deleted, which takes half a minute or more"
	managementHint    = "the container has an immutability policy: delete it in the management plane (portal, az, ARM)"
	operationHint     = "the account does not have this operation, such as tags in a hierarchical namespace, or the service version is too old for it"
	redirectHint      = "check the endpoint: its response is a redirect"
)

// errorMeanings has the codes of Blob Storage, and the statuses of responses
// without a known code.
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
var errorMeanings = sdkerror.Table{
	Codes: map[string]sdkerror.Meaning{
		"BlobNotFound":                   {Code: storage.ObjectNotFound},
		"ResourceNotFound":               {Code: storage.ObjectNotFound},
		"ContainerNotFound":              {Code: storage.BucketNotFound},
		"ContainerBeingDeleted":          {Code: storage.BucketNotFound, Hint: deletingHint},
		"ContainerDisabled":              {Code: storage.PermissionDenied},
		"ContainerAlreadyExists":         {Code: storage.BucketExists},
		"CannotVerifyCopySource":         {Code: storage.PermissionDenied},
		"PendingCopyOperation":           {Code: storage.Locked, Hint: "a copy to this object is in progress"},
		"NoPendingCopyOperation":         {Code: storage.InvalidArgument},
		"CopyIdMismatch":                 {Code: storage.InvalidArgument},
		"CopyAcrossAccountsNotSupported": {Code: storage.Unsupported},

		"ConditionNotMet":           {Code: storage.PreconditionFailed},
		"TargetConditionNotMet":     {Code: storage.PreconditionFailed},
		"BlobAlreadyExists":         {Code: storage.PreconditionFailed},
		"UnauthorizedBlobOverwrite": {Code: storage.PermissionDenied, Hint: "the shared access signature permits creating objects, but not overwriting them"},
		"SourceConditionNotMet":     {Code: storage.Changed},
		"BlobOverwritten":           {Code: storage.Changed},
		"InvalidRange":              {Code: storage.RangeNotSatisfiable},

		"InvalidInput":                       {Code: storage.InvalidArgument},
		"InvalidUri":                         {Code: storage.InvalidArgument},
		"InvalidResourceName":                {Code: storage.InvalidArgument, Hint: "a container's name has only the characters a-z, 0-9 and \"-\""},
		"InvalidMetadata":                    {Code: storage.InvalidArgument},
		"EmptyMetadataKey":                   {Code: storage.InvalidArgument},
		"MetadataTooLarge":                   {Code: storage.InvalidArgument},
		"InvalidTag":                         {Code: storage.InvalidArgument},
		"DuplicateTagNames":                  {Code: storage.InvalidArgument},
		"EmptyTagName":                       {Code: storage.InvalidArgument},
		"TagsTooLarge":                       {Code: storage.InvalidArgument},
		"InvalidHeaderValue":                 {Code: storage.InvalidArgument},
		"InvalidQueryParameterValue":         {Code: storage.InvalidArgument},
		"OutOfRangeQueryParameterValue":      {Code: storage.InvalidArgument},
		"OutOfRangeInput":                    {Code: storage.InvalidArgument},
		"InvalidBlockId":                     {Code: storage.InvalidArgument},
		"InvalidBlockList":                   {Code: storage.InvalidArgument, Hint: "the service has dropped blocks of the upload: another upload to the key was completed, or a week has passed"},
		"InvalidBlobOrBlock":                 {Code: storage.Locked, Hint: foreignHint},
		"InvalidBlobType":                    {Code: storage.InvalidArgument, Hint: "the blob is an append or page blob: remove it before writing a block blob"},
		"InvalidBlobTier":                    {Code: storage.InvalidArgument, Hint: tierHint},
		"InvalidVersionForPageBlobOperation": {Code: storage.InvalidArgument},

		"BlobAccessTierNotSupportedForAccountType": {Code: storage.InvalidArgument, Hint: tierHint},

		"RequestBodyTooLarge":                {Code: storage.TooLarge},
		codeBlockCount:                       {Code: storage.TooLarge},
		"BlockListTooLong":                   {Code: storage.TooLarge},
		"ContentLengthLargerThanTierLimit":   {Code: storage.TooLarge},
		"BlobTierInadequateForContentLength": {Code: storage.TooLarge},

		"Md5Mismatch":   {Code: storage.ChecksumMismatch},
		"Crc64Mismatch": {Code: storage.ChecksumMismatch},
		"InvalidMd5":    {Code: storage.ChecksumMismatch},
		"InvalidCrc64":  {Code: storage.ChecksumMismatch},

		"AuthenticationFailed":               {Code: storage.Unauthenticated, Hint: keyHint},
		"InvalidAuthenticationInfo":          {Code: storage.Unauthenticated, Hint: keyHint},
		"NoAuthenticationInformation":        {Code: storage.Unauthenticated, Hint: publicHint},
		"PublicAccessNotPermitted":           {Code: storage.PermissionDenied, Hint: publicHint},
		"AuthorizationFailure":               {Code: storage.PermissionDenied, Hint: deniedHint + "; or " + networkHint},
		"AuthorizationPermissionMismatch":    {Code: storage.PermissionDenied, Hint: deniedHint},
		"AuthorizationProtocolMismatch":      {Code: storage.PermissionDenied, Hint: httpHint},
		"AuthorizationResourceTypeMismatch":  {Code: storage.PermissionDenied, Hint: deniedHint},
		"AuthorizationServiceMismatch":       {Code: storage.PermissionDenied, Hint: deniedHint},
		"AuthorizationSourceIPMismatch":      {Code: storage.PermissionDenied, Hint: networkHint},
		"InsufficientAccountPermissions":     {Code: storage.PermissionDenied, Hint: deniedHint},
		"KeyBasedAuthenticationNotPermitted": {Code: storage.PermissionDenied, Hint: "the account accepts no keys: use Microsoft Entra ID"},
		"AccountIsDisabled":                  {Code: storage.PermissionDenied, Hint: "the account is disabled: ask the provider why"},
		"AccountRequiresHttps":               {Code: storage.PermissionDenied, Hint: httpHint},

		"BlobUsesCustomerSpecifiedEncryption":    {Code: storage.InvalidArgument, Hint: keyedHint},
		codeArchived:                             {Code: storage.Archived, Hint: archiveHint},
		codeRehydrating:                          {Code: storage.Archived, Hint: "the object is being restored from the archive tier: try again later"},
		"BlobNotArchived":                        {Code: storage.InvalidArgument},
		codeImmutable:                            {Code: storage.Locked},
		"ImmutabilityPolicyDeleteOnLockedPolicy": {Code: storage.Locked},
		"ContainerImmutabilityPolicyLocked":      {Code: storage.Locked, Hint: managementHint},

		"ContainerImmutableStorageWithVersioningEnabled": {Code: storage.Unsupported, Hint: managementHint},

		"BlobImmutableDueToLegalHold":      {Code: storage.Locked},
		"LeaseIdMissing":                   {Code: storage.Locked, Hint: leaseHint},
		"LeaseLost":                        {Code: storage.Locked, Hint: leaseHint},
		"LeaseAlreadyPresent":              {Code: storage.Locked, Hint: leaseHint},
		"LeaseIdMismatchWithBlobOperation": {Code: storage.Locked, Hint: leaseHint},
		"SystemInUse":                      {Code: storage.Locked},
		"SnapshotsPresent":                 {Code: storage.Locked, Hint: "the object has snapshots"},
		codeCurrentVersion:                 {Code: storage.Locked, Hint: "the version is the current one: remove the object without naming a version"},

		"ServerBusy":                    {Code: storage.RateLimited},
		"TooManyRequests":               {Code: storage.RateLimited},
		"SnapshotOperationRateExceeded": {Code: storage.RateLimited},
		"SnapshotCountExceeded":         {Code: storage.TooLarge},
		"InternalError":                 {Code: storage.Unavailable},
		"OperationTimedOut":             {Code: storage.Unavailable},
		"AccountBeingCreated":           {Code: storage.Unavailable},
		"IncompleteBody":                {Code: storage.Unavailable},

		"UnsupportedHeader":                  {Code: storage.Unsupported},
		"UnsupportedQueryParameter":          {Code: storage.Unsupported},
		"UnsupportedHttpVerb":                {Code: storage.Unsupported},
		"FeatureVersionMismatch":             {Code: storage.Unsupported},
		"FeatureNotSupported":                {Code: storage.Unsupported, Hint: emulatorLacksHint},
		"FeatureNotSupportedForAccount":      {Code: storage.Unsupported},
		"BlobOperationNotSupported":          {Code: storage.Unsupported},
		"BlobTypeNotSupported":               {Code: storage.Unsupported},
		"ConditionHeadersNotSupported":       {Code: storage.Unsupported},
		"HierarchicalNamespaceNotEnabled":    {Code: storage.Unsupported},
		"EndpointUnsupportedAccountFeatures": {Code: storage.Unsupported, Hint: hierarchicalHint},
		"PathConflict":                       {Code: storage.Unsupported, Hint: hierarchicalHint},
		"DirectoryIsNotEmpty":                {Code: storage.Unsupported, Hint: hierarchicalHint},
		"OperationNotSupportedOnDirectory":   {Code: storage.Unsupported, Hint: hierarchicalHint},
		"ResourceTypeMismatch":               {Code: storage.Unsupported, Hint: hierarchicalHint},
	},

	Statuses: map[int]sdkerror.Meaning{
		http.StatusMovedPermanently: {Code: storage.InvalidArgument, Hint: redirectHint},
		http.StatusFound:            {Code: storage.InvalidArgument, Hint: redirectHint},
		http.StatusUnauthorized:     {Code: storage.Unauthenticated, Hint: publicHint},
		http.StatusForbidden:        {Code: storage.PermissionDenied, Hint: deniedHint},
	},
}

const (
	codeArchived    = "BlobArchived"
	codeRehydrating = "BlobBeingRehydrated"
	codeBlockCount  = "BlockCountExceedsLimit"
)

// specialHint returns the hint for what the code does not tell, or "". The response to a HEAD does
// not name the header.
func specialHint(code string, document errorDocument, response *http.Response) string {
	switch {
	case strings.HasPrefix(document.AuthenticationErrorDetail, "Policy violated"):
		return policyHint
	case code == "" && response.StatusCode == http.StatusBadRequest && strings.HasPrefix(response.Header.Get("Server"), "Microsoft-HTTPAPI"):
		return charactersHint // the response is from before the service: https://github.com/Azure/azure-storage-azcopy/issues/2421
	case code != "InvalidHeaderValue":
	case strings.HasPrefix(response.Header.Get("Server"), "Azurite"):
		return emulatorHint
	case strings.EqualFold(document.HeaderName, "x-ms-version"), response.Request != nil && response.Request.Method == http.MethodHead:
		return versionHint
	}
	return ""
}

// meaningOf returns the meaning of the service's code or, if the code is
// unknown, of the status.
func meaningOf(code string, status int) sdkerror.Meaning {
	if status == http.StatusNotModified {
		code = "" // it is ConditionNotMet, which is the code of 412 too
	}
	return errorMeanings.Lookup(code, status)
}
