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
	ifNoneMatch := headertext.Lines(header, "If-None-Match")
	match := headertext.Lines(header, "If-Match")
	if ifNoneMatch != "" && (match != "" || ifNoneMatch != "*") {
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	return state.WriteCondition{
		Absent: ifNoneMatch == "*",
		Match:  match,
	}, refuse(header, "If-Modified-Since", "If-Unmodified-Since")
}

// NoWriteCondition fails if a request has a condition, although its operation supports none.
// UploadPart is such an operation.
func NoWriteCondition(header http.Header) error { return refuse(header, "If-Match", "If-None-Match") }

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
	modified := v.Modified.Truncate(time.Second)
	if match := headertext.Lines(header, prefix+"If-Match"); match != "" {
		if !state.Matches(match, v.Object.ETag) {
			required = "If-Match"
		}
	} else if start, err := http.ParseTime(header.Get(prefix + "If-Unmodified-Since")); err == nil && modified.After(start) {
		required = "If-Unmodified-Since"
	}
	if ifNoneMatch := headertext.Lines(header, prefix+"If-None-Match"); ifNoneMatch != "" {
		if state.Matches(ifNoneMatch, v.Object.ETag) {
			forbidden = "If-None-Match"
		}
	} else if start, err := http.ParseTime(header.Get(prefix + "If-Modified-Since")); err == nil && !modified.After(start) {
		forbidden = "If-Modified-Since"
	}
	return required, forbidden
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
