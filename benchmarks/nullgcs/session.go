package nullgcs

import (
	"fmt"
	"net/http"
	"strings"
)

// beginSession names an address for chunks, which is the same for everybody.
func beginSession(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("Location", scheme+"://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id=session")
}

// serveChunk keeps all that a chunk says it is, and makes the object of one
// that says how long that is.
func serveChunk(w http.ResponseWriter, r *http.Request) {
	bytes, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	if total != "*" {
		serveResource(w, 0)
		return
	}
	if _, last, ok := strings.Cut(bytes, "-"); ok {
		w.Header().Set("Range", "bytes=0-"+last)
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" { // of the SDK, where a 308 would be a redirect
		w.Header().Set("X-Http-Status-Code-Override", fmt.Sprint(http.StatusPermanentRedirect))
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}
