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

// WriteCondition reads the headers of a write. S3 supports If-None-Match only with
// "*", and one condition at a time.
func WriteCondition(header http.Header) (state.WriteCondition, error) {
	none, match := headertext.Lines(header, "If-None-Match"), headertext.Lines(header, "If-Match")
	if none != "" && (match != "" || none != "*") {
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	return state.WriteCondition{
			Absent: none == "*",
			Match:  match,
		}, refuse(
			header, "If-Modified-Since", "If-Unmodified-Since",
		)
}

// NoWriteCondition refuses conditions on a request that supports none, such as
// UploadPart.
func NoWriteCondition(header http.Header) error { return refuse(header, "If-Match", "If-None-Match") }

func refuse(header http.Header, names ...string) error {
	for _, name := range names {
		if headertext.Lines(header, name) != "" {
			return s3error.New("NotImplemented", "Header", name)
		}
	}
	return nil
}

// failing returns the names of conditions that do not hold for a version, or "": If-Match or
// If-Unmodified-Since, and If-None-Match or If-Modified-Since. If there is a condition on the entity tag,
// the one on the date does not count.
func failing(header http.Header, prefix string, v *state.Version) (wanted, unwanted string) {
	modified := v.Modified.Truncate(time.Second)
	if match := headertext.Lines(header, prefix+"If-Match"); match != "" {
		if !state.Matches(match, v.Object.ETag) {
			wanted = "If-Match"
		}
	} else if since, err := http.ParseTime(header.Get(prefix + "If-Unmodified-Since")); err == nil && modified.After(since) {
		wanted = "If-Unmodified-Since"
	}
	if none := headertext.Lines(header, prefix+"If-None-Match"); none != "" {
		if state.Matches(none, v.Object.ETag) {
			unwanted = "If-None-Match"
		}
	} else if since, err := http.ParseTime(header.Get(prefix + "If-Modified-Since")); err == nil && !modified.After(since) {
		unwanted = "If-Modified-Since"
	}
	return wanted, unwanted
}

// CheckRead checks the conditions of a read, in the order of RFC 9110.
func CheckRead(header http.Header, v *state.Version) error {
	switch wanted, unwanted := failing(header, "", v); {
	case wanted != "":
		return s3error.New("PreconditionFailed", "Condition", wanted)
	case unwanted != "":
		return s3error.New(
			"NotModified",
		).WithHeader(
			"Etag", v.Object.ETag,
		).WithHeader(
			"Last-Modified", v.Modified.Format(http.TimeFormat),
		)
	}
	return nil
}

// CheckSource checks the conditions on the source of a copy. Each one that fails is a
// 412.
func CheckSource(header http.Header, v *state.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	wanted, unwanted := failing(header, prefix, v)
	if failed := cmp.Or(unwanted, wanted); failed != "" {
		return s3error.New("PreconditionFailed", "Condition", strings.ToLower(prefix+failed))
	}
	return nil
}
