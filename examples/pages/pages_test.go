package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	_ "github.com/omnibucket/storage/providers/s3" // s3://
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

// put stores an object, and returns its revision.
func put(t *testing.T, bucket storage.Uploader, key, text string) (revision string) {
	t.Helper()
	attrs, err := bucket.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
	return attrs.Revision
}

// If several workers claim a job at the same time, exactly one succeeds.
func TestClaimByOneWorker(t *testing.T) {
	const workers = 8
	bucket := memstore.New()
	claims := make(chan bool)
	for i := range workers {
		go func() {
			claimed, err := claim(t.Context(), bucket, "7", fmt.Sprint("worker ", i))
			claims <- claimed && err == nil
		}()
	}

	winners := 0
	for range workers {
		if <-claims {
			winners++
		}
	}

	require.Equal(t, 1, winners)
}

// Three callers can take 30 pieces each from a stock of 100, at the same time. Further callers are refused.
func TestTakeOnlyOnce(t *testing.T) {
	const (
		callers      = 5
		wantRefusals = 2
	)
	bucket := memstore.New()
	errs := make(chan error)
	for range callers {
		go func() {
			errs <- take(t.Context(), bucket, 30)
		}()
	}

	refusals := 0
	for range callers {
		err := <-errs
		if err != nil {
			require.EqualError(t, err, "only 10 are left")
			refusals++
		}
	}
	require.Equal(t, wantRefusals, refusals)
}

// save replaces a draft only if it still has the given revision.
func TestSaveOverItsRevision(t *testing.T) {
	bucket := memstore.New()
	firstRevision := put(t, bucket, "drafts/7.md", "one")

	secondRevision, err := save(t.Context(), bucket, "two", firstRevision)
	require.NoError(t, err)
	require.NotEqual(t, firstRevision, secondRevision)

	_, err = save(t.Context(), bucket, "three", firstRevision)
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// savePage creates a page if the given revision is empty. Otherwise, it replaces the page only if it has that revision.
func TestSavePageOfARevision(t *testing.T) {
	bucket := memstore.New()
	require.NoError(t, savePage(t.Context(), bucket, "page", "one", ""))

	// The page exists.
	require.ErrorIs(t, savePage(t.Context(), bucket, "page", "two", ""), storage.PreconditionFailed)

	// With the current revision, the page is replaced. Then it has another one.
	attrs, err := bucket.Attrs(t.Context(), "page")
	require.NoError(t, err)
	require.NoError(t, savePage(t.Context(), bucket, "page", "two", attrs.Revision))
	require.ErrorIs(t, savePage(t.Context(), bucket, "page", "three", attrs.Revision), storage.PreconditionFailed)
}

// IfAbsent and IfRevision are options of uploads and of copies.
func TestConditionsOfCopies(t *testing.T) {
	bucket := memstore.New()
	oldRevision := put(t, bucket, "page", "one")
	put(t, bucket, "page", "two")

	type option interface {
		storage.UploadOption
		storage.CopyOption
	}
	for _, condition := range []option{storage.IfAbsent(), storage.IfRevision(oldRevision)} {
		_, err := storage.Copy(t.Context(), bucket, "page", bucket, "page", condition)
		require.ErrorIs(t, err, storage.PreconditionFailed)
	}
}

// refresh reads the settings only if they have changed since the given revision.
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

// openForJobs opens a bucket whose store supports conditions, which jobs need, and refuses any other bucket.
func TestOpenForJobsNeedsConditions(t *testing.T) {
	bucket, err := openForJobs(t.Context(), "mem://jobs")
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))

	// Without a profile of its server, a bucket of S3 supports no conditions.
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, err = openForJobs(t.Context(), "s3://jobs?region=us-east-1&endpoint=http://127.0.0.1:1")
	require.ErrorIs(t, err, storage.Unsupported)
}

// openServedDirectory opens a bucket that is a directory, and serves its signed URLs until the test ends.
func openServedDirectory(t *testing.T) storage.Bucket {
	t.Helper()
	// The server's URL is part of the signed URLs, so the server begins before its handler exists.
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	bucket, files, err := openWithURLs(filepath.Join(t.TempDir(), "files"), server.URL)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(bucket))
	})
	mux.Handle("/", files)
	return bucket
}

// A signed URL of allowUpload accepts one upload of the given size.
func TestSignedRequestsOfADirectory(t *testing.T) {
	bucket := openServedDirectory(t)
	signedURL, err := allowUpload(t.Context(), bucket, "cat.png", 3)
	require.NoError(t, err)

	uploads := []struct {
		name   string
		body   string
		status int
	}{
		{name: "too large", body: "four", status: http.StatusRequestEntityTooLarge},
		{name: "of the size", body: "PNG", status: http.StatusOK},
		{name: "again", body: "PNG", status: http.StatusPreconditionFailed},
	}
	for _, upload := range uploads {
		status, err := send(t.Context(), signedURL, int64(len(upload.body)), strings.NewReader(upload.body))
		require.NoError(t, err)
		require.Equal(t, upload.status, status, upload.name)
	}
}

// The signed URL of linkReport names the file that a browser saves.
func TestLinkOfAReport(t *testing.T) {
	bucket := openServedDirectory(t)
	put(t, bucket, "reports/2026-11.pdf", "%PDF")

	address, err := linkReport(t.Context(), bucket)
	require.NoError(t, err)
	response, err := http.Get(address)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "%PDF", string(text))
	require.Contains(t, response.Header.Get("Content-Disposition"), "Report November.pdf")
}

// A browser may cache the picture of a signed URL of linkPicture for a day.
func TestLinkOfAPicture(t *testing.T) {
	bucket := openServedDirectory(t)
	put(t, bucket, "avatars/42.png", "picture")

	address, err := linkPicture(t.Context(), bucket, "avatars/42.png")
	require.NoError(t, err)
	response, err := http.Get(address)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "private, max-age=86400", response.Header.Get("Cache-Control"))
}

// publish uploads index.html, leaves out draft.tmp, and removes the page that the directory does not have.
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

// backUp copies the photos to another bucket.
func TestBackUp(t *testing.T) {
	photos := memstore.New()
	backup := memstore.New()
	put(t, photos, "cat.jpg", "meow")
	require.NoError(t, backUp(t.Context(), backup, photos))
	exists, err := backup.Exists(t.Context(), "cat.jpg")
	require.NoError(t, err)
	require.True(t, exists)
}

// If the manifest of the inventory is missing, cleanUpListed fails.
func TestCleanUpListedNeedsAManifest(t *testing.T) {
	_, err := cleanUpListed(t.Context(), memstore.New(), memstore.New(), "inventory/manifest.json")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// cleanUp runs at its start, and then at intervals.
func TestCleanUpRunsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var runs []transfer.Run
	recordAndStop := func(run transfer.Run) {
		runs = append(runs, run)
		cancel()
	}
	err := cleanUp(ctx, memstore.New(), transfer.WithRuns(recordAndStop), transfer.WithJitter(time.Millisecond))
	require.ErrorIs(t, err, storage.Canceled)
	require.Len(t, runs, 1)
	require.NoError(t, runs[0].Err)
}

// undo makes all objects as they were at a time: it brings back old versions, and removes new objects.
func TestUndo(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	bucket := engine.New(memstore.NewDriver(memstore.Config{Versioned: true, Now: func() time.Time { return now }}))
	put(t, bucket, "a", "good")
	lastGoodTime := now.Add(time.Minute)
	now = now.Add(time.Hour)
	put(t, bucket, "a", "bad")
	put(t, bucket, "b", "bad")

	_, err := undo(t.Context(), bucket, lastGoodTime)
	require.NoError(t, err)

	text, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "good", string(text))

	exists, err := bucket.Exists(t.Context(), "b")
	require.NoError(t, err)
	require.False(t, exists)
}

// If several processes call migrate at the same time, one runs the migration, and the others wait.
func TestMigrateOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes = 3
		bucket := memstore.New()
		running := 0
		done := make(chan error)

		for range processes {
			go func() {
				done <- migrate(t.Context(), bucket, func(context.Context) error {
					running++
					defer func() {
						running--
					}()
					if running > 1 {
						return errors.New("another migration is running")
					}
					time.Sleep(10 * time.Minute)
					return nil
				})
			}()
		}

		for range processes {
			require.NoError(t, <-done)
		}
	})
}

// When the leading process ends, another process leads.
func TestLeadByAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		firstCtx, endFirst := context.WithCancel(t.Context())
		secondCtx, endSecond := context.WithCancel(t.Context())
		leaders := make(chan string)
		done := make(chan error)
		// runProcess leads as soon as no other process does, until ctx ends.
		runProcess := func(ctx context.Context, name string) {
			done <- lead(ctx, bucket, func(ctx context.Context) error {
				leaders <- name
				<-ctx.Done()
				return nil
			})
		}

		go runProcess(firstCtx, "first")
		require.Equal(t, "first", <-leaders)

		go runProcess(secondCtx, "second")
		endFirst()
		require.Equal(t, "second", <-leaders)

		endSecond()
		require.ErrorIs(t, <-done, context.Canceled)
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

// A process that has lost its lease cannot overwrite the report of the process that holds the lease now.
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
	require.Equal(t, "2 new", string(text), "the number of the lease, and the report")
	require.NoError(t, holder.Release())
}

// openReports opens a bucket that is read-only and cached in a directory.
func TestLayers(t *testing.T) {
	bucket, cache, err := openReports(t.Context(), "mem://reports", t.TempDir())
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("a"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.NoError(t, storage.Close(bucket))
	require.NoError(t, cache.Close())
}

// While a bucket is moved, openBoth shows the objects of the old and the new one. move copies the rest.
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

// A mirror writes to two stores, so that its objects can be read while one of the stores is down.
func TestMirrorIsReadWhileAStoreIsDown(t *testing.T) {
	// The first store is an S3 server, which can be stopped, and the second one is a directory.
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"reports"}})
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	bucket, secondStore, err := openMirror(t.Context(), server.Address("reports"), "file://"+t.TempDir())
	require.NoError(t, err)
	put(t, bucket, "report", "text")

	// Both stores have the report.
	data, mayBeOld, err := readReport(t.Context(), bucket, "report")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.False(t, mayBeOld)

	remaining, err := repair(t.Context(), bucket)
	require.NoError(t, err)
	require.Zero(t, remaining)

	data, _, err = storage.ReadAll(t.Context(), secondStore, "report")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))

	// While the first store is down, the second one has the report.
	server.Close()
	data, mayBeOld, err = readReport(t.Context(), bucket, "report")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.True(t, mayBeOld)

	require.NoError(t, storage.Close(bucket))
	require.NoError(t, storage.Close(secondStore))
}

// Objects of the bucket that keepForOneDay returns may be cached for a day, unless an upload says otherwise.
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

// The hook of audit writes each removal and move into a journal, also a refused one, and no upload. The option slow
// logs only requests that take long, so that it logs none of these.
func TestChangingABucket(t *testing.T) {
	var journal, log strings.Builder
	bucket := memstore.New(
		slow(slog.New(slog.NewTextHandler(&log, nil))),
		storage.WithHook(audit(&journal)),
		storage.WithSigningBaseURL("http://127.0.0.1/x"))
	for _, key := range []string{"a", "b", "c", "d"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
	}

	// Remove one object, then two of them, and move the last one.
	require.NoError(t, bucket.Remove(t.Context(), "a"))
	_, err := storage.RemoveAll(t.Context(), bucket, slices.Values([]string{"b", "c"}))
	require.NoError(t, err)
	_, err = storage.Move(t.Context(), bucket, "d", "moved")
	require.NoError(t, err)

	// A client with this URL could remove the object.
	_, err = storage.SignedRemoveURL(t.Context(), bucket, "moved")
	require.NoError(t, err)

	// This key is refused.
	err = storage.Prefixed(bucket, "tenant/").Remove(t.Context(), "../moved")
	require.ErrorIs(t, err, storage.InvalidArgument)

	require.Equal(t, `Remove a []
RemoveAll  [b c]
Move moved [d]
SignedRemoveURL moved []
Remove tenant/../moved []
`, journal.String())
	require.Empty(t, log.String())
}

// The hook frozen refuses each change.
func TestFrozenBucket(t *testing.T) {
	b := memstore.New(storage.WithHook(frozen))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// If the journal cannot be written, because the disk is full, audit refuses the removal.
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
