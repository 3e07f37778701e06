package serve

import (
	"encoding/xml"
	"errors"
	"net/http"
	"os"
	"strconv"

	"github.com/omnibucket/storage"
)

// A failure is an error response in the form of S3: a status and a short XML document with a code.
// It never contains the names of the bucket and the key, or the cause.
type failure struct {
	status  int
	code    string
	message string
}

// These are the failures that the handler itself finds. A client without a valid signature learns
// nothing more, not even whether the object exists.
var (
	errDenied    = &failure{http.StatusForbidden, "AccessDenied", "Access denied."}
	errSignature = &failure{
		http.StatusForbidden, "SignatureDoesNotMatch",
		"The address, the method, a header or a field differs from what was signed.",
	}
	errExpired    = &failure{http.StatusForbidden, "RequestExpired", "The signed request has expired."}
	errMethod     = &failure{http.StatusMethodNotAllowed, "MethodNotAllowed", "This method is not allowed here."}
	errTooLong    = &failure{http.StatusRequestEntityTooLarge, "EntityTooLarge", "The body is longer than was signed."}
	errTooShort   = &failure{http.StatusBadRequest, "EntityTooSmall", "The body is shorter than was signed."}
	errNoLength   = &failure{http.StatusLengthRequired, "MissingContentLength", "A signed upload needs a Content-Length."}
	errIncomplete = &failure{http.StatusBadRequest, "IncompleteBody", "The body ended before its length was reached."}
	errSlow       = &failure{http.StatusRequestTimeout, "RequestTimeout", "The body did not arrive in time."}
	errRequest    = &failure{http.StatusBadRequest, "InvalidRequest", "The request cannot be understood."}
	errForm       = &failure{
		http.StatusBadRequest, "MalformedPOSTRequest",
		"The form is not a multipart/form-data with its fields first and one file last.",
	}
	errFormTooLarge = &failure{
		http.StatusBadRequest, "MaxPostPreDataLengthExceeded", "The fields of the form are too long.",
	}
	errCondition = &failure{
		http.StatusNotImplemented, "NotImplemented",
		"If-Match, If-Unmodified-Since and an ETag in If-None-Match are not supported with a signed request. Omit them, or send If-None-Match: * with an upload.",
	}
	errElsewhere = &failure{
		http.StatusNotImplemented, "NotImplemented",
		"No signed request is served here: the bucket has no signing base address, its store serves them, or it was narrowed or embedded in another type. Create the handler with the whole bucket, opened with a signing base address.",
	}
	errOutside = &failure{
		http.StatusNotFound, "InvalidURI",
		"The path does not begin with that of the signing base address. If a proxy removes it, create the handler with serve.WithoutPrefix.",
	}
	errCORS = &failure{http.StatusForbidden, "AccessForbidden", "No CORS rule of the bucket allows this."}
)

// withMessage returns a copy of f with another message.
func (f *failure) withMessage(message string) *failure { return &failure{f.status, f.code, message} }

// failures maps codes of package storage to responses. Every other code becomes an internal error.
var failures = map[storage.Code]*failure{
	storage.ObjectNotFound:     {http.StatusNotFound, "NoSuchKey", "There is no such object."},
	storage.BucketNotFound:     {http.StatusNotFound, "NoSuchBucket", "There is no such bucket."},
	storage.PreconditionFailed: {http.StatusPreconditionFailed, "PreconditionFailed", "A condition does not hold."},
	storage.Changed:            {http.StatusConflict, "OperationAborted", "The object changed meanwhile."},
	storage.InvalidArgument:    errRequest,
	storage.RangeNotSatisfiable: {
		http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range is past the end of the object.",
	},
	storage.PermissionDenied: errDenied,
	storage.Unauthenticated:  errDenied,
	storage.Archived:         {http.StatusForbidden, "InvalidObjectState", "The object is archived."},
	storage.Locked:           {http.StatusForbidden, "AccessDenied", "The object is locked."},
	storage.ChecksumMismatch: {
		http.StatusBadRequest, "BadDigest", "The body does not have the checksum that was signed.",
	},
	storage.TooLarge:         {http.StatusRequestEntityTooLarge, "EntityTooLarge", "The body is too large."},
	storage.BodyFailed:       errIncomplete,
	storage.RateLimited:      {http.StatusTooManyRequests, "SlowDown", "Too many requests."},
	storage.Unavailable:      {http.StatusServiceUnavailable, "ServiceUnavailable", "Try again later."},
	storage.Canceled:         {http.StatusServiceUnavailable, "ServiceUnavailable", "Try again later."},
	storage.DeadlineExceeded: {http.StatusServiceUnavailable, "ServiceUnavailable", "Try again later."},
	storage.Unsupported: {
		http.StatusNotImplemented, "NotImplemented",
		"The store does not support a condition, a header or a field of this request. Omit what was not signed.",
	},
}

var errInternal = &failure{http.StatusInternalServerError, "InternalError", "Something went wrong."}

// failureOf returns the error response for err, which is errInternal if no other fits.
func failureOf(err error) *failure {
	// A middleware may limit the body with http.MaxBytesHandler.
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return errTooLong
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// The ReadTimeout of the http.Server has passed.
		return errSlow
	}
	if f, ok := failures[storage.CodeOf(err)]; ok {
		return f
	}
	return errInternal
}

type failureBody struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// write responds with the failure, after it has removed the headers that describe the object.
func (f *failure) write(w http.ResponseWriter, r *http.Request) {
	// Two strings can always be encoded.
	document, _ := xml.Marshal(failureBody{Code: f.code, Message: f.message})
	body := append([]byte(xml.Header), document...)

	h := w.Header()
	h.Del("Content-Disposition")
	h.Del("Content-Encoding")
	h.Del("Content-Language")
	h.Del("Etag")
	h.Del("Last-Modified")
	h.Set("Content-Type", "application/xml")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		// On an error, the client has disconnected.
		_, _ = w.Write(body)
	}
}
