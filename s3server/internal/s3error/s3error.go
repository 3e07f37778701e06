// Package s3error has the errors of S3. Each error has a code, and AWS's status and message for the
// code. All packages of the server return these errors for requests that they refuse.
package s3error

import (
	"errors"
	"fmt"
	"net/http"
)

// HostID is the second id of every response, which is the same for all responses of the server.
const HostID = "b3duLXMzLXNlcnZlci1mb3ItdGVzdHM="

// An Error is the content of an S3 error response.
type Error struct {
	Code    string
	Status  int
	Message string
	Fields  []string // names and values of further XML elements, alternating
	Header  http.Header
	Err     error // error of the store, or nil; only the log shows it
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) Unwrap() error { return e.Err }

// WithMessage replaces the message of e and returns e.
func (e *Error) WithMessage(format string, args ...any) *Error {
	e.Message = fmt.Sprintf(format, args...)
	return e
}

// WithHeader sets a header of the error response, and returns e.
func (e *Error) WithHeader(name, value string) *Error {
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set(name, value)
	return e
}

// New returns an error with this code, and AWS's status and message for it. fields alternates between
// the names and the values of further XML elements.
func New(code string, fields ...string) *Error {
	e, ok := catalog[code]
	if !ok {
		e = entry{http.StatusInternalServerError, "We encountered an internal error. Please try again."}
	}
	return &Error{Code: code, Status: e.status, Message: e.message, Fields: fields}
}

// Is reports whether err is an S3 error with this code.
func Is(err error, code string) bool {
	failure, ok := errors.AsType[*Error](err)
	return ok && failure.Code == code
}

// Known reports whether this package has a status and a message for a code.
func Known(code string) bool {
	_, ok := catalog[code]
	return ok
}

type entry struct {
	status  int
	message string
}

var catalog = map[string]entry{
	"AccessControlListNotSupported": {400, "The bucket does not allow ACLs"},
	"AccessDenied":                  {403, "Access Denied"},
	"AccessForbidden": {
		403,
		"CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
	},
	"AllAccessDisabled":            {403, "All access to this object has been disabled"},
	"AuthorizationHeaderMalformed": {400, "The authorization header is malformed."},
	"AuthorizationQueryParametersError": {
		400,
		"Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
	},
	"BadRequest": {400, "Bad Request"},
	"BadDigest":  {400, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyExists": {
		409,
		"The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
	},
	"BucketAlreadyOwnedByYou": {
		409, "Your previous request to create the named bucket succeeded and you already own it.",
	},
	"BucketNotEmpty": {409, "The bucket you tried to delete is not empty"},
	"ConditionalRequestConflict": {
		409, "The conditional request cannot succeed due to a conflicting operation against this resource.",
	},
	"EntityTooLarge": {400, "Your proposed upload exceeds the maximum allowed size"},
	"EntityTooSmall": {400, "Your proposed upload is smaller than the minimum allowed size"},
	"IllegalLocationConstraintException": {
		400,
		"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
	},
	"IllegalVersioningConfigurationException": {400, "The Versioning element must be specified"},
	"IncompleteBody":                      {400, "The request body terminated unexpectedly"},
	"IncorrectNumberOfFilesInPostRequest": {400, "POST requires exactly one file upload per request."},
	"InternalError":                       {500, "We encountered an internal error. Please try again."},
	"InvalidAccessKeyId": {
		403, "The AWS Access Key Id you provided does not exist in our records.",
	},
	"InvalidArgument": {400, "Invalid Argument"},
	"InvalidBucketAclWithBlockPublicAccessError": {
		400, "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
	},
	"InvalidBucketAclWithObjectOwnership": {
		400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
	},
	"InvalidBucketName": {400, "The specified bucket is not valid."},
	"InvalidBucketOwnerAWSAccountID": {
		400, "The value of the expected bucket owner parameter must be an AWS Account ID...",
	},
	"InvalidChunkSizeError": {
		403, "Only the last chunk is allowed to have a size less than 8192 bytes",
	},
	"InvalidBucketState": {
		409, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
	},
	"InvalidDigest": {400, "The Content-MD5 you specified was invalid."},
	"InvalidEncryptionAlgorithmError": {
		400, "The encryption request that you specified is not valid. The valid value is AES256.",
	},
	"InvalidLocationConstraint": {400, "The specified location-constraint is not valid"},
	"InvalidObjectState":        {403, "The operation is not valid for the object's storage class"},
	"InvalidPart": {
		400,
		"One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
	},
	"InvalidPartNumber": {416, "The requested partnumber is not satisfiable"},
	"InvalidPartOrder": {
		400, "The list of parts was not in ascending order. Parts must be ordered by part number.",
	},
	"InvalidPolicyDocument": {
		400, "The content of the form does not meet the conditions specified in the policy document.",
	},
	"InvalidRange": {416, "The requested range is not satisfiable"},
	"InvalidRedirectLocation": {
		400,
		"The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
	},
	"InvalidRequest":                {400, "Invalid Request"},
	"InvalidStorageClass":           {400, "The storage class you specified is not valid"},
	"InvalidTag":                    {400, "The tag provided was not a valid tag."},
	"InvalidTargetBucketForLogging": {400, "The target bucket for logging does not exist"},
	"ExpiredToken":                  {400, "The provided token has expired."},
	"InvalidAction":                 {400, "The action or operation requested is invalid."},
	"InvalidClientTokenId":          {403, "The security token included in the request is invalid."},
	"MalformedPolicyDocument":       {400, "The policy document is malformed."},
	"MissingAuthenticationToken":    {403, "Request is missing Authentication Token"},
	"ValidationError":               {400, "The input fails to satisfy the constraints."},
	"InvalidToken":                  {400, "The provided token is malformed or otherwise invalid."},
	"InvalidURI":                    {400, "Couldn't parse the specified URI."},
	"KeyTooLongError":               {400, "Your key is too long"},
	"KMS.NotFoundException":         {400, "The KMS key does not exist."},
	"MalformedACLError": {
		400, "The XML you provided was not well-formed or did not validate against our published schema",
	},
	"MalformedPOSTRequest": {
		400, "The body of your POST request is not well-formed multipart/form-data.",
	},
	"MalformedPolicy": {400, "Policies must be valid JSON and the first byte must be '{'"},
	"MalformedTrailerError": {
		400, "The request contained trailing data that was not well-formed or did not conform to our published schema.",
	},
	"MalformedXML": {
		400, "The XML you provided was not well-formed or did not validate against our published schema",
	},
	"MaxPostPreDataLengthExceededError": {
		400, "Your POST request fields preceding the upload file were too large.",
	},
	"MetadataTooLarge":                     {400, "Your metadata headers exceed the maximum allowed metadata size"},
	"MethodNotAllowed":                     {405, "The specified method is not allowed against this resource."},
	"MissingContentLength":                 {411, "You must provide the Content-Length HTTP header."},
	"MissingSecurityHeader":                {400, "Your request was missing a required header"},
	"NoSuchBucket":                         {404, "The specified bucket does not exist"},
	"NoSuchBucketPolicy":                   {404, "The bucket policy does not exist"},
	"NoSuchConfiguration":                  {404, "The specified configuration does not exist."},
	"NoSuchCORSConfiguration":              {404, "The CORS configuration does not exist"},
	"NoSuchKey":                            {404, "The specified key does not exist."},
	"NoSuchLifecycleConfiguration":         {404, "The lifecycle configuration does not exist"},
	"NoSuchObjectLockConfiguration":        {404, "The specified object does not have a ObjectLock configuration"},
	"NoSuchPublicAccessBlockConfiguration": {404, "The public access block configuration was not found"},
	"NoSuchTagSet":                         {404, "The TagSet does not exist"},
	"NoSuchUpload": {
		404,
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
	},
	"NoSuchVersion":              {404, "The specified version does not exist."},
	"NoSuchWebsiteConfiguration": {404, "The specified bucket does not have a website configuration"},
	"NotImplemented": {
		501, "A header you provided implies functionality that is not implemented",
	},
	"NotModified":                          {304, "Not Modified"},
	"ObjectLockConfigurationNotFoundError": {404, "Object Lock configuration does not exist for this bucket"},
	"ObjectNotInActiveTierError": {
		403,
		"The source object of the COPY operation is not in the active tier and is only stored in Amazon S3 Glacier.",
	},
	"OperationAborted": {
		409, "A conflicting conditional operation is currently in progress against this resource. Please try again.",
	},
	"OwnershipControlsNotFoundError": {404, "The bucket ownership controls were not found"},
	"PermanentRedirect": {
		301,
		"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
	},
	"PolicyTooLarge":                        {400, "Policy exceeds the maximum allowed document size."},
	"PreconditionFailed":                    {412, "At least one of the pre-conditions you specified did not hold"},
	"ReplicationConfigurationNotFoundError": {404, "The replication configuration was not found"},
	"RequestHeaderSectionTooLarge":          {400, "Your request header section exceeds the maximum allowed size."},
	"RequestTimeTooSkewed": {
		403, "The difference between the request time and the current time is too large.",
	},
	"RequestTimeout": {
		400,
		"Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.",
	},
	"RestoreAlreadyInProgress": {409, "Object restore is already in progress"},
	"ServiceUnavailable":       {503, "Service is unable to handle request."},
	"SignatureDoesNotMatch": {
		403,
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
	},
	"SlowDown":          {503, "Please reduce your request rate."},
	"TooManyBuckets":    {400, "You have attempted to create more buckets than allowed"},
	"TooManyRequests":   {429, "Please reduce your request rate."},
	"UnexpectedContent": {400, "This request does not support content"},
	"UnresolvableGrantByEmailAddress": {
		400, "The e-mail address you provided does not match any account on record.",
	},
	"UserKeyMustBeSpecified": {400, "Key must be specified"},
	"XAmzContentSHA256Mismatch": {
		400, "The provided 'x-amz-content-sha256' header does not match what was computed.",
	},
	"XMinioStorageFull": {
		507, "The server has no space left for this object: delete some first.",
	}, // code of MinIO, not of AWS
}
