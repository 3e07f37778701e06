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

// WriteCondition reads the condition of a write from its headers. As on S3, this may be If-Match, or If-None-Match with
// the value "*".
func WriteCondition(header http.Header) (state.WriteCondition, error) {
	noneMatch := headertext.Lines(header, "If-None-Match")
	match := headertext.Lines(header, "If-Match")
	if noneMatch != "" && (match != "" || noneMatch != "*") {
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	if err := rejectHeaders(header, "If-Modified-Since", "If-Unmodified-Since"); err != nil {
		return state.WriteCondition{}, err
	}
	return state.WriteCondition{Absent: noneMatch == "*", Match: match}, nil
}

// NoWriteCondition fails if a request has a condition, although its operation supports none.
// UploadPart is such an operation.
func NoWriteCondition(header http.Header) error {
	return rejectHeaders(header, "If-Match", "If-None-Match")
}

// rejectHeaders fails with NotImplemented if a request has one of the headers.
func rejectHeaders(header http.Header, names ...string) error {
	for _, name := range names {
		if headertext.Lines(header, name) != "" {
			return s3error.New("NotImplemented", "Header", name)
		}
	}
	return nil
}

// failedMatch returns If-Match or If-Unmodified-Since if the condition in this header is false for a version, or else
// "". If-Match overrides the other one.
func failedMatch(header http.Header, prefix string, v *state.Version) string {
	if match := headertext.Lines(header, prefix+"If-Match"); match != "" {
		if !state.Matches(match, v.Object.ETag) {
			return "If-Match"
		}
		return ""
	}
	date, hasDate := readDate(header, prefix+"If-Unmodified-Since")
	if hasDate && modifiedAfter(v, date) {
		return "If-Unmodified-Since"
	}
	return ""
}

// failedNoneMatch returns If-None-Match or If-Modified-Since if the condition in this header is false for a version, or
// else "". If-None-Match overrides the other one.
func failedNoneMatch(header http.Header, prefix string, v *state.Version) string {
	if noneMatch := headertext.Lines(header, prefix+"If-None-Match"); noneMatch != "" {
		if state.Matches(noneMatch, v.Object.ETag) {
			return "If-None-Match"
		}
		return ""
	}
	date, hasDate := readDate(header, prefix+"If-Modified-Since")
	if hasDate && !modifiedAfter(v, date) {
		return "If-Modified-Since"
	}
	return ""
}

// modifiedAfter reports whether a version was modified after a date, which has whole seconds.
func modifiedAfter(v *state.Version, date time.Time) bool {
	return v.Modified.Truncate(time.Second).After(date)
}

// readDate reads the date in a header. It reports false if there is none. As RFC 9110 demands, an
// invalid date counts as none.
func readDate(header http.Header, name string) (date time.Time, ok bool) {
	date, err := http.ParseTime(header.Get(name))
	return date, err == nil
}

// CheckRead fails if a condition in the headers of a read does not hold for a version. It checks the conditions in the
// order of RFC 9110.
func CheckRead(header http.Header, v *state.Version) error {
	if name := failedMatch(header, "", v); name != "" {
		return s3error.New("PreconditionFailed", "Condition", name)
	}
	if failedNoneMatch(header, "", v) != "" {
		return s3error.New("NotModified").
			WithHeader("Etag", v.Object.ETag).WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
	}
	return nil
}

// CheckSource fails with PreconditionFailed if a condition on the source of a copy does not hold.
func CheckSource(header http.Header, v *state.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	name := cmp.Or(failedNoneMatch(header, prefix, v), failedMatch(header, prefix, v))
	if name != "" {
		return s3error.New("PreconditionFailed", "Condition", strings.ToLower(prefix+name))
	}
	return nil
}
