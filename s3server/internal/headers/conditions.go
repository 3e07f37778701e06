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
	none := headertext.Lines(header, "If-None-Match")
	match := headertext.Lines(header, "If-Match")
	if none != "" && (match != "" || none != "*") {
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	return state.WriteCondition{
		Absent: none == "*",
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

// failing returns the names of the conditions that are false for a version. The first result is
// If-Match, If-Unmodified-Since or "". The second result is If-None-Match, If-Modified-Since or "".
// A condition on the date is ignored if there is also one on the entity tag.
func failing(header http.Header, prefix string, v *state.Version) (wanted, unwanted string) {
	modified := v.Modified.Truncate(time.Second)
	if match := headertext.Lines(header, prefix+"If-Match"); match != "" {
		if !state.Matches(match, v.Object.ETag) {
			wanted = "If-Match"
		}
	} else if start, err := http.ParseTime(header.Get(prefix + "If-Unmodified-Since")); err == nil && modified.After(start) {
		wanted = "If-Unmodified-Since"
	}
	if none := headertext.Lines(header, prefix+"If-None-Match"); none != "" {
		if state.Matches(none, v.Object.ETag) {
			unwanted = "If-None-Match"
		}
	} else if start, err := http.ParseTime(header.Get(prefix + "If-Modified-Since")); err == nil && !modified.After(start) {
		unwanted = "If-Modified-Since"
	}
	return wanted, unwanted
}

// CheckRead fails if a condition in the headers of a read does not hold for a version. It follows
// the order of RFC 9110.
func CheckRead(header http.Header, v *state.Version) error {
	wanted, unwanted := failing(header, "", v)
	if wanted != "" {
		return s3error.New("PreconditionFailed", "Condition", wanted)
	}
	if unwanted != "" {
		return s3error.New("NotModified").
			WithHeader("Etag", v.Object.ETag).WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
	}
	return nil
}

// CheckSource fails with status 412 if a condition on the source of a copy does not hold.
func CheckSource(header http.Header, v *state.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	wanted, unwanted := failing(header, prefix, v)
	if name := cmp.Or(unwanted, wanted); name != "" {
		return s3error.New("PreconditionFailed", "Condition", strings.ToLower(prefix+name))
	}
	return nil
}
