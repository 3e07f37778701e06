package main

import (
	"errors"
	"html/template"
	"io"
	"net/http"
	"sync"

	"github.com/omnibucket/storage"
)

// A site is a web page that shows the objects of a bucket. The bucket may be replaced by another
// bucket with the same objects.
type site struct {
	mu     sync.RWMutex // a reader lock is held while the bucket is used
	bucket storage.Bucket
	former []storage.Bucket // earlier buckets, closed at the end, because a layer may still read from them
}

// use passes the current bucket to the function do. The bucket is not replaced before that function
// returns.
func (s *site) use(do func(b storage.Bucket) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return do(s.bucket)
}

// replace replaces the bucket when no goroutine uses it. If between is not nil,
// replace calls it first. If that call fails, the bucket is not replaced.
func (s *site) replace(next storage.Bucket, between func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if between != nil {
		if err := between(); err != nil {
			return errors.Join(err, storage.Close(next))
		}
	}
	s.former = append(s.former, s.bucket)
	s.bucket = next
	return nil
}

// close closes all buckets, the newest first.
func (s *site) close() error {
	err := storage.Close(s.bucket)
	for i := len(s.former) - 1; i >= 0; i-- {
		err = errors.Join(err, storage.Close(s.former[i]))
	}
	return err
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Objects that move</title>
<h1>Objects</h1>
<ul>
{{range .}}<li><a href="/{{.Key}}">{{.Key}}</a>, {{.Size}} bytes</li>
{{end}}</ul>
`))

// handler serves the page at /, and each object at a path that is its key.
func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var objects []storage.ListEntry
		err := s.use(func(b storage.Bucket) error {
			for object, err := range b.List(r.Context(), storage.WithPrefix(prefix), storage.WithLimit(1000)) {
				if err != nil {
					return err
				}
				objects = append(objects, object)
			}
			return nil
		})
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, objects)
	})

	mux.HandleFunc("GET /{key...}", func(w http.ResponseWriter, r *http.Request) {
		var object *storage.Reader
		err := s.use(func(b storage.Bucket) (err error) {
			object, err = b.Download(r.Context(), r.PathValue("key"))
			return err
		})
		if err != nil {
			fail(w, err)
			return
		}
		defer func() { _ = object.Close() }()
		w.Header().Set("Content-Type", object.Attrs().ContentType)
		// s.use has returned before the copy, so a slow visitor does not delay the replacement of
		// the bucket.
		_, _ = io.Copy(w, object)
	})

	return mux
}

func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, storage.ObjectNotFound) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	http.Error(w, "the store does not answer", http.StatusBadGateway)
}
