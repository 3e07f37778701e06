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

// A tusClient makes requests of a handler of package uploads by the protocol tus.
type tusClient struct {
	handler http.Handler
	failure error // what the handler gave to OnError
}

// send makes a request, and returns the response. If it has a status of 400 or more, it also returns an error that wraps
// the failure.
func (c *tusClient) send(method, target, body string, header map[string]string) (*httptest.ResponseRecorder, error) {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Tus-Resumable", "1.0.0")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp := httptest.NewRecorder()

	c.failure = nil
	c.handler.ServeHTTP(resp, req)
	if resp.Code < 400 {
		return resp, nil
	}
	return resp, errors.Join(errors.New(resp.Result().Status+" "+resp.Body.String()), c.failure)
}

// tusUpload returns a Begin that uploads a file of three bytes by the protocol tus. Its first request begins the upload,
// and its finish sends the bytes.
func tusUpload(target uploads.Target, config uploads.Config) Begin {
	return func(_ *testing.T, b storage.Bucket) (finish func() error, err error) {
		client := &tusClient{}
		config.Authorize = func(*http.Request) (uploads.User, error) {
			return uploads.User{ID: "alice"}, nil
		}
		config.Begin = func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &target, nil
		}
		config.OnError = func(_ *http.Request, err error) {
			client.failure = err
		}
		config.Rules = rules.Any(0)
		client.handler, err = uploads.New(b, config)
		if err != nil {
			return nil, err
		}

		created, err := client.send("POST", "/tus/", "", map[string]string{"Upload-Length": "3"})
		if err != nil {
			return nil, client.failure
		}
		return func() error {
			_, err := client.send("PATCH", created.Header().Get("Location"), "abc", map[string]string{
				"Upload-Offset": "0",
				"Content-Type":  "application/offset+octet-stream",
			})
			return err
		}, nil
	}
}

// upload returns a Begin that creates a service of package uploads. Its finish stores a file with the service.
func upload(config uploads.Config) Begin {
	return func(t *testing.T, b storage.Bucket) (finish func() error, err error) {
		config.Rules.Types = []string{"text/plain"}
		service, err := uploads.New(b, config)
		if err != nil {
			return nil, err
		}
		return func() error {
			_, err := service.Store(t.Context(), uploads.Upload{
				Body: strings.NewReader("some text\n"),
				Name: "a.txt",
			})
			return err
		}, nil
	}
}

// signedUpload signs a URL. Its finish uploads a file to that URL, as a browser does, without the service.
func signedUpload(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	const text = "some text\n"
	service, err := uploads.New(b, uploads.Config{
		Unguarded: true,
		Rules:     rules.Rules{Types: []string{"text/plain"}},
	})
	if err != nil {
		return nil, err
	}
	ticket, err := service.Sign(t.Context(), uploads.Request{Name: "a.txt", Size: int64(len(text))}, uploads.User{})
	if err != nil {
		return nil, err
	}

	return func() error {
		req := httptest.NewRequest(ticket.Put.Method, ticket.Put.URL, strings.NewReader(text))
		req.Header = ticket.Put.Header
		resp := httptest.NewRecorder()
		serve.NewHandler(b).ServeHTTP(resp, req)
		if resp.Code >= 300 {
			return errors.New(resp.Body.String())
		}
		_, err := service.Finish(t.Context(), ticket.Token, uploads.User{})
		return err
	}, nil
}

// storeWithRecord creates a service that keeps a record of each file in the bucket. Its finish stores a file.
func storeWithRecord(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	service, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(b),
		Unguarded: true,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := service.Store(t.Context(), uploads.Upload{
			Body:   strings.NewReader("abc"),
			Name:   "a.txt",
			Target: &uploads.Target{ContentType: "text/plain"},
		})
		return err
	}, nil
}

// transfers uploads a directory to the bucket, copies objects to it, and downloads it.
func transfers(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o666))
	return func() error {
		_, uploadErr := transfer.Upload(t.Context(), b, dir)
		_, copyErr := transfer.Copy(t.Context(), memstore.New(), b)
		_, downloadErr := transfer.Download(t.Context(), b, t.TempDir())
		return errors.Join(uploadErr, copyErr, downloadErr)
	}, nil
}

// noFinish is the finish of a job that is complete when it has begun.
func noFinish() error { return nil }

// expire runs the job that removes old objects by a rule.
func expire(rule transfer.ExpireRule) Begin {
	return func(t *testing.T, b storage.Bucket) (finish func() error, err error) {
		_, err = transfer.Expire(t.Context(), b, []transfer.ExpireRule{rule})
		return noFinish, err
	}
}

// everyWithLease runs a periodic job with a lease in the bucket, and stops when the job is called for the first time.
func everyWithLease(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := func(context.Context) error {
		cancel()
		return nil
	}
	err = transfer.Every(ctx, time.Millisecond, job, transfer.WithLease(b, "lease"))
	if errors.Is(err, context.Canceled) {
		return noFinish, nil
	}
	return noFinish, err
}

// fileServer serves an object over HTTP, and reads it by a [storage.ReaderAt].
func fileServer(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	return func() error {
		if _, err := b.Upload(t.Context(), "a", bytes.NewReader([]byte("abc"))); err != nil {
			return err
		}

		resp := httptest.NewRecorder()
		serve.FileServer(b).ServeHTTP(resp, httptest.NewRequest("GET", "/a", nil))
		if resp.Code != http.StatusOK {
			return errors.New(resp.Result().Status)
		}

		r, err := storage.NewReaderAt(t.Context(), b, "a")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		return errors.Join(err, r.Close())
	}, nil
}

// putPieces uploads a file in two pieces. Its record is in another bucket. The first piece begins the upload, and finish
// sends the second one.
func putPieces(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	service, err := uploads.New(b, uploads.Config{
		Rules:     rules.Any(0),
		Records:   uploads.BucketRecords(memstore.New()),
		Unguarded: true,
	})
	if err != nil {
		return nil, err
	}
	putPiece := func(number int) error {
		_, err := service.PutPiece(t.Context(), uploads.Piece{
			Body:   strings.NewReader("abc"),
			Token:  "0123456789abcdef",
			Number: number,
			Count:  2,
			Name:   "a.txt",
			Target: &uploads.Target{ContentType: "text/plain"},
		})
		return err
	}

	err = putPiece(1)
	return func() error { return putPiece(2) }, err
}

// uploadAndRemove stores and removes the object "a". It returns a time at which the object existed.
func uploadAndRemove(t *testing.T, b storage.Bucket) (existed time.Time, err error) {
	attrs, err := b.Upload(t.Context(), "a", strings.NewReader("abc"))
	if err != nil {
		return time.Time{}, err
	}
	return attrs.Modified, b.Remove(t.Context(), "a")
}

// checkRestored returns the results of a Begin whose job has restored the object of
// uploadAndRemove. finish fails if the job has not restored exactly that object. err is the error
// of the job.
func checkRestored(
	t *testing.T, b storage.Bucket, report *transfer.Report, err error,
) (finish func() error, _ error) {
	return func() error {
		if report.Transferred != 1 {
			return fmt.Errorf("%+v", report)
		}
		_, err := b.Attrs(t.Context(), "a")
		return err
	}, err
}

// A versionsOnly is a store without soft delete. Undelete can then restore an object only from its
// versions.
type versionsOnly struct{ storage.Core }

func (v versionsOnly) Supports(f storage.Features) bool {
	return f&storage.SoftDelete == 0 && v.Core.Supports(f)
}

// undelete restores the removed object from its last version.
func undelete(t *testing.T, b storage.Bucket) (func() error, error) {
	b, err := storage.Wrap(b, func(c storage.Core) storage.Core { return versionsOnly{c} })
	if err != nil {
		return nil, err
	}
	if _, err := uploadAndRemove(t, b); err != nil {
		return nil, err
	}
	report, err := transfer.Undelete(t.Context(), b)
	return checkRestored(t, b, report, err)
}

// restoreAt restores the bucket as it was before the object was removed.
func restoreAt(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	existed, err := uploadAndRemove(t, b)
	if err != nil {
		return nil, err
	}
	report, err := transfer.RestoreAt(t.Context(), b, existed)
	return checkRestored(t, b, report, err)
}

// syncJob synchronizes the bucket with an empty one, and then removes all objects.
func syncJob(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	return func() error {
		_, uploadErr := b.Upload(t.Context(), "a", strings.NewReader("abc"))
		_, syncErr := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Bucket(b),
			transfer.WithDelete())
		_, removeErr := storage.RemoveMatching(t.Context(), b, nil)
		return errors.Join(uploadErr, syncErr, removeErr)
	}, nil
}

// readThroughCache reads an object twice through a cache on disk. The layer withoutFeature removes one feature from the
// store.
func readThroughCache(t *testing.T, withoutFeature driver.Layer) (finish func() error, err error) {
	cache, err := diskcache.Open(t.TempDir(), diskcache.Config{})
	if err != nil {
		return nil, err
	}
	b := engine.New(
		memstore.NewDriver(memstore.Config{}),
		driver.WithLayer(withoutFeature),
		driver.WithLayer(cache.Layer()),
	)
	read := func() error {
		r, err := storage.NewReaderAt(t.Context(), b, "a")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		return errors.Join(err, r.Close())
	}

	return func() error {
		_, uploadErr := b.Upload(t.Context(), "a", strings.NewReader("abc"))
		return errors.Join(uploadErr, read(), read(), cache.Close())
	}, nil
}

// A layer needs only the features that it asks for.
func TestLayersAskForTheirFeatures(t *testing.T) {
	CheckDriver(t, "diskcache.Cache.Layer", readThroughCache)
}

// Handlers and jobs fail with Unsupported before they read or write a byte, if the bucket lacks a feature that they
// need. Each name is that of a row in needs.txt.
func TestHandlersAndJobsAskForTheirFeaturesBeforeAnyByte(t *testing.T) {
	withStates := uploads.Config{States: uploads.BucketStates(memstore.New()), Unguarded: true}

	// The other targets differ from this one in one field, which needs a feature.
	plain := uploads.Target{Key: "a", Overwrite: true}
	withTags := plain
	withTags.Tags = map[string]string{"a": "b"}
	withMetadata := plain
	withMetadata.Metadata = map[string]string{"a": "b"}
	withContentType := plain
	withContentType.ContentType = "text/plain"
	withoutOverwrite := uploads.Target{Key: "a"}

	// A Begin starts one handler or job on a bucket. It returns a function that completes the work.
	tests := []struct {
		name  string
		begin Begin
	}{
		{name: "uploads.New with Begin", begin: tusUpload(plain, uploads.Config{})},
		{name: "uploads.New with Begin, States and Unguarded", begin: tusUpload(plain, withStates)},
		{name: "uploads.Target without Overwrite", begin: tusUpload(withoutOverwrite, withStates)},
		{name: "uploads.Target with Tags", begin: tusUpload(withTags, withStates)},
		{name: "uploads.Target with Metadata", begin: tusUpload(withMetadata, withStates)},
		{name: "uploads.Target with ContentType", begin: tusUpload(withContentType, withStates)},
		{name: "uploads.New", begin: upload(uploads.Config{})},
		{name: "uploads.New with Unguarded", begin: upload(uploads.Config{Unguarded: true})},
		{
			name:  "uploads.New with SignedLink",
			begin: upload(uploads.Config{Unguarded: true, Link: uploads.SignedLink}),
		},
		{name: "uploads.New with PublicRead", begin: upload(uploads.Config{Unguarded: true, PublicRead: true})},
		{
			name:  "uploads.New with Tags",
			begin: upload(uploads.Config{Unguarded: true, Tags: map[string]string{"a": "b"}}),
		},
		{name: "uploads.Service.Sign", begin: signedUpload},
		{name: "uploads.New with BucketRecords", begin: storeWithRecord},
		{name: "uploads.Service.PutPiece with records", begin: putPieces},
		{name: "transfer.Upload, Copy and Download", begin: transfers},
		{name: "transfer.Sync", begin: syncJob},
		{name: "transfer.Undelete", begin: undelete},
		{name: "transfer.RestoreAt", begin: restoreAt},
		{
			name:  "transfer.Expire with Tags",
			begin: expire(transfer.ExpireRule{Age: time.Hour, Tags: map[string]string{"a": "b"}}),
		},
		{name: "transfer.Expire with UploadsAge", begin: expire(transfer.ExpireRule{UploadsAge: time.Hour})},
		{name: "transfer.Every with WithLease", begin: everyWithLease},
		{name: "serve.FileServer", begin: fileServer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Check calls begin on stores that lack one feature each. begin must fail for exactly
			// those features that the row lists.
			Check(t, tt.name, tt.begin)
		})
	}
}
