package storedforms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
)

// An object is what a store has under a key.
type object struct {
	Key         string
	Body        string
	ContentType string            `json:",omitempty"`
	Metadata    map[string]string `json:",omitempty"`
}

// stored has the objects of each store by the name of the store. The store "files" has files instead of objects.
type stored map[string][]object

// written are the stored forms, with a function that writes one. This file uses only names of the API that have been
// there since the first version. So a copy of it can write the golden files of any version.
var written = map[string]func(t *testing.T) stored{
	"commit-log": func(t *testing.T) stored {
		d := newStore("store")
		log, err := commit.New(engine.New(d), "log/")
		require.NoError(t, err)
		for range 7 {
			_, err := log.Append(t.Context(),
				func(last int64) ([]byte, error) { return fmt.Append(nil, last+1), nil })
			require.NoError(t, err)
		}
		require.NoError(t, log.Trim(t.Context(), 3))
		require.NoError(t, log.Trim(t.Context(), 6))
		return stored{"store": dump(t, d)}
	},
	"lease": func(t *testing.T) stored {
		d := newStore("store")
		l, err := lease.Acquire(t.Context(), engine.New(d), "lease")
		require.NoError(t, err)
		objects := dump(t, d)
		require.NoError(t, l.Release())
		return stored{"store": objects}
	},
	"overlay-marker-copying": func(t *testing.T) stored {
		failing := faults.New()
		wrapped := newStore("new")
		old := newStore("old")
		b := overlaid(t, failing.Layer()(wrapped), old, overlay.Config{CopyOnRead: true})
		put(t, old, "k", "text")
		failing.Set(faults.Fail(faults.Put).Nth(2).WithError(storage.PermissionDenied),
			faults.Fail(faults.Delete))
		_, _, _ = storage.ReadAll(t.Context(), b, "k")
		return stored{"new": dump(t, wrapped), "old": dump(t, old)}
	},
	"overlay-marker-removed": func(t *testing.T) stored {
		failing := faults.New()
		wrapped := newStore("new")
		old := newStore("old")
		b := overlaid(t, wrapped, failing.Layer()(old), overlay.Config{})
		put(t, old, "k", "text")
		failing.Set(faults.Fail(faults.Delete))

		require.Error(t, b.Remove(t.Context(), "k"))
		return stored{"new": dump(t, wrapped), "old": dump(t, old)}
	},
	"overlay-tombstone": func(t *testing.T) stored {
		wrapped := newStore("new")
		old := newStore("old")
		b := overlaid(t, wrapped, old, overlay.Config{KeepOld: true})
		put(t, old, "k", "text")
		require.NoError(t, b.Remove(t.Context(), "k"))
		return stored{"new": dump(t, wrapped), "old": dump(t, old)}
	},
	"mirror-note": func(t *testing.T) stored {
		failing := faults.New()
		primary := newStore("primary")
		second := newStore("second")
		b := mirrored(t, primary, failing.Layer()(second))
		failing.Set(faults.Fail(faults.Any))
		_, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
		require.NoError(t, err)
		return stored{"primary": dump(t, primary), "second": dump(t, second)}
	},
	"mirror-mark": func(t *testing.T) stored {
		primary := newStore("primary")
		second := newStore("second")
		_, err := mirror.RepairAll(t.Context(), mirrored(t, primary, second))
		require.NoError(t, err)
		return stored{"primary": dump(t, primary), "second": dump(t, second)}
	},
	"job-journal": func(t *testing.T) stored {
		src := newStore("src")
		dst := newStore("dst")
		state := newStore("state")
		put(t, src, "a", "a")
		put(t, src, "b", "b")
		failing := faults.New(faults.Fail(faults.Put).Nth(2).WithError(storage.PermissionDenied))

		_, err := transfer.Copy(t.Context(), engine.New(failing.Layer()(dst)), engine.New(src),
			transfer.WithJournal(engine.New(state), "journal"), transfer.WithConcurrency(1))
		require.Error(t, err)
		return stored{"state": dump(t, state)}
	},
	"upload-records": func(t *testing.T) stored {
		d := newStore("store")
		records := uploads.BucketRecords(engine.New(d))
		when := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		require.NoError(t, records.Create(t.Context(), &uploads.File{
			ID:          uploads.NewID(when),
			Key:         "files/k",
			Name:        "report.pdf",
			Size:        7,
			ContentType: "application/pdf",
			User:        uploads.User{ID: "user"},
			Purpose:     "reports",
			Expires:     when.Add(time.Hour),
			CRC32C:      storage.CRC32C{Sum: 9, Known: true},
		}))
		return stored{"store": dump(t, d)}
	},
	"resumed-upload": func(t *testing.T) stored {
		path := filepath.Join(t.TempDir(), "journal")
		b := engine.New(&namedUploads{
			Driver: newStore("store"),
			fails:  true,
		}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		_, err := b.Upload(t.Context(), "k", strings.NewReader(resumedBody), resumedOptions(path)...)
		require.Error(t, err)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return stored{"files": {{Key: "journal", Body: string(text)}}}
	},
}

var resumedBody = strings.Repeat("x", 40<<20)

// resumedOptions are those of the resumed upload. They set everything that its fingerprint has.
func resumedOptions(path string) []storage.UploadOption {
	return []storage.UploadOption{
		storage.WithResume(path), storage.WithPartSize(5 << 20), storage.WithConcurrency(1),
		storage.WithContentType("text/plain"), storage.WithMetadata(map[string]string{"a": "b"}),
		storage.WithTags(map[string]string{"c": "d"}), storage.IfAbsent(),
	}
}

// namedUploads is a store whose uploads have predictable names. So the journal of another process can name them.
type namedUploads struct {
	driver.Driver
	fails bool  // the second part fails
	begun int   // uploads that were begun
	sent  []int // numbers of the parts that were sent
	parts []driver.Part
}

func (d *namedUploads) BeginParts(context.Context, *driver.PutRequest) (string, error) {
	d.begun++
	return "upload-1", nil
}

// PutPart records the number of the part. If d.fails is true, it accepts only the first part.
func (d *namedUploads) PutPart(_ context.Context, r *driver.PartRequest) (driver.Part, error) {
	if d.fails && r.Number > 1 {
		return driver.Part{}, storage.Unavailable
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return driver.Part{}, err
	}
	d.sent = append(d.sent, r.Number)
	return driver.Part{
		Number: r.Number,
		Tag:    fmt.Sprint("tag-", r.Number),
		Size:   r.Size,
		CRC32C: r.CRC32C,
	}, nil
}

// CompleteParts completes only the upload "upload-1". It records the parts, and stores no object.
func (d *namedUploads) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if r.Upload != "upload-1" {
		return nil, errors.New("another upload")
	}
	d.parts = r.Parts
	if r.Last != nil {
		part, err := d.PutPart(ctx, r.Last)
		if err != nil {
			return nil, err
		}
		d.parts = append(d.parts, part)
	}
	return &storage.Attrs{Key: r.Put.Key, Revision: "1", Size: int64(len(resumedBody))}, nil
}

func (d *namedUploads) AbortParts(context.Context, string, string) error { return nil }

// newStore returns an empty store with a name, by which records recognize their store in each process.
func newStore(name string) driver.Driver {
	return &placedStore{memstore.NewDriver(memstore.Config{Bucket: name})}
}

type placedStore struct{ driver.Driver }

func (d *placedStore) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Location = "here"
	return desc
}

func overlaid(t *testing.T, wrapped, old driver.Driver, c overlay.Config) storage.Bucket {
	layer, err := overlay.New(engine.New(old), c)
	require.NoError(t, err)
	return engine.New(wrapped, storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(layer))
}

// mirrored returns a bucket with a mirror in a second store.
func mirrored(t *testing.T, primary, second driver.Driver) storage.Bucket {
	layer, err := mirror.New(engine.New(second, storage.WithRetry(storage.RetryPolicy{Attempts: 1})),
		mirror.Config{})
	require.NoError(t, err)
	return engine.New(primary, driver.WithLayer(layer))
}

func put(t *testing.T, d driver.Driver, key, text string) {
	_, err := engine.New(d).Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
}

// dump returns the objects of a store.
func dump(t *testing.T, d driver.Driver) (objects []object) {
	page, err := d.List(t.Context(), &driver.ListRequest{Limit: 1000})
	require.NoError(t, err)
	for _, e := range page.Entries {
		attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: e.Key, Length: -1})
		require.NoError(t, err)
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		objects = append(objects, object{e.Key, string(text), attrs.ContentType, attrs.Metadata})
	}
	return objects
}

// allWritten returns all stored forms of the files generate_….
func allWritten() map[string]func(t *testing.T) stored {
	all := maps.Clone(written)
	maps.Copy(all, writtenFiles)
	maps.Copy(all, writtenUploads)
	return all
}

// OMNIBUCKET_STORED_FORMS may name a folder. The test then writes the stored forms of this version into it.
func TestStoredFormsAreWritten(t *testing.T) {
	folder := os.Getenv("OMNIBUCKET_STORED_FORMS")
	if folder == "" {
		t.Skip("OMNIBUCKET_STORED_FORMS is not set")
	}
	for name, write := range allWritten() {
		// In the bubble, the clock is the same for every version that writes.
		synctest.Test(t, func(t *testing.T) {
			text, err := json.MarshalIndent(write(t), "", "\t")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o600))
		})
	}
}
