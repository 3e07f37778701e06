package s3server

import (
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// sameTag compares entity tags. S3 also accepts them without quotes.
func sameTag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }

// matches reports whether a list of entity tags, or "*", includes the tag.
func matches(list, etag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || sameTag(candidate, etag) {
			return true
		}
	}
	return false
}

// A writeCondition is a condition on the current object at the destination.
type writeCondition struct {
	absent bool
	match  string
}

// writeConditionOf reads the headers of a write. S3 supports If-None-Match only with
// "*", and one condition at a time.
func writeConditionOf(header http.Header) (writeCondition, error) {
	none, match := header.Get("If-None-Match"), header.Get("If-Match")
	switch {
	case none != "" && match != "", none != "" && none != "*":
		return writeCondition{}, s3error.New("NotImplemented", "Header", "If-None-Match")
	case header.Get("If-Modified-Since") != "":
		return writeCondition{}, s3error.New("NotImplemented", "Header", "If-Modified-Since")
	case header.Get("If-Unmodified-Since") != "":
		return writeCondition{}, s3error.New("NotImplemented", "Header", "If-Unmodified-Since")
	}
	return writeCondition{absent: none == "*", match: match}, nil
}

// noWriteCondition refuses conditions on a request that supports none, such as
// UploadPart.
func noWriteCondition(header http.Header) error {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if header.Get(name) != "" {
			return s3error.New("NotImplemented", "Header", name)
		}
	}
	return nil
}

// check checks the condition against the current version. A delete marker is not an
// object.
func (c writeCondition) check(key string, current *version) error {
	exists := current != nil && !current.marker
	switch {
	case c.absent && exists:
		return s3error.New("PreconditionFailed", "Condition", "If-None-Match")
	case c.match != "" && !exists:
		return s3error.New("NoSuchKey", "Key", key)
	case c.match != "" && !matches(c.match, current.object.etag):
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return nil
}

// checkDelete checks the condition of a removal. A delete marker does not match "*",
// and differs from a missing key.
func (c writeCondition) checkDelete(key string, current *version) error {
	if c.match == "*" && current != nil && current.marker {
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return c.check(key, current)
}

// checkRead checks the conditions of a read, in the order of RFC 9110.
func checkRead(header http.Header, v *version) error {
	modified := v.modified.Truncate(time.Second)
	if match := header.Get("If-Match"); match != "" {
		if !matches(match, v.object.etag) {
			return s3error.New("PreconditionFailed", "Condition", "If-Match")
		}
	} else if since, ok := headerDate(header, "If-Unmodified-Since"); ok && modified.After(since) {
		return s3error.New("PreconditionFailed", "Condition", "If-Unmodified-Since")
	}
	if none := header.Get("If-None-Match"); none != "" {
		if matches(none, v.object.etag) {
			return notModified(v)
		}
	} else if since, ok := headerDate(header, "If-Modified-Since"); ok && !modified.After(since) {
		return notModified(v)
	}
	return nil
}

func notModified(v *version) error {
	return s3error.New("NotModified").WithHeader("Etag", v.object.etag).WithHeader("Last-Modified", v.modified.Format(http.TimeFormat))
}

// checkSource checks the conditions on the source of a copy. Each one that fails is a
// 412.
func checkSource(header http.Header, v *version) error {
	const prefix = "X-Amz-Copy-Source-"
	modified := v.modified.Truncate(time.Second)
	match, none := header.Get(prefix+"If-Match"), header.Get(prefix+"If-None-Match")
	failed := ""
	if match != "" {
		if !matches(match, v.object.etag) {
			failed = "If-Match"
		}
	} else if since, ok := headerDate(header, prefix+"If-Unmodified-Since"); ok && modified.After(since) {
		failed = "If-Unmodified-Since"
	}
	if none != "" {
		if matches(none, v.object.etag) {
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
