package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

func put(t *testing.T, bucket storage.Uploader, key, text string) string {
	t.Helper()
	attrs, err := bucket.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
	return attrs.Revision
}

// One worker claims a job.
func TestClaimByOneWorker(t *testing.T) {
	bucket := memstore.New()
	claims := make(chan bool)
	for i := range 8 {
		go func() {
			claimed, err := claim(t.Context(), bucket, "7", fmt.Sprint("worker ", i))
			claims <- claimed && err == nil
		}()
	}

	winners := 0
	for range 8 {
		if <-claims {
			winners++
		}
	}

	require.Equal(t, 1, winners)
}

// Nobody takes what another has taken.
func TestTakeOnlyOnce(t *testing.T) {
	bucket := memstore.New()
	errs := make(chan error)
	for range 5 {
		go func() {
			errs <- take(t.Context(), bucket, 30)
		}()
	}
	refusals := 0
	for range 5 {
		if err := <-errs; err != nil {
			require.EqualError(t, err, "only 10 are left")
			refusals++
		}
	}
	require.Equal(t, 2, refusals)
}

// A draft is saved over its own revision only.
func TestSaveOverItsRevision(t *testing.T) {
	bucket := memstore.New()
	first := put(t, bucket, "drafts/7.md", "one")
	second, err := save(t.Context(), bucket, "two", first)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	_, err = save(t.Context(), bucket, "three", first)
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// A page is published once by each revision.
func TestSavePageOfARevision(t *testing.T) {
	bucket := memstore.New()
	require.NoError(t, savePage(t.Context(), bucket, "page", "one", ""))

	require.ErrorIs(t, savePage(t.Context(), bucket, "page", "two", ""), storage.PreconditionFailed)
	attrs, err := bucket.Attrs(t.Context(), "page")
	require.NoError(t, err)
	require.NoError(t, savePage(t.Context(), bucket, "page", "two", attrs.Revision))
	require.ErrorIs(t, savePage(t.Context(), bucket, "page", "three", attrs.Revision), storage.PreconditionFailed)

	var both interface {
		storage.UploadOption
		storage.CopyOption
	} = storage.IfAbsent()
	_, err = storage.Copy(t.Context(), bucket, "page", bucket, "page", both)
	require.ErrorIs(t, err, storage.PreconditionFailed)

	both = storage.IfRevision(attrs.Revision)
	_, err = storage.Copy(t.Context(), bucket, "page", bucket, "page", both)
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// Settings are read if they have changed.
func TestRefreshReadsChanges(t *testing.T) {
	bucket := memstore.New()
	revision := put(t, bucket, "settings.json", "{}")

	_, modified, err := refresh(t.Context(), bucket, revision)
	require.NoError(t, err)
	require.False(t, modified)

	put(t, bucket, "settings.json", `{"dark":true}`)
	text, modified, err := refresh(t.Context(), bucket, revision)
	require.NoError(t, err)
	require.True(t, modified)
	require.Equal(t, `{"dark":true}`, string(text))
}

// A store without conditions is refused.
func TestOpenForJobsNeedsConditions(t *testing.T) {
	bucket, err := openForJobs(t.Context(), "mem://jobs")
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))
}

func TestSignedRequestsOfADirectory(t *testing.T) {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	bucket, files, err := openWithURLs(filepath.Join(t.TempDir(), "files"), server.URL)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	handler = files

	signedURL, err := allowUpload(t.Context(), bucket, "cat.png", 3)
	require.NoError(t, err)
	tests := []struct {
		body   string
		status int
	}{
		{"four", http.StatusRequestEntityTooLarge},
		{"PNG", http.StatusOK},
		{"PNG", http.StatusPreconditionFailed},
	}
	for _, tt := range tests {
		status, err := send(t.Context(), signedURL, int64(len(tt.body)), strings.NewReader(tt.body))
		require.NoError(t, err)
		require.Equal(t, tt.status, status, tt.body)
	}

	put(t, bucket, "reports/2026-11.pdf", "%PDF")
	address, err := linkReport(t.Context(), bucket)
	require.NoError(t, err)
	response, err := http.Get(address)
	require.NoError(t, err)
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	require.NoError(t, err)

	require.NoError(t, response.Body.Close())
	require.Equal(t, "%PDF", text.String())
	require.Contains(t, response.Header.Get("Content-Disposition"), "Report November.pdf")

	put(t, bucket, "avatars/42.png", "picture")
	address, err = linkPicture(t.Context(), bucket, "avatars/42.png")
	require.NoError(t, err)
	response, err = http.Get(address)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "private, max-age=86400", response.Header.Get("Cache-Control"))
}

func TestPublish(t *testing.T) {
	bucket := memstore.New()
	dir := t.TempDir()
	put(t, bucket, "site/old.html", "old")
	for _, name := range []string{"index.html", "draft.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}

	report, err := publish(t.Context(), bucket, dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Transferred)
	require.EqualValues(t, 1, report.Deleted)
}

func TestBackUp(t *testing.T) {
	photos := memstore.New()
	backup := memstore.New()
	put(t, photos, "cat.jpg", "meow")
	require.NoError(t, backUp(t.Context(), backup, photos))
	exists, err := backup.Exists(t.Context(), "cat.jpg")
	require.NoError(t, err)
	require.True(t, exists)
}

// An inventory has a manifest.
func TestCleanUpListedNeedsAManifest(t *testing.T) {
	_, err := cleanUpListed(t.Context(), memstore.New(), memstore.New(), "inventory/manifest.json")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

func TestCleanUpRunsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var runs []transfer.Run
	record := func(run transfer.Run) {
		runs = append(runs, run)
		cancel() // a test ends
	}
	err := cleanUp(ctx, memstore.New(), transfer.WithRuns(record), transfer.WithJitter(time.Millisecond))
	require.ErrorIs(t, err, storage.Canceled)
	require.Len(t, runs, 1)
	require.NoError(t, runs[0].Err)
}

func TestUndo(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	bucket := engine.New(memstore.NewDriver(memstore.Config{Versioned: true, Now: func() time.Time { return now }}))
	put(t, bucket, "a", "good")
	when := now.Add(time.Minute)
	now = now.Add(time.Hour)
	put(t, bucket, "a", "bad")
	put(t, bucket, "b", "bad")
	_, err := undo(t.Context(), bucket, when)
	require.NoError(t, err)

	text, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "good", string(text))

	exists, err := bucket.Exists(t.Context(), "b")
	require.NoError(t, err)
	require.False(t, exists)
}

func TestMigrateOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		running := 0
		done := make(chan error)

		for range 3 {
			go func() {
				done <- migrate(t.Context(), bucket, func(context.Context) error {
					running++
					defer func() {
						running--
					}()
					require.Equal(t, 1, running)
					time.Sleep(10 * time.Minute)
					return nil
				})
			}()
		}

		for range 3 {
			require.NoError(t, <-done)
		}
	})
}

// Another process leads.
func TestLeadByAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		first, end := context.WithCancel(t.Context())
		second, endAll := context.WithCancel(t.Context())
		leaders := make(chan string)
		done := make(chan error)
		begin := func(ctx context.Context, name string) {
			done <- lead(ctx, bucket, func(ctx context.Context) error {
				leaders <- name
				<-ctx.Done()
				return nil
			})
		}

		go begin(first, "first")
		require.Equal(t, "first", <-leaders)
		go begin(second, "second")
		end()
		require.Equal(t, "second", <-leaders)

		endAll()
		require.ErrorIs(t, <-done, context.Canceled)
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

// A report of a former holder is refused.
func TestStoreRefusesAFormerHolder(t *testing.T) {
	bucket := memstore.New()
	former, err := lease.Acquire(t.Context(), bucket, "leader")
	require.NoError(t, err)
	require.NoError(t, former.Release())
	holder, err := lease.Acquire(t.Context(), bucket, "leader")
	require.NoError(t, err)
	require.NoError(t, store(holder.Context(), bucket, "new"))

	require.ErrorContains(t, store(context.WithoutCancel(former.Context()), bucket, "old"), "changed")
	text, _, err := storage.ReadAll(t.Context(), bucket, "report")
	require.NoError(t, err)
	require.Equal(t, "2 new", string(text))
	require.NoError(t, holder.Release())
}

func TestLayers(t *testing.T) {
	bucket, cache, err := openReports(t.Context(), "mem://reports", t.TempDir())
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("a"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.NoError(t, storage.Close(bucket))
	require.NoError(t, cache.Close())
}

func TestMoving(t *testing.T) {
	old, err := storage.Open(t.Context(), "mem://old")
	require.NoError(t, err)
	_, err = old.Upload(t.Context(), "a", strings.NewReader("old"))
	require.NoError(t, err)
	bucket, err := openBoth(t.Context(), "mem://old", "mem://new", overlay.Config{})
	require.NoError(t, err)

	text, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))

	remaining, err := move(t.Context(), bucket)
	require.NoError(t, err)
	require.Zero(t, remaining)
}

// A bucket is read while a store is down.
func TestMirrorIsReadWhileAStoreIsDown(t *testing.T) {
	first := "file://" + t.TempDir()
	second := "file://" + t.TempDir()
	bucket, other, err := openMirror(t.Context(), first, second)
	require.NoError(t, err)
	put(t, bucket, "report", "text")

	data, old, err := readReport(t.Context(), bucket, "report")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.False(t, old)

	remaining, err := repair(t.Context(), bucket)
	require.NoError(t, err)
	require.Zero(t, remaining)

	data, _, err = storage.ReadAll(t.Context(), other, "report")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))

	require.NoError(t, storage.Close(bucket))
	require.NoError(t, storage.Close(other))
}

func TestKeepForOneDay(t *testing.T) {
	b, err := keepForOneDay(memstore.New())
	require.NoError(t, err)
	put(t, b, "a", "text")

	attrs, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "max-age=86400", attrs.CacheControl)

	attrs, err = b.Upload(t.Context(), "b", strings.NewReader("text"), storage.WithCacheControl("no-store"))
	require.NoError(t, err)
	require.Equal(t, "no-store", attrs.CacheControl)
}

func TestChangingABucket(t *testing.T) {
	var journal, log strings.Builder
	logged := slow(slog.New(slog.NewTextHandler(&log, nil)))
	bucket := memstore.New(logged, storage.WithHook(audit(&journal)), storage.WithSigningBaseURL("http://127.0.0.1/x"))
	for _, key := range []string{"a", "b", "c", "d"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
	}
	require.NoError(t, bucket.Remove(t.Context(), "a"))
	_, err := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"b", "c"}))
	require.NoError(t, err)
	_, err = storage.Move(t.Context(), bucket, "d", "e")
	require.NoError(t, err)
	_, err = storage.SignedRemoveURL(t.Context(), bucket, "e")
	require.NoError(t, err)

	require.ErrorIs(t, storage.Prefixed(bucket, "tenant/").Remove(t.Context(), "../e"), storage.InvalidArgument)
	require.Equal(t, "Remove a []\nRemoveAll  [b c]\nMove e [d]\nSignedRemoveURL e []\nRemove tenant/../e []\n",
		journal.String())
	require.Empty(t, log.String())

	b := memstore.New(storage.WithHook(frozen))
	_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// A full disk below the journal keeps the objects.
func TestAuditFails(t *testing.T) {
	full := errors.New("no space left on device")
	b := memstore.New(storage.WithHook(audit(failingWriter{full})))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)

	_, err = storage.RemoveAll(t.Context(), b, slices.Values([]string{"a"}))
	require.ErrorIs(t, err, full)
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, exists)
}
