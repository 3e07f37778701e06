package nullgcs

import (
	"fmt"
	"net/http"
	"strings"
)

// beginSession sends the URL for the chunks of a resumable upload. All uploads have the same URL.
func beginSession(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("Location", scheme+"://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id=session")
}

// serveChunk accepts a chunk. If the request declares the total length, the chunk is the last one,
// and the upload is complete.
func serveChunk(w http.ResponseWriter, r *http.Request) {
	bytes, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	if total != "*" {
		serveResource(w, 0)
		return
	}
	if _, last, ok := strings.Cut(bytes, "-"); ok {
		w.Header().Set("Range", "bytes=0-"+last)
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		// For such a client, a 308 would be a redirect.
		w.Header().Set("X-Http-Status-Code-Override", fmt.Sprint(http.StatusPermanentRedirect))
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}
