// Package sigv4 has what version 4 of Amazon's and Google's signatures have in common, except for
// the computation of the signature.
package sigv4

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage/driver"
)

// MaxTerm is the longest time for which a signature is valid.
const MaxTerm = 7 * 24 * time.Hour

// A Term is the time for which a signature is valid.
type Term struct {
	From    time.Time // in whole seconds, because signatures have no fractions
	Seconds int64
}

// NewTerm returns the term of a signature that is made now. It begins with the current second, and
// lasts for at least ttl, but at most limit.
func NewTerm(now time.Time, ttl, limit time.Duration) Term {
	from := now.UTC().Truncate(time.Second)
	end := now.Add(ttl)
	if latest := from.Add(limit); end.After(latest) {
		end = latest
	}
	roundedUp := (end.Sub(from) + time.Second - 1) / time.Second
	return Term{From: from, Seconds: int64(roundedUp)}
}

// Until returns the time at which the signature expires.
func (t *Term) Until() time.Time { return t.From.Add(time.Duration(t.Seconds) * time.Second) }

// EndBy shortens the term if it ends after the time in end. If that time is before
// the beginning of the term, the term has 0 seconds.
func (t *Term) EndBy(end time.Time) {
	if end.Before(t.Until()) {
		t.Seconds = max(int64(end.Truncate(time.Second).Sub(t.From)/time.Second), 0)
	}
}

// Headers returns the headers that an uploader must send, which give the object the properties of r.
// The headers of the provider itself begin with prefix, such as "X-Amz-".
func Headers(r *driver.SignRequest, prefix string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"Content-Type":           r.ContentType,
		"Content-Encoding":       r.ContentEncoding,
		"Content-Disposition":    r.ContentDisposition,
		"Content-Language":       r.ContentLanguage,
		"Cache-Control":          r.CacheControl,
		prefix + "Storage-Class": r.StorageClass,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, value := range r.Metadata {
		h.Set(prefix+"Meta-"+name, value)
	}
	if r.PublicRead {
		h.Set(prefix+"Acl", "public-read")
	}
	return h
}
