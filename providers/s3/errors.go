package s3

import (
	"context"
	"net/http"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// notFound returns the error for a missing object or a missing bucket. A 404 to a HEAD has no body
// that says which of the two is missing. If no header says it either, notFound sends a HeadBucket.
//
// It remembers for one minute (bucketRemembered) that the bucket exists. If the bucket is removed
// within this minute, errors still say that the object is missing.
func (b *bucket) notFound(ctx context.Context, err error) error {
	storageErr := s3error.Translate(err)
	if s3error.Status(err) != http.StatusNotFound {
		return storageErr
	}
	isOfCredentials := storageErr.Code == storage.Unauthenticated
	if s3error.IsKMS(err) || isOfCredentials {
		// The key or the credentials are missing, not an object or a bucket.
		return storageErr
	}

	// The response may say what is missing.
	code, _ := s3error.CodeAndMessage(err)
	switch code {
	case "NoSuchBucket":
		return storageErr
	case "NoSuchKey", "NoSuchVersion":
		storageErr.Code = storage.ObjectNotFound
		return storageErr
	}

	// Find out whether the bucket exists, unless that is known.
	seenAt := b.seenAt.Load()
	isKnown := seenAt != nil && b.account.clock.Now().Sub(*seenAt) < bucketRemembered
	if isKnown {
		storageErr.Code = storage.ObjectNotFound
		return storageErr
	}

	_, err = b.account.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b.name})
	notFoundErr := sdkerror.NotFound(storageErr, s3error.Read(err), b.missingHint())
	bucketExists := notFoundErr.Code == storage.ObjectNotFound
	if bucketExists {
		now := b.account.clock.Now()
		b.seenAt.Store(&now)
	}
	return notFoundErr
}

// bucketRemembered is how long a bucket that was seen is assumed to exist.
const bucketRemembered = time.Minute

// missingHint returns the hint for a missing bucket whose name has capital letters, which S3 does
// not allow, or "".
func (b *bucket) missingHint() string {
	if strings.ToLower(b.name) != b.name {
		return "the name of a bucket has no capital letters"
	}
	return ""
}

// readError translates the error of a read. A read of a delete marker fails with ObjectNotFound,
// although S3 answers 405 if the request names the marker's version.
func (b *bucket) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	if isDeleteMarker(err, r.Version) {
		storageErr := s3error.Translate(err)
		storageErr.Code = storage.ObjectNotFound
		storageErr.Hint = ""
		return storageErr
	}
	if s3error.Status(err) == http.StatusNotFound {
		return b.notFound(ctx, err)
	}
	return s3error.Translate(err)
}

// isDeleteMarker reports whether a read failed with err because it found a delete marker. version
// is that in the request, or "".
func isDeleteMarker(err error, version string) bool {
	isMarked := s3error.Header(err, "X-Amz-Delete-Marker") == "true"
	switch s3error.Status(err) {
	case http.StatusMethodNotAllowed:
		return isMarked || version != ""
	case http.StatusNotFound:
		return isMarked
	}
	return false
}

// listError translates the error of a listing. A 404 means that the bucket is missing, never an
// object.
func (b *bucket) listError(err error) error {
	return sdkerror.FromListing(s3error.Translate(err), b.missingHint())
}

// deniedRemembered is how long hiddenRefusal sends no further GET after a 403.
const deniedRemembered = time.Minute

// hiddenRefusal finds out whether a HEAD failed with err because of its credentials. The response
// to a HEAD has no body that names the reason (https://github.com/aws/aws-sdk-js/issues/2219):
// ExpiredToken is a plain 400, and InvalidAccessKeyId a plain 403.
//
// It calls get, which sends a GET, and returns the error of get if that shows a refusal of the
// credentials, or else nil. Because a HEAD often fails with 403, a 403 causes at most one GET a
// minute.
func (a *account) hiddenRefusal(err error, get func() error) error {
	if !a.mayRefuseCredentials(err) {
		return nil
	}

	// A 403 causes no second GET within a minute.
	status := s3error.Status(err)
	isForbidden := status == http.StatusForbidden
	now := a.clock.Now()
	deniedAt := a.deniedAt.Load()
	wasDenied := deniedAt != nil && now.Sub(*deniedAt) < deniedRemembered
	if isForbidden && wasDenied {
		return nil
	}

	getErr := get()
	if getErr != nil {
		storageErr := s3error.Of(getErr)
		if storageErr.Code == storage.Unauthenticated {
			return getErr
		}
		// If both requests failed with 400, only the body of the GET has the reason, whatever that is.
		areBoth400 := status == http.StatusBadRequest && storageErr.Status == http.StatusBadRequest
		if areBoth400 {
			return getErr
		}
	}

	// Remember the 403, so that the next one causes no GET.
	if isForbidden {
		a.deniedAt.Store(&now)
	}
	return nil
}

// mayRefuseCredentials reports whether err, of a request without a code of S3, may be the refusal of
// credentials that have expired or were revoked.
func (a *account) mayRefuseCredentials(err error) bool {
	status := s3error.Status(err)
	if status != http.StatusBadRequest && status != http.StatusForbidden {
		return false
	}
	response := s3error.Response(err).Response.Response
	if serverclock.IsSkewed(response) {
		// The clock of this machine is the reason.
		return false
	}
	// Other credentials than those of a session do not expire.
	return a.renewer != nil || signature.IsOfSession(response)
}
