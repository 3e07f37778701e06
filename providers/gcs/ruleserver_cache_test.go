package gcs_test

import (
	"net/http"
	"net/url"
	"strings"
)

// A ruleCache is Google's cache of public objects. Once a URL has been read through either API,
// later reads of it return the same bytes until max-age has passed. This takes longer than any
// test. Headers of a request that ask for no cached content are ignored. How the cache treats a
// condition is not documented: see the field conditions.
// https://cloud.google.com/storage/docs/caching,
// https://cloud.google.com/storage/docs/consistency#cache-control, googleapis/nodejs-storage#566
type ruleCache struct {
	conditions string                 // "ignored", "compared" with the cached object, or "passed" to the bucket
	kept       map[string]*ruleObject // by URL
}

// publicDefault is the Cache-Control of a public object that was stored without one.
const publicDefault = "public, max-age=3600"

// isCacheable reports whether Google may cache the object.
func (o *ruleObject) isCacheable() bool {
	for _, word := range []string{"private", "no-store", "no-cache"} {
		if strings.Contains(o.CacheControl, word) {
			return false
		}
	}
	return o.CustomerEncryption == nil && o.KMSKeyName == ""
}

// cacheKey returns the URL of a request without the parts that do not change the content.
func cacheKey(r *http.Request) string {
	return r.URL.EscapedPath() + "?" + url.Values{"generation": r.URL.Query()["generation"]}.Encode()
}

// serveCached serves a public object from the cache, and reports whether it was there.
func (s *ruleServer) serveCached(w http.ResponseWriter, r *http.Request) bool {
	o := s.cache.kept[cacheKey(r)]
	if o == nil {
		return false
	}

	match := r.Header.Get("X-Goog-If-Generation-Match")
	hasCondition := match != ""
	if hasCondition && s.cache.conditions == "passed" {
		return false // the bucket must check the condition
	}
	if hasCondition && s.cache.conditions == "compared" && match != o.Generation {
		w.Header().Set("Cache-Control", o.CacheControl)
		writeXML(w, conditionNotMet)
		return true
	}
	o.serve(w, r)
	return true
}

// keepCached puts a public object into the cache before it is served. It returns the object that is served, with the
// Cache-Control that Google adds. Other objects are returned unchanged.
func (s *ruleServer) keepCached(r *http.Request, b *ruleBucket, o *ruleObject) *ruleObject {
	if !b.public || !o.isCacheable() {
		return o
	}
	cached := *o
	if cached.CacheControl == "" {
		cached.CacheControl = publicDefault
	}
	if s.cache.kept == nil {
		s.cache.kept = map[string]*ruleObject{}
	}
	s.cache.kept[cacheKey(r)] = &cached
	return &cached
}
