package storedforms_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
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
	"github.com/omnibucket/storage/providers/local"
)

// writtenFiles are the stored forms that are files, or texts that a client keeps. This file uses only names of the API
// that each version has.
var writtenFiles = map[string]func(t *testing.T) stored{
	"cache-block": func(t *testing.T) stored {
		dir := t.TempDir()
		d := newStore("store")
		put(t, d, "k", "text")
		b := cached(t, dir, d)

		text, _, err := storage.ReadAll(t.Context(), b, "k")
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
		return stored{"files": dumpFiles(t, dir)}
	},
	"directory": func(t *testing.T) stored {
		dir := t.TempDir()
		b := directory(t, dir)
		_, err := b.Upload(t.Context(), "a/k", strings.NewReader("text"),
			storage.WithContentType("text/x-test"))
		require.NoError(t, err)
		upload, err := storage.BeginUpload(t.Context(), b, "large", storage.WithContentType("text/x-test"))
		require.NoError(t, err)
		_, err = upload.PutPart(t.Context(), 1, strings.NewReader("part one"))
		require.NoError(t, err)
		return stored{"files": dumpFiles(t, dir), "client": {{Key: "token", Body: upload.Token()}}}
	},
	"open-upload": func(t *testing.T) stored {
		d := newParts("store")
		upload, err := storage.BeginUpload(
			t.Context(), engine.New(d), "k", storage.WithContentType("text/plain"), storage.IfAbsent(),
			storage.WithMetadata(map[string]string{"a": "b"}), storage.WithTags(map[string]string{"c": "d"}),
		)
		require.NoError(t, err)
		_, err = upload.PutPart(t.Context(), 1, strings.NewReader("text"))
		require.NoError(t, err)
		return stored{"store": dump(t, d), "client": {{Key: "token", Body: upload.Token()}}}
	},
	"signed-urls": func(t *testing.T) stored {
		var signed []object
		for name, b := range signing(t) {
			download, err := b.SignedDownloadURL(t.Context(), "k", storage.WithTTL(time.Hour))
			require.NoError(t, err)
			upload, err := b.SignedUploadURL(
				t.Context(), "new", storage.WithTTL(time.Hour), storage.WithContentType("text/x-test"),
				storage.WithSize(4),
			)
			require.NoError(t, err)
			form, err := storage.SignedUploadForm(t.Context(), b, "form", 1, 100, storage.WithTTL(time.Hour))
			require.NoError(t, err)
			for kind, value := range map[string]any{"download": download, "upload": upload, "form": form} {
				text, err := json.Marshal(value)
				require.NoError(t, err)
				signed = append(signed, object{Key: name + " " + kind, Body: string(text)})
			}
		}
		return stored{"client": signed}
	},
}

// cached returns a bucket that reads through a cache in a directory.
func cached(t *testing.T, dir string, d driver.Driver) storage.Bucket {
	cache, err := diskcache.Open(dir, diskcache.Config{Unpinned: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cache.Close()) })
	return engine.New(&revisedStore{Driver: d}, driver.WithLayer(cache.Layer()))
}

// A revisedStore is a store in which each object has the same revision in every process.
type revisedStore struct {
	driver.Driver
	reads int // requests for content
}

// Head returns the revision "1" for every object, and ignores conditions.
func (d *revisedStore) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	req := *r
	req.Condition = storage.Condition{}
	attrs, err := d.Driver.Head(ctx, &req)
	if err == nil {
		attrs.Revision = "1"
	}
	return attrs, err
}

// Get returns the revision "1" for every object, ignores conditions, and counts the reads.
func (d *revisedStore) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	req := *r
	req.Condition = storage.Condition{}
	attrs, body, err := d.Driver.Get(ctx, &req)
	if err == nil {
		d.reads++
		attrs.Revision = "1"
	}
	return attrs, body, err
}

// directory returns a local bucket in a directory, whose tokens are valid in each directory.
func directory(t *testing.T, dir string) storage.Bucket {
	d, err := local.NewDriver(dir, local.Config{Sidecars: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return engine.New(&placedDirectory{d})
}

type placedDirectory struct{ driver.Driver }

// Describe names the same place for every directory.
func (d *placedDirectory) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Location = "here"
	desc.Bucket = "store"
	return desc
}

var signingSecret = []byte(strings.Repeat("secret ", 8))

// signing returns buckets with an object k. They sign URLs with the same key in every process.
func signing(t *testing.T) map[string]storage.Bucket {
	base := storage.WithSigningBaseURL("http://store.invalid")
	d, err := local.NewDriver(t.TempDir(), local.Config{SigningKeys: local.SigningKeys{signingSecret}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	m := memstore.NewDriver(memstore.Config{SigningKeys: memstore.SigningKeys{signingSecret}})
	put(t, d, "k", "text")
	put(t, m, "k", "text")
	return map[string]storage.Bucket{"directory": engine.New(d, base), "memory": engine.New(m, base)}
}

// dumpFiles returns the files in a directory. Their bodies are in hexadecimal digits.
func dumpFiles(t *testing.T, dir string) (files []object) {
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		files = append(files, object{Key: filepath.ToSlash(name), Body: hex.EncodeToString(text)})
		return nil
	})
	require.NoError(t, err)
	return files
}
