// Package serve answers HTTP requests out of a bucket.
//
// Object serves one object from a route of yours, FileServer a whole bucket as
// files; both work with every bucket. NewHandler answers the signed and public
// addresses of a bucket in memory or in a local directory, which have no server
// of their own, and NewServer starts one of those for a test or a laptop.
//
//	mux.HandleFunc("GET /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
//		serve.Object(w, r, bucket, "photos/"+r.PathValue("id"))
//	})
package serve
