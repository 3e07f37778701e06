package main

import (
	"context"
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

// acquire returns the current bucket. The bucket is not replaced before the caller calls release.
func (s *site) acquire() (b storage.Bucket, release func()) {
	s.mu.RLock()
	return s.bucket, s.mu.RUnlock
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
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /{key...}", s.serveObject)
	return mux
}

func (s *site) servePage(w http.ResponseWriter, r *http.Request) {
	objects, err := s.list(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, objects)
}

// list returns the first objects of the bucket.
func (s *site) list(ctx context.Context) ([]storage.ListEntry, error) {
	b, release := s.acquire()
	defer release()

	var objects []storage.ListEntry
	for object, err := range b.List(ctx, storage.WithPrefix(prefix), storage.WithLimit(1000)) {
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func (s *site) serveObject(w http.ResponseWriter, r *http.Request) {
	// The bucket is released before the copy, so that a slow visitor does not delay its replacement.
	b, release := s.acquire()
	object, err := b.Download(r.Context(), r.PathValue("key"))
	release()
	if err != nil {
		fail(w, err)
		return
	}
	defer func() { _ = object.Close() }()
	w.Header().Set("Content-Type", object.Attrs().ContentType)
	_, _ = io.Copy(w, object)
}

func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, storage.ObjectNotFound) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	http.Error(w, "the store does not answer", http.StatusBadGateway)
}
