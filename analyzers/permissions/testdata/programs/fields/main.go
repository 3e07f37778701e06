// Fields has two stores that one type serves.
package main

import (
	"context"
	"log"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

type config struct{ bucket storage.Bucket }

type store struct{ config config }

func newStore(c config) *store {
	s := &store{}
	s.set(c)
	return s
}

func (s *store) set(c config) { s.config = c }

func (s *store) put(ctx context.Context) {
	_, _ = s.config.bucket.Upload(ctx, "a", strings.NewReader("text"))
}

func (s *store) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = s.config.bucket.Exists(r.Context(), r.URL.Path)
}

// A view keeps its bucket since it was made.
type view struct{ b storage.Bucket }

func newView(b storage.Bucket) *view { return &view{b} }

func (v *view) put(ctx context.Context) { _, _ = v.b.Upload(ctx, "a", strings.NewReader("text")) }

func (v *view) drop(ctx context.Context) { _ = v.b.Remove(ctx, "a") }

func main() {
	newStore(config{open("s3://put")}).put(context.Background())
	http.Handle("/", newStore(config{open("s3://served")}))
	newView(open("s3://written")).put(context.Background())
	newView(open("s3://dropped")).drop(context.Background())
}
