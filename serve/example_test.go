package serve_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// A route of a program decides which users may see an object, and serves the object.
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

// A program serves a site from a bucket, below a path.
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

// In a test of a program, a client uploads straight to the store.
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

// An album is sent as one archive.
func ExampleZip() {
	ctx := context.Background()
	photos := memstore.New()
	for _, key := range []string{"albums/7/beach.jpg", "albums/7/forest.jpg"} {
		if _, err := photos.Upload(ctx, key, strings.NewReader("a picture")); err != nil {
			log.Fatal(err)
		}
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		album := storage.Prefixed(photos, "albums/7/")
		serve.Zip(w, r, album, album.List(r.Context()), serve.WithDownloadName("Album 7.zip"))
	}
	recorder := httptest.NewRecorder()
	handler(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, "/album", nil))
	archive, err := zip.NewReader(bytes.NewReader(recorder.Body.Bytes()), int64(recorder.Body.Len()))
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range archive.File {
		fmt.Println(file.Name, file.UncompressedSize64)
	}
	// Output:
	// beach.jpg 9
	// forest.jpg 9
}
