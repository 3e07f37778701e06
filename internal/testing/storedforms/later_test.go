package storedforms_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
)

// A laterForm is a kind of data that the library stores as JSON with a version number. The test gives one such
// document a version that only a later release would know.
type laterForm struct {
	name       string // of the golden file
	store, key string // the store of the document, and the beginning of its key
	read       func(t *testing.T, stores map[string]driver.Driver) error
}

var laterForms = []laterForm{
	{
		name:  "lease",
		store: "store",
		key:   "lease",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := lease.Acquire(t.Context(), engine.New(stores["store"]), "lease")
			return err
		},
	},
	{
		name:  "mirror-note",
		store: "primary",
		key:   ".omnibucket-mirror/",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := mirror.Repair(t.Context(), mirrored(t, stores["primary"], stores["second"]))
			return err
		},
	},
	{
		name:  "mirror-mark",
		store: "primary",
		key:   ".omnibucket-mirror/pair",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := mirror.RepairAll(t.Context(), mirrored(t, stores["primary"], stores["second"]))
			return err
		},
	},
	{
		name:  "job-journal",
		store: "state",
		key:   "journal",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := transfer.Copy(
				t.Context(), engine.New(newStore("dst")), engine.New(newStore("src")),
				transfer.WithJournal(engine.New(stores["state"]), "journal"),
			)
			return err
		},
	},
	{
		name:  "upload-records",
		store: "store",
		key:   "files/records/",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			records := uploads.BucketRecords(engine.New(stores["store"]))
			_, _, err := records.List(t.Context(), uploads.Filter{User: "user", Expiring: true}, "", 10)
			return err
		},
	},
	{
		name:  "upload-pieces",
		store: "store",
		key:   ".uploads/",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := newService(t, stores["store"],
				uploads.Config{}).PutPiece(t.Context(), piece(2, " more"))
			return err
		},
	},
	{
		name:  "upload-allowance",
		store: "store",
		key:   ".uploads-usage/",
		read: func(t *testing.T, stores map[string]driver.Driver) error {
			_, err := newService(t, stores["store"],
				uploads.Config{Allowance: allow}).Usage(t.Context(), "user")
			return err
		},
	},
}

// Each JSON document that the library stores has the number of its form. If a later version of the library has raised
// the number, the reader fails with Unsupported and keeps the document. This is rule 3 of
// docs/maintainers/stored-forms.md.
func TestLaterFormsAreRefused(t *testing.T) {
	for _, form := range laterForms {
		t.Run(form.name, func(t *testing.T) {
			// The golden file has the objects of each store. Give the document among them a later number.
			golden := readGolden(t, newest, form.name)
			documents := 0
			for i, object := range golden[form.store] {
				isDocument := strings.HasPrefix(object.Key, form.key) && strings.HasPrefix(object.Body, "{")
				if isDocument {
					golden[form.store][i].Body = `{"form":99,` + object.Body[1:]
					documents++
				}
			}
			require.Equal(t, 1, documents)

			synctest.Test(t, func(t *testing.T) {
				stores := map[string]driver.Driver{}
				for name := range golden {
					stores[name] = golden.load(t, name)
				}
				bodiesBefore := bodies(dump(t, stores[form.store]))

				err := form.read(t, stores)
				require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
				require.ErrorContains(t, err, "update this program")
				require.Subset(t, bodies(dump(t, stores[form.store])), bodiesBefore, "all objects must stay")
			})
		})
	}
}

// If a WithResume file has a later form, Upload and AbandonUpload fail with Unsupported and keep
// the file.
func TestLaterJournalOfAnUploadIsRefused(t *testing.T) {
	text := readGolden(t, newest, "resumed-upload")["files"][0].Body
	text = strings.Replace(text, `{"omnibucket upload":1,`, `{"omnibucket upload":2,`, 1)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	b := engine.New(&namedUploads{Driver: newStore("store")})

	_, err := b.Upload(t.Context(), "k", strings.NewReader(resumedBody), resumedOptions(path)...)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "update this program")
	require.Equal(t, storage.Unsupported, storage.CodeOf(storage.AbandonUpload(t.Context(), b, path)))

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(data))
}

// An overlay is a new store over an old one. If a marker in the new store, which stands for an object of the old one,
// has an unknown kind, each call for its key fails with Unsupported and changes nothing.
func TestLaterMarkerOfAnOverlayIsRefused(t *testing.T) {
	// The golden file has the objects of both stores. Replace the kind of its marker by one that does not exist yet.
	golden := readGolden(t, newest, "overlay-marker-copying")
	marker := golden["new"][0]
	marker.Metadata["omnibucketoverlay"] = "later"

	synctest.Test(t, func(t *testing.T) {
		newDriver := golden.load(t, "new")
		oldDriver := golden.load(t, "old")
		objectsBefore := dump(t, newDriver)
		bucket := overlaid(t, newDriver, oldDriver, overlay.Config{})

		calls := map[string]func() error{
			"Attrs": func() error {
				_, err := bucket.Attrs(t.Context(), "k")
				return err
			},
			"Upload": func() error {
				_, err := bucket.Upload(t.Context(), "k", strings.NewReader("text"), storage.IfAbsent())
				return err
			},
			"Remove": func() error { return bucket.Remove(t.Context(), "k") },
			"Finish": func() error {
				_, err := overlay.Finish(t.Context(), bucket, overlay.FinishConfig{})
				return err
			},
			"RemoveMarkers": func() error {
				_, err := overlay.RemoveMarkers(t.Context(), bucket)
				return err
			},
		}
		for name, call := range calls {
			err := call()
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%s: %v", name, err)
		}

		// Both stores have the same objects as before.
		require.Equal(t, objectsBefore, dump(t, newDriver))
		require.Equal(t, map[string]string{"k": "text"}, contents(t, engine.New(oldDriver)))
	})
}

// bodies returns the content of each object.
func bodies(objects []object) map[string]string {
	all := map[string]string{}
	for _, o := range objects {
		all[o.Key] = o.Body
	}
	return all
}

// readGolden reads a golden file, which has what a version has stored.
func readGolden(t *testing.T, version, name string) stored {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", version, name+".json"))
	require.NoError(t, err)
	s := stored{}
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}
