// Avatars serves a page on which a user uploads a picture. The content of the file decides whether it
// is one, and not what the browser says.
package main

import (
	"context"
	_ "embed"
	"flag"
	"log"
	"net/http"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/local" // file:///
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "localhost:8080", "host:port of the page")
	flag.Parse()
	// A directory has no server: its signed addresses are below this one, and handler serves them.
	bucket, err := storage.Open(context.Background(), "file:///tmp/pictures?create=true",
		storage.WithSigningBaseURL("http://"+*addr+"/store"))
	if err != nil {
		log.Fatal(err)
	}
	site, err := handler(bucket)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://" + *addr + "/")
	log.Fatal(http.ListenAndServe(*addr, site))
}

func handler(bucket storage.Bucket) (http.Handler, error) {
	service, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Images(5 << 20),        // bytes; by content, whatever the browser claims
		Key:       "users/{user}/{random}{ext}", // of your choice, never of the browser's
		Link:      uploads.SignedLink,           // each file is private, and has an address for an hour
		Authorize: user,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /upload.js", uploads.Script())
	mux.Handle("/uploads/", http.StripPrefix("/uploads", service))
	mux.Handle("/store/", serve.NewHandler(bucket))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	return http.NewCrossOriginProtection().Handler(mux), nil // no form of another site uploads
}

// user says who uploads. In a program of yours, it looks at the session, and returns
// storage.Unauthenticated if there is none.
func user(*http.Request) (uploads.User, error) {
	return uploads.User{ID: "eva"}, nil
}
