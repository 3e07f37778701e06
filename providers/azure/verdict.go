package azure

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// A verdict is what a code of the service's means.
type verdict struct {
	code storage.Code
	hint string
}

const (
	keyHint      = "the account's key or the signature is wrong or has expired, or this machine's clock is: requests are refused 15 minutes off"
	deniedHint   = "the credential may not do this: with Microsoft Entra ID it needs a data role such as Storage Blob Data Contributor, a shared access signature needs the permission"
	networkHint  = "the account's firewall refuses this address"
	publicHint   = "the container is private, or the account allows no public access: credentials are needed"
	archiveHint  = "the object's access tier keeps it offline: set another tier first"
	leaseHint    = "somebody holds a lease on the object"
	treeHint     = "the account has a hierarchical namespace, which lists in no byte order: use an account without one"
	httpHint     = "the account takes https alone"
	foreignHint  = "another tool left blocks on this key whose ids are too short to share: commit its upload, wait a week, or first write a small object to the key"
	emulatorHint = "this Azurite is older than the API: start it with --skipApiVersionCheck, or a newer one"
	deletingHint = "a container of this name is being deleted, which takes half a minute or more"
)

// verdicts are Blob Storage's codes:
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
var verdicts = map[string]verdict{
	"BlobNotFound":                   {code: storage.ObjectNotFound},
	"ResourceNotFound":               {code: storage.ObjectNotFound},
	"ContainerNotFound":              {code: storage.BucketNotFound},
	"ContainerBeingDeleted":          {code: storage.BucketNotFound, hint: deletingHint},
	"ContainerDisabled":              {code: storage.PermissionDenied},
	"ContainerAlreadyExists":         {code: storage.BucketExists},
	"CannotVerifyCopySource":         {code: storage.PermissionDenied},
	"PendingCopyOperation":           {code: storage.Locked, hint: "a copy onto this object is under way"},
	"NoPendingCopyOperation":         {code: storage.InvalidArgument},
	"CopyIdMismatch":                 {code: storage.InvalidArgument},
	"CopyAcrossAccountsNotSupported": {code: storage.Unsupported},

	"ConditionNotMet":           {code: storage.PreconditionFailed},
	"TargetConditionNotMet":     {code: storage.PreconditionFailed},
	"BlobAlreadyExists":         {code: storage.PreconditionFailed},
	"UnauthorizedBlobOverwrite": {code: storage.PermissionDenied, hint: "the signature allows to create, and not to overwrite"},
	"SourceConditionNotMet":     {code: storage.Changed},
	"InvalidRange":              {code: storage.RangeNotSatisfiable},

	"InvalidInput":                       {code: storage.InvalidArgument},
	"InvalidUri":                         {code: storage.InvalidArgument},
	"InvalidResourceName":                {code: storage.InvalidArgument, hint: "a container's name is of a-z, 0-9 and \"-\""},
	"InvalidMetadata":                    {code: storage.InvalidArgument},
	"EmptyMetadataKey":                   {code: storage.InvalidArgument},
	"MetadataTooLarge":                   {code: storage.InvalidArgument},
	"InvalidHeaderValue":                 {code: storage.InvalidArgument},
	"InvalidQueryParameterValue":         {code: storage.InvalidArgument},
	"OutOfRangeQueryParameterValue":      {code: storage.InvalidArgument},
	"OutOfRangeInput":                    {code: storage.InvalidArgument},
	"InvalidBlockId":                     {code: storage.InvalidArgument},
	"InvalidBlockList":                   {code: storage.InvalidArgument, hint: "blocks of the upload are gone: another upload to the key was completed, or a week has passed"},
	"InvalidBlobOrBlock":                 {code: storage.Locked, hint: foreignHint},
	"InvalidBlobType":                    {code: storage.InvalidArgument, hint: "the blob is an append or page blob, which cannot be written to so"},
	"InvalidBlobTier":                    {code: storage.InvalidArgument, hint: "the account has no such access tier"},
	"InvalidVersionForPageBlobOperation": {code: storage.InvalidArgument},

	"RequestBodyTooLarge":              {code: storage.TooLarge},
	"BlockCountExceedsLimit":           {code: storage.TooLarge},
	"BlockListTooLong":                 {code: storage.TooLarge},
	"ContentLengthLargerThanTierLimit": {code: storage.TooLarge},

	"Md5Mismatch":   {code: storage.ChecksumMismatch},
	"Crc64Mismatch": {code: storage.ChecksumMismatch},
	"InvalidMd5":    {code: storage.ChecksumMismatch},
	"InvalidCrc64":  {code: storage.ChecksumMismatch},

	"AuthenticationFailed":               {code: storage.Unauthenticated, hint: keyHint},
	"InvalidAuthenticationInfo":          {code: storage.Unauthenticated, hint: keyHint},
	"NoAuthenticationInformation":        {code: storage.Unauthenticated, hint: publicHint},
	"PublicAccessNotPermitted":           {code: storage.PermissionDenied, hint: publicHint},
	"AuthorizationFailure":               {code: storage.PermissionDenied, hint: deniedHint + "; or " + networkHint},
	"AuthorizationPermissionMismatch":    {code: storage.PermissionDenied, hint: deniedHint},
	"AuthorizationProtocolMismatch":      {code: storage.PermissionDenied, hint: httpHint},
	"AuthorizationResourceTypeMismatch":  {code: storage.PermissionDenied, hint: deniedHint},
	"AuthorizationServiceMismatch":       {code: storage.PermissionDenied, hint: deniedHint},
	"AuthorizationSourceIPMismatch":      {code: storage.PermissionDenied, hint: networkHint},
	"InsufficientAccountPermissions":     {code: storage.PermissionDenied, hint: deniedHint},
	"KeyBasedAuthenticationNotPermitted": {code: storage.PermissionDenied, hint: "the account takes Microsoft Entra ID alone, and no keys"},
	"AccountIsDisabled":                  {code: storage.PermissionDenied, hint: "the account itself has a problem: ask the provider"},
	"AccountRequiresHttps":               {code: storage.PermissionDenied, hint: httpHint},

	"BlobArchived":                     {code: storage.Archived, hint: archiveHint},
	"BlobBeingRehydrated":              {code: storage.Archived, hint: "the object is on its way back from the archive"},
	"BlobNotArchived":                  {code: storage.InvalidArgument},
	"BlobImmutableDueToPolicy":         {code: storage.Locked},
	"BlobImmutableDueToLegalHold":      {code: storage.Locked},
	"LeaseIdMissing":                   {code: storage.Locked, hint: leaseHint},
	"LeaseLost":                        {code: storage.Locked, hint: leaseHint},
	"LeaseAlreadyPresent":              {code: storage.Locked, hint: leaseHint},
	"LeaseIdMismatchWithBlobOperation": {code: storage.Locked, hint: leaseHint},
	"SnapshotsPresent":                 {code: storage.Locked, hint: "the object has snapshots"},
	codeCurrent:                        {code: storage.Locked, hint: "the version is the current one"},

	"ServerBusy":                    {code: storage.RateLimited},
	"TooManyRequests":               {code: storage.RateLimited},
	"SnapshotOperationRateExceeded": {code: storage.RateLimited},
	"SnapshotCountExceeded":         {code: storage.TooLarge},
	"InternalError":                 {code: storage.Unavailable},
	"OperationTimedOut":             {code: storage.Unavailable},
	"AccountBeingCreated":           {code: storage.Unavailable},
	"IncompleteBody":                {code: storage.Unavailable},

	"UnsupportedHeader":                  {code: storage.Unsupported},
	"UnsupportedQueryParameter":          {code: storage.Unsupported},
	"UnsupportedHttpVerb":                {code: storage.Unsupported},
	"FeatureVersionMismatch":             {code: storage.Unsupported},
	"FeatureNotSupportedForAccount":      {code: storage.Unsupported},
	"BlobOperationNotSupported":          {code: storage.Unsupported},
	"BlobTypeNotSupported":               {code: storage.Unsupported},
	"ConditionHeadersNotSupported":       {code: storage.Unsupported},
	"HierarchicalNamespaceNotEnabled":    {code: storage.Unsupported},
	"EndpointUnsupportedAccountFeatures": {code: storage.Unsupported, hint: treeHint},
	"PathConflict":                       {code: storage.Unsupported, hint: treeHint},
}

// statuses are for answers whose code is missing, or not known here, where they
// mean more than they do everywhere.
var statuses = map[int]verdict{
	http.StatusMovedPermanently: {code: storage.InvalidArgument, hint: "check the endpoint: it answers with a redirect"},
	http.StatusFound:            {code: storage.InvalidArgument, hint: "check the endpoint: it answers with a redirect"},
	http.StatusUnauthorized:     {code: storage.Unauthenticated, hint: publicHint},
	http.StatusForbidden:        {code: storage.PermissionDenied, hint: deniedHint},
}

// isOldEmulator reports whether the emulator refuses the API's version, which
// nothing in the words of an answer to HEAD tells.
func isOldEmulator(code string, header http.Header) bool {
	return code == "InvalidHeaderValue" && strings.HasPrefix(header.Get("Server"), "Azurite")
}

// verdictOf goes by the service's code, then by the status.
func verdictOf(code string, status int) verdict {
	if v, known := verdicts[code]; known && status != http.StatusNotModified { // whose code is that of 412
		return v
	}
	if v, known := statuses[status]; known {
		return v
	}
	return verdict{code: outcome.OfStatus(status)}
}
