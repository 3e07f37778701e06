package overlay_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// A caller may read the revision of an object in the old store. With IfRevision, it can still use
// this revision after the object has moved.
func TestRevisionHoldsAfterMove(t *testing.T) {
	// Each of these calls has the revision as its condition.
	uses := map[string]func(t *testing.T, b storage.Bucket, revision string) error{
		"Upload": func(t *testing.T, b storage.Bucket, revision string) error {
			_, err := b.Upload(t.Context(), "k", strings.NewReader("next"), storage.IfRevision(revision))
			return err
		},
		"Remove": func(t *testing.T, b storage.Bucket, revision string) error {
			return b.Remove(t.Context(), "k", storage.IfRevision(revision))
		},
		"Attrs": func(t *testing.T, b storage.Bucket, revision string) error {
			attrs, err := b.Attrs(t.Context(), "k", storage.IfRevision(revision))
			if err == nil {
				require.Equal(t, revision, attrs.Revision)
			}
			return err
		},
		"Download": func(t *testing.T, b storage.Bucket, revision string) error {
			_, _, err := storage.ReadAll(t.Context(), b, "k", storage.IfRevision(revision))
			return err
		},
	}

	// Each of these calls moves the object "k" to the new store. A download does so because of CopyOnRead, and a
	// signature because the signed URL leads to the new store.
	moves := map[string]func(t *testing.T, b storage.Bucket) error{
		"by a download": func(t *testing.T, b storage.Bucket) error {
			_, _, err := storage.ReadAll(t.Context(), b, "k")
			return err
		},
		"by a signature": func(t *testing.T, b storage.Bucket) error {
			_, err := b.SignedDownloadURL(t.Context(), "k")
			return err
		},
		"by SetTags": func(t *testing.T, b storage.Bucket) error {
			return storage.SetTags(t.Context(), b, "k", map[string]string{"a": "b"})
		},
		"by Finish": func(t *testing.T, b storage.Bucket) error {
			_, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			return err
		},
	}

	for moveName, move := range moves {
		for useName, use := range uses {
			t.Run(useName+" "+moveName, func(t *testing.T) {
				// openMoved returns an overlay whose object has moved, and the revision that the object had before.
				openMoved := func() (storage.Bucket, string) {
					old := memstore.New()
					layer := newLayer(t, old, overlay.Config{CopyOnRead: true, KeepOld: true})
					b := memstore.New(storage.WithSigningBaseURL("http://localhost/"), driver.WithLayer(layer))
					put(t, old, "k", "old")
					attrs, err := b.Attrs(t.Context(), "k")
					require.NoError(t, err)
					require.NoError(t, move(t, b))
					return b, attrs.Revision
				}

				b, revision := openMoved()
				require.NoError(t, use(t, b, revision))

				// If another writer replaces the object after the move, the revision is no longer current.
				b, revision = openMoved()
				put(t, b, "k", "of another writer")
				require.ErrorIs(t, use(t, b, revision), storage.PreconditionFailed)
			})
		}
	}
}

// Move with CopyOnRead moves an object of the old store, and leaves none at its former key.
func TestMoveCopiesOnRead(t *testing.T) {
	old := memstore.New()
	b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{CopyOnRead: true})))
	put(t, old, "from", "text")

	_, err := storage.Move(t.Context(), b, "from", "to")
	require.NoError(t, err)

	exists, err := b.Exists(t.Context(), "from")
	require.NoError(t, err)
	require.False(t, exists)
}
