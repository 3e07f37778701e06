package s3

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// A verdict is what a provider's code means.
type verdict struct {
	code  storage.Code
	again bool // the same request may succeed later
	place bool // it is about the region: the answer may name the right one
	hint  string
}

const (
	clockHint   = "this machine's clock differs from the store's: set it right"
	keyHint     = "the access key is not known here: is it for another service or endpoint?"
	secretHint  = "the secret does not fit the access key, or something on the way changed the request"
	sessionHint = "the session token has expired, is missing, or is another key's"
	regionHint  = "the bucket is in another region or behind another endpoint"
	deniedHint  = "the credentials may not do this; where they may not list the bucket, a missing object is answered so too"
	fileHint    = "this server keeps keys as files: a key and one under it, as a and a/b, exclude one another"
	aclHint     = "the bucket has ACLs disabled: make it public by a policy, and leave WithPublicRead away"
)

// verdicts are S3's codes and those of compatible servers.
var verdicts = map[string]verdict{
	"NoSuchKey":     {code: storage.ObjectNotFound},
	"NoSuchVersion": {code: storage.ObjectNotFound},
	"NoSuchBucket":  {code: storage.BucketNotFound},
	// An upload that is gone was aborted, or completed: no object is missing.
	"NoSuchUpload": {code: storage.InvalidArgument},

	"BucketAlreadyExists":     {code: storage.BucketExists},
	"BucketAlreadyOwnedByYou": {code: storage.BucketExists},
	"BucketNotEmpty":          {code: storage.BucketNotEmpty},

	"PreconditionFailed":         {code: storage.PreconditionFailed},
	"ConditionalRequestConflict": {code: storage.Unavailable},
	"OperationAborted":           {code: storage.Unavailable},
	"NotModified":                {code: storage.NotModified},
	"InvalidRange":               {code: storage.RangeNotSatisfiable},

	"InvalidArgument":            {code: storage.InvalidArgument},
	"InvalidRequest":             {code: storage.InvalidArgument},
	"InvalidURI":                 {code: storage.InvalidArgument},
	"InvalidTag":                 {code: storage.InvalidArgument},
	"InvalidBucketName":          {code: storage.InvalidArgument, hint: "3 to 63 of a-z, 0-9, \"-\" and \".\""},
	"KeyTooLongError":            {code: storage.InvalidArgument},
	"MetadataTooLarge":           {code: storage.InvalidArgument},
	"MalformedXML":               {code: storage.InvalidArgument},
	"InvalidPart":                {code: storage.InvalidArgument},
	"InvalidPartOrder":           {code: storage.InvalidArgument},
	"EntityTooSmall":             {code: storage.InvalidArgument},
	"IncompleteBody":             {code: storage.Unavailable},
	"RequestTimeout":             {code: storage.Unavailable},
	"EntityTooLarge":             {code: storage.TooLarge},
	"TooManyParts":               {code: storage.TooLarge},
	"ObjectNotInActiveTierError": {code: storage.Archived, hint: "the object's storage class keeps it offline: restore it first"},
	"InvalidObjectState":         {code: storage.Archived, hint: "the object's storage class keeps it offline: restore it first"},

	"MaxMessageLengthExceeded":     {code: storage.TooLarge},
	"RestoreAlreadyInProgress":     {code: storage.Archived},
	"XMinioInvalidObjectName":      {code: storage.InvalidArgument},
	"XMinioInvalidResourceName":    {code: storage.InvalidArgument},
	"InvalidStorageClass":          {code: storage.InvalidArgument, hint: "the server has no such storage class"},
	"IllegalVersioningException":   {code: storage.InvalidArgument},
	"IllegalLocationConstraint":    {code: storage.InvalidArgument, place: true, hint: regionHint},
	"AuthorizationHeaderMalformed": {code: storage.InvalidArgument, place: true, hint: regionHint},
	"PermanentRedirect":            {code: storage.InvalidArgument, place: true, hint: regionHint},
	"MovedPermanently":             {code: storage.InvalidArgument, place: true, hint: regionHint},
	"TemporaryRedirect":            {code: storage.InvalidArgument, place: true, hint: regionHint}, // for hours, until names of hosts have spread

	"IllegalLocationConstraintException": {code: storage.InvalidArgument, place: true, hint: regionHint},

	"BadDigest":                   {code: storage.ChecksumMismatch},
	"InvalidDigest":               {code: storage.ChecksumMismatch},
	"XAmzContentSHA256Mismatch":   {code: storage.ChecksumMismatch},
	"XAmzContentChecksumMismatch": {code: storage.ChecksumMismatch},

	"AccessDenied":          {code: storage.PermissionDenied, hint: deniedHint},
	"AllAccessDisabled":     {code: storage.PermissionDenied},
	"AccountProblem":        {code: storage.PermissionDenied, hint: "the account itself has a problem: ask the provider"},
	"ObjectLocked":          {code: storage.Locked},
	"InvalidAccessKeyId":    {code: storage.Unauthenticated, hint: keyHint},
	"SignatureDoesNotMatch": {code: storage.Unauthenticated, hint: secretHint},
	"ExpiredToken":          {code: storage.Unauthenticated, hint: sessionHint},
	"InvalidToken":          {code: storage.Unauthenticated, hint: sessionHint},
	"TokenRefreshRequired":  {code: storage.Unauthenticated, hint: sessionHint},
	// The difference is learned from the answer: the next attempt has it.
	"RequestTimeTooSkewed": {code: storage.Unauthenticated, again: true, hint: clockHint},

	"SlowDown":                   {code: storage.RateLimited},
	"SlowDownRead":               {code: storage.RateLimited},
	"SlowDownWrite":              {code: storage.RateLimited},
	"RequestLimitExceeded":       {code: storage.RateLimited},
	"TooManyRequests":            {code: storage.RateLimited},
	"TooManyRequestsException":   {code: storage.RateLimited},
	"Throttling":                 {code: storage.RateLimited},
	"ThrottlingException":        {code: storage.RateLimited},
	"ThrottledException":         {code: storage.RateLimited},
	"RequestThrottled":           {code: storage.RateLimited},
	"RequestThrottledException":  {code: storage.RateLimited},
	"BandwidthLimitExceeded":     {code: storage.RateLimited},
	"InternalError":              {code: storage.Unavailable},
	"ServiceUnavailable":         {code: storage.Unavailable},
	"ServerBusy":                 {code: storage.RateLimited},
	"XMinioServerNotInitialized": {code: storage.Unavailable},
	"XMinioStorageFull":          {code: storage.Internal, hint: "the store's disks are full"},

	// Of servers that keep keys as files; S3 holds both.
	"ObjectParentIsFile":            {code: storage.Unsupported, hint: fileHint},
	"ExistingObjectIsDirectory":     {code: storage.Unsupported, hint: fileHint},
	"ExistingObjectIsFile":          {code: storage.Unsupported, hint: fileHint},
	"XMinioParentIsObject":          {code: storage.Unsupported, hint: fileHint},
	"XMinioObjectExistsAsDirectory": {code: storage.Unsupported, hint: fileHint},

	"NotImplemented":                {code: storage.Unsupported},
	"UnsupportedOperation":          {code: storage.Unsupported},
	"MethodNotAllowed":              {code: storage.Unsupported},
	"AccessControlListNotSupported": {code: storage.Unsupported, hint: aclHint},
}

// statuses are for answers without a code of their own, where they mean more
// than they do everywhere.
var statuses = map[int]verdict{
	http.StatusMovedPermanently:  {code: storage.InvalidArgument, place: true, hint: regionHint},
	http.StatusTemporaryRedirect: {code: storage.InvalidArgument, place: true, hint: regionHint},
	http.StatusPermanentRedirect: {code: storage.InvalidArgument, place: true, hint: regionHint},
	http.StatusBadRequest:        {code: storage.InvalidArgument, place: true},
	http.StatusForbidden:         {code: storage.PermissionDenied, hint: deniedHint},
	http.StatusConflict:          {code: storage.Unavailable},
}

// verdictOf goes by the provider's code, then by the status.
func verdictOf(code, message string, status int) verdict {
	v, known := verdicts[code]
	if !known {
		v, known = statuses[status]
	}
	if !known {
		v.code = outcome.OfStatus(status)
	}
	switch {
	case v.code == storage.PermissionDenied && isLock(message):
		return verdict{code: storage.Locked}
	case status == http.StatusConflict && code != "" && code != "Conflict" && verdicts[code].code == "":
		return verdict{code: storage.Internal} // a conflict that nobody here knows: to try again may be of no use
	case status == http.StatusTooManyRequests:
		v.code = storage.RateLimited
	case status == http.StatusServiceUnavailable && strings.Contains(strings.ToLower(message), "reduce your request rate"):
		v.code = storage.RateLimited
	}
	return v
}

// isLock: retention and legal holds are told by the message alone.
func isLock(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "object lock") || strings.Contains(message, "worm protected")
}
