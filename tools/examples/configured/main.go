// Configured serves the web pages in a bucket. The location of the bucket is only in its
// configuration file, so the program does not depend on a provider.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/layers/diskcache"
	_ "github.com/omnibucket/storage/layers/encrypt"
	_ "github.com/omnibucket/storage/layers/mirror"
	_ "github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/locations"
	_ "github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/serve"
)

func main() {
	pages, err := locations.Open(context.Background(), "pages")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{key...}", func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, pages, r.PathValue("key"))
	})
	http.HandleFunc("PUT /{key...}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := pages.Upload(r.Context(), r.PathValue("key"), r.Body, storage.IfAbsent()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
