package headers

import (
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// WriteCondition reads the headers of a write. S3 supports If-None-Match only with
// "*", and one condition at a time.
func WriteCondition(header http.Header) (state.WriteCondition, error) {
	none, match := header.Get("If-None-Match"), header.Get("If-Match")
	switch {
	case none != "" && match != "", none != "" && none != "*":
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	case header.Get("If-Modified-Since") != "":
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-Modified-Since")
	case header.Get("If-Unmodified-Since") != "":
		return state.WriteCondition{}, s3error.New("NotImplemented", "Header", "If-Unmodified-Since")
	}
	return state.WriteCondition{Absent: none == "*", Match: match}, nil
}

// NoWriteCondition refuses conditions on a request that supports none, such as
// UploadPart.
func NoWriteCondition(header http.Header) error {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if header.Get(name) != "" {
			return s3error.New("NotImplemented", "Header", name)
		}
	}
	return nil
}

// CheckRead checks the conditions of a read, in the order of RFC 9110.
func CheckRead(header http.Header, v *state.Version) error {
	modified := v.Modified.Truncate(time.Second)
	if match := header.Get("If-Match"); match != "" {
		if !state.Matches(match, v.Object.ETag) {
			return s3error.New("PreconditionFailed", "Condition", "If-Match")
		}
	} else if since, ok := headerDate(header, "If-Unmodified-Since"); ok && modified.After(since) {
		return s3error.New("PreconditionFailed", "Condition", "If-Unmodified-Since")
	}
	if none := header.Get("If-None-Match"); none != "" {
		if state.Matches(none, v.Object.ETag) {
			return notModified(v)
		}
	} else if since, ok := headerDate(header, "If-Modified-Since"); ok && !modified.After(since) {
		return notModified(v)
	}
	return nil
}

func notModified(v *state.Version) error {
	return s3error.New("NotModified").WithHeader("Etag", v.Object.ETag).WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
}

// CheckSource checks the conditions on the source of a copy. Each one that fails is a
// 412.
func CheckSource(header http.Header, v *state.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	modified := v.Modified.Truncate(time.Second)
	match, none := header.Get(prefix+"If-Match"), header.Get(prefix+"If-None-Match")
	failed := ""
	if match != "" {
		if !state.Matches(match, v.Object.ETag) {
			failed = "If-Match"
		}
	} else if since, ok := headerDate(header, prefix+"If-Unmodified-Since"); ok && modified.After(since) {
		failed = "If-Unmodified-Since"
	}
	if none != "" {
		if state.Matches(none, v.Object.ETag) {
			failed = "If-None-Match"
		}
	} else if since, ok := headerDate(header, prefix+"If-Modified-Since"); ok && !modified.After(since) {
		failed = "If-Modified-Since"
	}
	if failed != "" {
		return s3error.New("PreconditionFailed", "Condition", strings.ToLower(prefix+failed))
	}
	return nil
}

func headerDate(header http.Header, name string) (time.Time, bool) {
	t, err := http.ParseTime(header.Get(name))
	return t, err == nil
}
