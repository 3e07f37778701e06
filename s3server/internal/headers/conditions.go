package headers

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// WriteCondition reads the condition in the headers of a write. Like S3, it accepts only one
// condition, and If-None-Match only with "*".
func WriteCondition(header http.Header) (state.WriteCondition, error) {
	noneMatch := headertext.Lines(header, "If-None-Match")
	match := headertext.Lines(header, "If-Match")
	if noneMatch != "" && (match != "" || noneMatch != "*") {
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	if err := refuse(header, "If-Modified-Since", "If-Unmodified-Since"); err != nil {
		return state.WriteCondition{}, err
	}
	return state.WriteCondition{Absent: noneMatch == "*", Match: match}, nil
}

// NoWriteCondition fails if a request has a condition, although its operation supports none.
// UploadPart is such an operation.
func NoWriteCondition(header http.Header) error { return refuse(header, "If-Match", "If-None-Match") }

// refuse fails with NotImplemented if a request has one of the headers.
func refuse(header http.Header, names ...string) error {
	for _, name := range names {
		if headertext.Lines(header, name) != "" {
			return s3error.New("NotImplemented", "Header", name)
		}
	}
	return nil
}

// failedConditions returns the names of the conditions that are false for a version. The first result is
// If-Match, If-Unmodified-Since or "". The second result is If-None-Match, If-Modified-Since or "".
// A condition on the date is ignored if there is also one on the entity tag.
func failedConditions(header http.Header, prefix string, v *state.Version) (required, forbidden string) {
	modified := v.Modified.Truncate(time.Second) // dates in headers have whole seconds
	match := headertext.Lines(header, prefix+"If-Match")
	unmodifiedSince, hasUnmodifiedSince := readDate(header, prefix+"If-Unmodified-Since")
	switch {
	case match != "" && !state.Matches(match, v.Object.ETag):
		required = "If-Match"
	case match == "" && hasUnmodifiedSince && modified.After(unmodifiedSince):
		required = "If-Unmodified-Since"
	}

	noneMatch := headertext.Lines(header, prefix+"If-None-Match")
	modifiedSince, hasModifiedSince := readDate(header, prefix+"If-Modified-Since")
	switch {
	case noneMatch != "" && state.Matches(noneMatch, v.Object.ETag):
		forbidden = "If-None-Match"
	case noneMatch == "" && hasModifiedSince && !modified.After(modifiedSince):
		forbidden = "If-Modified-Since"
	}
	return required, forbidden
}

// readDate reads the date in a header. It reports false if there is none. As RFC 9110 demands, an
// invalid date counts as none.
func readDate(header http.Header, name string) (date time.Time, ok bool) {
	date, err := http.ParseTime(header.Get(name))
	return date, err == nil
}

// CheckRead fails if a condition in the headers of a read does not hold for a version. It follows
// the order of RFC 9110.
func CheckRead(header http.Header, v *state.Version) error {
	required, forbidden := failedConditions(header, "", v)
	if required != "" {
		return s3error.New("PreconditionFailed", "Condition", required)
	}
	if forbidden != "" {
		return s3error.New("NotModified").
			WithHeader("Etag", v.Object.ETag).WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
	}
	return nil
}

// CheckSource fails with status 412 if a condition on the source of a copy does not hold.
func CheckSource(header http.Header, v *state.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	required, forbidden := failedConditions(header, prefix, v)
	if name := cmp.Or(forbidden, required); name != "" {
		return s3error.New("PreconditionFailed", "Condition", strings.ToLower(prefix+name))
	}
	return nil
}
