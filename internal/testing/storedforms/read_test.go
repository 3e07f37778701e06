// Package storedforms has a test of each form in which this library stores something: golden files, written by the
// versions that were on main, are read, continued and written back. See docs/maintainers/stored-forms.md.
package storedforms_test

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
)

// versions are the commits whose golden files are in testdata.
var versions = []string{"758e7b28", "f63eaf37", "3595d2a5", newest}

// newest is the commit whose golden files have the last form of everything that is stored.
const newest = "ed2780f2"

// readers continue what another version has stored.
var readers = map[string]func(t *testing.T, s stored){
	"commit-log": func(t *testing.T, s stored) {
		b := engine.New(s.load(t, "store"))
		log, err := commit.New(b, "log/")
		require.NoError(t, err)

		require.Equal(t, [2]int64{3, 7}, ends(t, log))
		number, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte("8"), nil })
		require.NoError(t, err)
		require.EqualValues(t, 8, number)

		require.NoError(t, log.Trim(t.Context(), 7))
		require.Equal(t, [2]int64{6, 8}, ends(t, log))
		require.NoError(t, log.Trim(t.Context(), 8))
		require.Equal(t, [2]int64{7, 8}, ends(t, log))
	},
	"lease": func(t *testing.T, s stored) {
		b := engine.New(s.load(t, "store"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()

		_, err := lease.Acquire(ctx, b, "lease")
		require.ErrorIs(t, err, storage.DeadlineExceeded, "another process holds it")
		l, err := lease.Acquire(t.Context(), b, "lease")
		require.NoError(t, err)
		require.EqualValues(t, 2, l.Token())
		require.NoError(t, l.Release())
	},
	"overlay-marker-copying": func(t *testing.T, s stored) {
		wrapped := s.load(t, "new")
		old := s.load(t, "old")

		b := overlaid(t, wrapped, old, overlay.Config{})
		require.Equal(t, map[string]string{"k": "text"}, contents(t, b))
		remaining, err := overlay.Left(t.Context(), b)
		require.NoError(t, err)
		require.EqualValues(t, 1, remaining)

		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
		require.NoError(t, err)
		require.Equal(t, overlay.Report{Copied: 1, Bytes: 4}, report)
		require.Equal(t, map[string]string{"k": "text"}, contents(t, engine.New(wrapped)))
	},
	"overlay-marker-removed": func(t *testing.T, s stored) {
		wrapped := s.load(t, "new")
		old := s.load(t, "old")

		b := overlaid(t, wrapped, old, overlay.Config{})
		require.Empty(t, contents(t, b))
		_, err := b.Attrs(t.Context(), "k")
		require.ErrorIs(t, err, storage.ObjectNotFound)

		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
		require.NoError(t, err)
		require.Equal(t, overlay.Report{}, report)
		require.Empty(t, contents(t, engine.New(wrapped)))
		require.Empty(t, contents(t, engine.New(old)))
	},
	"overlay-tombstone": func(t *testing.T, s stored) {
		wrapped := s.load(t, "new")
		old := s.load(t, "old")

		b := overlaid(t, wrapped, old, overlay.Config{KeepOld: true})
		require.Empty(t, contents(t, b))
		_, err := b.Upload(t.Context(), "k", strings.NewReader("new"), storage.IfAbsent())
		require.NoError(t, err)
		require.NoError(t, b.Remove(t.Context(), "k"))
		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
		require.Equal(t, overlay.Report{}, report)
		require.Empty(t, contents(t, engine.New(wrapped)))
	},
	"mirror-note": func(t *testing.T, s stored) {
		primary := s.load(t, "primary")
		second := s.load(t, "second")
		b := mirrored(t, primary, second)

		status, err := mirror.Status(t.Context(), b)
		require.NoError(t, err)
		require.EqualValues(t, 1, status.Notes)

		time.Sleep(2 * time.Hour) // a younger note may be that of a write in progress
		_, err = mirror.Repair(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"k": "text"}, contents(t, engine.New(second)))
		require.Len(t, contents(t, engine.New(primary)), 2, "the note is gone: k and the clock are left")
	},
	"mirror-mark": func(t *testing.T, s stored) {
		primary := s.load(t, "primary")
		second := s.load(t, "second")
		time.Sleep(time.Hour)
		put(t, primary, "later", "text")
		b := mirrored(t, primary, second)
		for range 2 {
			_, err := mirror.RepairAll(t.Context(), b)
			require.NoError(t, err)
			require.Contains(t, contents(t, engine.New(second)), "later")
		}
	},
	"job-journal": func(t *testing.T, s stored) {
		src := newStore("src")
		dst := newStore("dst")
		put(t, src, "a", "a")
		put(t, src, "b", "b")
		state := engine.New(s.load(t, "state"))

		report, err := transfer.Copy(t.Context(), engine.New(dst), engine.New(src),
			transfer.WithJournal(state, "journal"))
		require.NoError(t, err)
		require.EqualValues(t, 2, report.Transferred)
		require.Equal(t, map[string]string{"b": "b"}, contents(t, engine.New(dst)), "the job was done with a")
		require.Empty(t, contents(t, state))
	},
	"upload-records": func(t *testing.T, s stored) {
		b := engine.New(s.load(t, "store"))
		records := uploads.BucketRecords(b)

		files, _, err := records.List(t.Context(), uploads.Filter{User: "user", Expiring: true}, "", 10)
		require.NoError(t, err)
		require.Len(t, files, 1)

		f := files[0]
		require.Equal(t, []any{"files/k", "report.pdf", int64(7), "user", "reports"},
			[]any{f.Key, f.Name, f.Size, f.User.ID, f.Purpose})

		expired, err := records.Expired(t.Context(), f.Expires.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Len(t, expired, 1)

		require.NoError(t, records.Remove(t.Context(), f))
		require.Empty(t, contents(t, b))
	},
	"resumed-upload": func(t *testing.T, s stored) {
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, []byte(s["files"][0].Body), 0o600))
		d := &namedUploads{Driver: newStore("store")}

		_, err := engine.New(d).Upload(t.Context(), "k", strings.NewReader(resumedBody),
			resumedOptions(path)...)
		require.NoError(t, err)
		require.Zero(t, d.begun, "the upload of the journal is continued")
		require.NotContains(t, d.sent, 1, "the store has part 1")
		require.Equal(t, "tag-1", d.parts[0].Tag)
		require.NoFileExists(t, path)
	},
}

// The data that each earlier version on main has stored can be read, continued and written back.
func TestStoredFormsAreReadAndContinued(t *testing.T) {
	readersByForm := maps.Clone(readers)
	maps.Copy(readersByForm, fileReaders)
	maps.Copy(readersByForm, uploadReaders)

	// Each form that this version writes has a reader.
	writtenForms := slices.Sorted(maps.Keys(allWritten()))
	require.Equal(t, writtenForms, slices.Sorted(maps.Keys(readersByForm)))

	for _, version := range versions {
		for form, readForm := range readersByForm {
			t.Run(version+"/"+form, func(t *testing.T) {
				if reason := lacking(version, form); reason != "" {
					t.Skip(reason)
				}

				// A golden file has the objects that the version has stored.
				golden := readGolden(t, version, form)
				synctest.Test(t, func(t *testing.T) {
					readForm(t, golden)
				})
			})
		}
	}
}

// load returns a store with the objects that the golden file has for it.
func (s stored) load(t *testing.T, name string) driver.Driver {
	d := newStore(name)
	s.loadInto(t, d, name)
	return d
}

// lacking says why a version has no golden file of a form, or returns "".
func lacking(version, name string) string {
	_, isUpload := uploadReaders[name]
	switch {
	case version == "f63eaf37" && name == "upload-allowance":
		return "this version has no allowances"
	case version == "758e7b28" && isUpload:
		return "uploads of this version are not continued"
	case version == "758e7b28" && name == "cache-block":
		return "blocks of this version have the form of those of f63eaf37, which are tested"
	case version == "758e7b28" && !slices.Contains(
		[]string{"directory", "job-journal", "open-upload", "resumed-upload", "signed-urls"}, name,
	):
		return "this version has no such form"
	}
	return ""
}

// loadInto stores the objects that the golden file has for the store with this name.
func (s stored) loadInto(t *testing.T, d driver.Driver, name string) {
	for _, o := range s[name] {
		_, err := d.Put(t.Context(), &driver.PutRequest{
			Key:        o.Key,
			Body:       strings.NewReader(o.Body),
			Size:       int64(len(o.Body)),
			Properties: storage.Properties{ContentType: o.ContentType, Metadata: o.Metadata},
		})
		require.NoError(t, err)
	}
}

// ends returns the number of the last entry that was trimmed, and the number of the last entry.
func ends(t *testing.T, log *commit.Log) [2]int64 {
	trimmed, err := log.Trimmed(t.Context())
	require.NoError(t, err)
	last, err := log.Last(t.Context())
	require.NoError(t, err)
	return [2]int64{trimmed, last}
}

// contents returns the objects of a bucket, without those that a mirror keeps for itself.
func contents(t *testing.T, b storage.Bucket) map[string]string {
	all := map[string]string{}
	for e, err := range b.List(t.Context()) {
		require.NoError(t, err)
		r, err := b.Download(t.Context(), e.Key)
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)

		require.NoError(t, r.Close())
		require.EqualValues(t, len(text), e.Size, e.Key)
		all[e.Key] = string(text)
	}
	return all
}
