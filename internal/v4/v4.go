// Package v4 is what Amazon's and Google's signatures, both of version 4, have in
// common beside the signing itself.
package v4

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage"
)

// Longest is how long a signature holds at most.
const Longest = 7 * 24 * time.Hour

// A Term is how long a signature holds.
type Term struct {
	From    time.Time // in whole seconds, as it is written
	Seconds int64
}

// NewTerm is a term of at least ttl from now, but no longer than most.
func NewTerm(now time.Time, ttl, most time.Duration) Term {
	t := Term{From: now.UTC().Truncate(time.Second)}
	ends := now.Add(ttl)
	if last := t.From.Add(most); ends.After(last) {
		ends = last
	}
	t.Seconds = int64((ends.Sub(t.From) + time.Second - 1) / time.Second)
	return t
}

// Until is when the signature ends.
func (t *Term) Until() time.Time { return t.From.Add(time.Duration(t.Seconds) * time.Second) }

// EndBy shortens a term that goes beyond end. One that is over has no seconds
// left.
func (t *Term) EndBy(end time.Time) {
	if end.Before(t.Until()) {
		t.Seconds = max(int64(end.Truncate(time.Second).Sub(t.From)/time.Second), 0)
	}
}

// Headers are what an uploader must send for the object to have the properties
// of r. Prefix is that of the provider's own: "X-Amz-".
func Headers(r *storage.SignRequest, prefix string) http.Header {
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
