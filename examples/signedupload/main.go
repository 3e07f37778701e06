// Signedupload serves a page that uploads a picture straight to a bucket, and shows it from there.
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/local" // file:///
	"github.com/omnibucket/storage/serve"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "localhost:8080", "host:port of the page")
	flag.Parse()
	// A directory has no server: the signed addresses are below this one, and handler serves them.
	bucket, err := storage.Open(context.Background(), "file:///tmp/pictures?create=true",
		storage.WithSigningBaseURL("http://"+*addr+"/store"))
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://" + *addr + "/")
	log.Fatal(http.ListenAndServe(*addr, handler(bucket)))
}

func handler(bucket storage.Bucket) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.HandleFunc("POST /sign", func(w http.ResponseWriter, r *http.Request) { sign(w, r, bucket) })
	mux.Handle("/store/", serve.NewHandler(bucket))
	return mux
}

// sign returns a request with which the browser may store one file, and the file's address.
func sign(w http.ResponseWriter, r *http.Request, bucket storage.Bucket) {
	var file struct {
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&file)
	if err != nil || !strings.HasPrefix(file.Type, "image/") || file.Size < 1 || file.Size > 10<<20 {
		http.Error(w, "Choose a picture of at most 10 MiB.", http.StatusBadRequest)
		return
	}
	key := "pictures/" + rand.Text() // of your choice, never of the browser's
	upload, err := bucket.SignedUploadURL(r.Context(), key,
		storage.WithContentType(file.Type), storage.WithSize(file.Size), storage.IfAbsent())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	download, err := bucket.SignedDownloadURL(r.Context(), key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"upload": upload, "address": download.URL})
}
