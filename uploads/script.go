package uploads

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net/http"
	"time"
)

//go:embed js/upload.js
var script []byte

// Script returns a handler that serves upload.js. That is an ES module without dependencies, which
// uploads files from a page by the S3 routes of a [Service]:
//
//	mux.Handle("GET /upload.js", uploads.Script())
//
// Its TypeScript types are in js/upload.d.ts. A page may also use its own copy of both files.
func Script() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/javascript; charset=utf-8")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", scriptTag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(script))
	})
}

var scriptTag = fmt.Sprintf(`"%x"`, sha256.Sum256(script))
