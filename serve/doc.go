// Package serve responds to HTTP requests with the objects of a bucket.
//
// [Object] serves one object from a route of yours, and [FileServer] serves a whole
// bucket as files; both work with every bucket. [NewHandler] responds at the signed
// and public addresses of a bucket in memory or in a local directory. Such a bucket has
// no server of its own. [NewServer] starts such a handler for a test or a laptop.
//
//	mux.HandleFunc("GET /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
//		serve.Object(w, r, bucket, "photos/"+r.PathValue("id"))
//	})
package serve
