package serve_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// A route of yours decides who may see an object, and serves it.
func ExampleObject() {
	bucket := memstore.New()
	if _, err := bucket.Upload(context.Background(), "photos/7.svg", strings.NewReader("<svg/>")); err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=3600")
		serve.Object(w, r, bucket, "photos/"+r.PathValue("id")+".svg")
	})

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/photos/7", nil)
	r.Header.Set("Range", "bytes=1-3")
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header().Get("Content-Range"), w.Body)
	// Output: 206 image/svg+xml bytes 1-3/6 svg
}

// A site in a bucket, below a path.
func ExampleFileServer() {
	bucket := memstore.New()
	if _, err := bucket.Upload(context.Background(), "docs/index.html", strings.NewReader("<h1>Docs</h1>")); err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/site/", http.StripPrefix("/site/", serve.FileServer(bucket)))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/site/docs/", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 <h1>Docs</h1>
}

// A test in which a client uploads straight to the store.
func ExampleNewServer() {
	server, err := serve.NewServer(func(baseURL string) (storage.Bucket, error) {
		return memstore.New(storage.WithSigningBaseURL(baseURL)), nil
	})
	if err != nil {
		panic(err)
	}
	defer server.Close()

	ctx := context.Background()
	upload, err := server.Bucket.SignedUploadURL(ctx, "notes/1.txt")
	if err != nil {
		panic(err)
	}
	request, err := upload.Request(ctx, strings.NewReader("all is well"))
	if err != nil {
		panic(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()

	note, _, err := storage.ReadAll(ctx, server.Bucket, "notes/1.txt")
	fmt.Println(response.StatusCode, string(note), err)
	http.DefaultClient.CloseIdleConnections()
	// Output: 200 all is well <nil>
}
