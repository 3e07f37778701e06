// Avatars serves a page on which a user uploads a picture. It decides by the content of the file whether it is a
// picture, and not by the type that the browser sends.
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
	// A directory has no server: its signed URLs begin with this address, and handler serves them.
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
		Rules:     rules.Images(5 << 20),        // at most 5 MiB, checked by content
		Key:       "users/{user}/{random}{ext}", // chosen by the server, never by the browser
		Link:      uploads.SignedLink,           // each file is private, and gets a URL for an hour
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
	// The protection refuses uploads from forms of other sites.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// user returns the user of a request. In your program, it looks at the session, and returns storage.Unauthenticated if
// there is none.
func user(*http.Request) (uploads.User, error) {
	return uploads.User{ID: "eva"}, nil
}
