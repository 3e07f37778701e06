package needs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// send makes a request of a handler, and returns the response or the error of a failed one.
func send(
	h http.Handler, failure *error, method, target, body string, header ...string,
) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	*failure = nil
	h.ServeHTTP(w, r)
	if w.Code < 400 {
		return w, nil
	}
	return w, errors.Join(errors.New(w.Result().Status+" "+w.Body.String()), *failure)
}

// tus uploads a small file by tus to a target.
func tus(target uploads.Target, c uploads.Config) Begin {
	return func(_ *testing.T, b storage.Bucket) (func() error, error) {
		var failure error
		c.Authorize = func(*http.Request) (uploads.User, error) { return uploads.User{ID: "alice"}, nil }
		c.Begin = func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &target, nil
		}
		c.OnError = func(_ *http.Request, err error) {
			failure = err
		}
		c.Rules = rules.Any(0)
		h, err := uploads.New(b, c)
		if err != nil {
			return nil, err
		}
		w, err := send(h, &failure, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3")
		if err != nil {
			return nil, failure
		}
		return func() error {
			_, err := send(h, &failure, "PATCH", w.Header().Get("Location"), "abc", "Tus-Resumable", "1.0.0",
				"Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
			return err
		}, nil
	}
}

// upload stores a file with package uploads.
func upload(c uploads.Config) Begin {
	return func(t *testing.T, b storage.Bucket) (func() error, error) {
		c.Rules.Types = []string{"text/plain"}
		s, err := uploads.New(b, c)
		if err != nil {
			return nil, err
		}
		return func() error {
			_, err := s.Store(t.Context(), uploads.Upload{
				Body: strings.NewReader("some text\n"),
				Name: "a.txt",
			})
			return err
		}, nil
	}
}

// sign sends a file straight to the store.
func sign(t *testing.T, b storage.Bucket) (func() error, error) {
	s, err := uploads.New(b, uploads.Config{
		Unguarded: true,
		Rules:     rules.Rules{Types: []string{"text/plain"}},
	})
	if err != nil {
		return nil, err
	}
	const text = "some text\n"
	ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a.txt", Size: int64(len(text))}, uploads.User{})
	if err != nil {
		return nil, err
	}
	return func() error {
		r := httptest.NewRequest(ticket.Put.Method, ticket.Put.URL, strings.NewReader(text))
		r.Header = ticket.Put.Header
		w := httptest.NewRecorder()
		serve.NewHandler(b).ServeHTTP(w, r)
		if w.Code >= 300 {
			return errors.New(w.Body.String())
		}
		_, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
		return err
	}, nil
}

// store keeps a file with its record.
func store(t *testing.T, b storage.Bucket) (func() error, error) {
	s, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(b),
		Unguarded: true,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := s.Store(t.Context(), uploads.Upload{
			Body:   strings.NewReader("abc"),
			Name:   "a.txt",
			Target: &uploads.Target{ContentType: "text/plain"},
		})
		return err
	}, nil
}

// copies runs the jobs of package transfer both ways.
func copies(t *testing.T, b storage.Bucket) (func() error, error) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o666))
	return func() error {
		_, up := transfer.Upload(t.Context(), b, dir)
		_, across := transfer.Copy(t.Context(), memstore.New(), b)
		_, down := transfer.Download(t.Context(), b, t.TempDir())
		return errors.Join(up, across, down)
	}, nil
}

func expire(rule transfer.ExpireRule) Begin {
	return func(t *testing.T, b storage.Bucket) (func() error, error) {
		_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{rule})
		return func() error { return nil }, err
	}
}

func lease(t *testing.T, b storage.Bucket) (func() error, error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := transfer.Every(ctx, time.Millisecond, func(context.Context) error {
		cancel()
		return nil
	}, transfer.WithLease(b, "lease"))
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return func() error { return nil }, err
}

// present serves an object.
func present(t *testing.T, b storage.Bucket) (func() error, error) {
	return func() error {
		if _, err := b.Upload(t.Context(), "a", bytes.NewReader([]byte("abc"))); err != nil {
			return err
		}
		w := httptest.NewRecorder()
		serve.FileServer(b).ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
		if w.Code != http.StatusOK {
			return errors.New(w.Result().Status)
		}
		r, err := storage.NewReaderAt(t.Context(), b, "a")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		return errors.Join(err, r.Close())
	}, nil
}

// uploadPart uploads a file in parts, with its record elsewhere.
func uploadPart(t *testing.T, b storage.Bucket) (func() error, error) {
	s, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(memstore.New()),
		Unguarded: true,
	})
	if err != nil {
		return nil, err
	}
	part := func(number int) error {
		_, err := s.PutPiece(t.Context(), uploads.Piece{
			Body:   strings.NewReader("abc"),
			Token:  "0123456789abcdef",
			Number: number,
			Count:  2,
			Name:   "a.txt",
			Target: &uploads.Target{ContentType: "text/plain"},
		})
		return err
	}
	return func() error { return part(2) }, part(1)
}

// removed returns the time before an object was removed.
func removed(t *testing.T, b storage.Bucket) (time.Time, error) {
	a, err := b.Upload(t.Context(), "a", strings.NewReader("abc"))
	if err != nil {
		return time.Time{}, err
	}
	return a.Modified, b.Remove(t.Context(), "a")
}

// reverted is a finish that looks whether the object is back.
func reverted(t *testing.T, b storage.Bucket, r *transfer.Report, err error) (func() error, error) {
	return func() error {
		if r.Transferred != 1 {
			return fmt.Errorf("%+v", r)
		}
		_, err := b.Attrs(t.Context(), "a")
		return err
	}, err
}

// versionsOnly has no soft delete, which could do without versions.
type versionsOnly struct{ storage.Core }

func (v versionsOnly) Supports(f storage.Features) bool {
	return f&storage.SoftDelete == 0 && v.Core.Supports(f)
}

func undelete(t *testing.T, b storage.Bucket) (func() error, error) {
	b, err := storage.Wrap(b, func(c storage.Core) storage.Core { return versionsOnly{c} })
	if err != nil {
		return nil, err
	}
	if _, err := removed(t, b); err != nil {
		return nil, err
	}
	r, err := transfer.Undelete(t.Context(), b)
	return reverted(t, b, r, err)
}

func restoreAt(t *testing.T, b storage.Bucket) (func() error, error) {
	when, err := removed(t, b)
	if err != nil {
		return nil, err
	}
	r, err := transfer.RestoreAt(t.Context(), b, when)
	return reverted(t, b, r, err)
}

// syncs runs further jobs.
func syncs(t *testing.T, b storage.Bucket) (func() error, error) {
	return func() error {
		_, err := b.Upload(t.Context(), "a", strings.NewReader("abc"))
		_, across := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Bucket(b),
			transfer.WithDelete())
		_, removeErr := storage.RemoveMatching(t.Context(), b, nil)
		return errors.Join(err, across, removeErr)
	}, nil
}

// cached reads twice through a cache on disk.
func cached(t *testing.T, lacking driver.Layer) (func() error, error) {
	cache, err := diskcache.Open(t.TempDir(), diskcache.Config{})
	if err != nil {
		return nil, err
	}
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(lacking),
		driver.WithLayer(cache.Layer()))
	return func() error {
		_, err := b.Upload(t.Context(), "a", strings.NewReader("abc"))
		for range 2 {
			r, readErr := storage.NewReaderAt(t.Context(), b, "a")
			if readErr != nil {
				return errors.Join(err, readErr)
			}
			_, readErr = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
			err = errors.Join(err, readErr, r.Close())
		}
		return errors.Join(err, cache.Close())
	}, nil
}

// A layer needs only the features that it asks for.
func TestLayersAskForTheirFeatures(t *testing.T) {
	CheckDriver(t, "diskcache.Cache.Layer", cached)
}

// Handlers and jobs fail with Unsupported before they have read or written a byte, if the bucket lacks a
// feature that they need.
func TestHandlersAndJobsAskForTheirFeaturesBeforeAnyByte(t *testing.T) {
	config := uploads.Config{States: uploads.BucketStates(memstore.New()), Unguarded: true}
	file := uploads.Target{Key: "a", Overwrite: true}
	tagged := uploads.Target{Key: "a", Overwrite: true}
	tagged.Tags = map[string]string{"a": "b"}
	described := uploads.Target{Key: "a", Overwrite: true}
	described.Metadata = map[string]string{"a": "b"}
	typed := uploads.Target{Key: "a", Overwrite: true}
	typed.ContentType = "text/plain"

	tests := []struct {
		name  string
		begin Begin
	}{
		{"uploads.New with Begin", tus(file, uploads.Config{})},
		{"uploads.New with Begin, States and Unguarded", tus(file, config)},
		{"uploads.Target without Overwrite", tus(uploads.Target{Key: "a"}, config)},
		{"uploads.Target with Tags", tus(tagged, config)},
		{"uploads.Target with Metadata", tus(described, config)},
		{"uploads.Target with ContentType", tus(typed, config)},
		{"uploads.New", upload(uploads.Config{})},
		{"uploads.New with Unguarded", upload(uploads.Config{Unguarded: true})},
		{"uploads.New with SignedLink", upload(uploads.Config{Unguarded: true, Link: uploads.SignedLink})},
		{"uploads.New with PublicRead", upload(uploads.Config{Unguarded: true, PublicRead: true})},
		{"uploads.New with Tags", upload(uploads.Config{Unguarded: true, Tags: map[string]string{"a": "b"}})},
		{"uploads.Service.Sign", sign},
		{"uploads.New with BucketRecords", store},
		{"uploads.Service.PutPiece with records", uploadPart},
		{"transfer.Upload, Copy and Download", copies},
		{"transfer.Sync", syncs},
		{"transfer.Undelete", undelete},
		{"transfer.RestoreAt", restoreAt},
		{"transfer.Expire with Tags", expire(transfer.ExpireRule{
			Age:  time.Hour,
			Tags: map[string]string{"a": "b"},
		})},
		{"transfer.Expire with UploadsAge", expire(transfer.ExpireRule{UploadsAge: time.Hour})},
		{"transfer.Every with WithLease", lease},
		{"serve.FileServer", present},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			Check(t, tt.name, tt.begin)
		})
	}
}
