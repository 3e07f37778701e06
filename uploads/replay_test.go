package uploads_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/uploads"
)

// A ticket is for one file, and nothing that its sender does later changes it.

// The URL of a ticket accepts only one file, and no other one after Finish or after Delete.
func TestTicketAddressWorksOnce(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: keyOfUser})
		picture := newPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(picture))}, user42)
		require.NoError(t, err)

		// The sender sends the picture, and finishes.
		require.Equal(t, http.StatusOK, send(t, ticket, picture))
		f, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)

		// The URL accepts neither another file of the signed size nor the same one again.
		otherFile := newGIF(3, 2)
		padding := strings.Repeat("x", max(0, len(picture)-len(otherFile)))
		require.GreaterOrEqual(t, send(t, ticket, otherFile+padding), http.StatusBadRequest)
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, picture))

		// A second Finish returns the file.
		second, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)
		require.Equal(t, f.Key, second.Key)

		// After Delete, the URL still accepts nothing, and there is nothing to finish.
		require.NoError(t, s.Delete(t.Context(), f.Key, user42))
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, picture))
		_, err = s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err), "%v", err)
		require.Empty(t, listPublished(t, bucket))

		// Finish leaves an empty object under the key of the signed URL, so that the URL can upload nothing any more.
		leftovers := listKeys(t, bucket)
		require.Len(t, leftovers, 1)
		attrs, err := bucket.Attrs(t.Context(), leftovers[0])
		require.NoError(t, err)
		require.Zero(t, attrs.Size)
	})
}

// An overwritten Core has no conditional writes, and its signed forms may be sent more than once.
type overwritten struct{ storage.Core }

func (o overwritten) Supports(f storage.Features) bool {
	return f&(storage.ConditionalCreate|storage.SignedForms|storage.SignedIfAbsent) == 0 && o.Core.Supports(f)
}

// The file of a finished ticket does not change, whatever the sender sends with the same ticket later.
func TestFinishedFileIsNotReplaced(t *testing.T) {
	first := newPNG()
	stores := []struct {
		name string
		// wrap returns the bucket that the service uses.
		wrap   func(t *testing.T, bucket storage.Bucket) storage.Bucket
		config uploads.Config
	}{
		{
			name:   "by a form",
			wrap:   func(_ *testing.T, bucket storage.Bucket) storage.Bucket { return bucket },
			config: uploads.Config{Key: keyOfUser},
		},
		{
			name: "to a store that is not guarded",
			wrap: func(t *testing.T, bucket storage.Bucket) storage.Bucket {
				return wrapped.Bucket(t, bucket, func(c storage.Core) storage.Core { return overwritten{c} })
			},
			config: uploads.Config{Key: keyOfUser, Unguarded: true},
		},
	}
	laterFiles := []struct {
		name    string
		content string
	}{
		{name: "the same type", content: first + "another"},
		{name: "another type", content: newGIF(3, 2)},
		{name: "a page", content: htmlPage},
		{name: "nothing", content: ""},
	}
	for _, store := range stores {
		for _, laterFile := range laterFiles {
			t.Run(store.name+", "+laterFile.name, func(t *testing.T) {
				bucket := openMemory(t)
				s := newService(t, store.wrap(t, bucket), store.config)
				ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
				require.NoError(t, err)

				sendEither(t, ticket, first)
				f, err := s.Finish(t.Context(), ticket.Token, user42)
				require.NoError(t, err)

				// The sender sends another file, and finishes the ticket again.
				_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader(laterFile.content))
				require.NoError(t, err)

				second, err := s.Finish(t.Context(), ticket.Token, user42)
				require.NoError(t, err)
				require.Equal(t, f.Key, second.Key)
				require.Equal(t, []string{f.Key}, listKeys(t, bucket))

				// The stored file is the first file, and was not replaced.
				data, _, err := storage.ReadAll(t.Context(), bucket, f.Key)
				require.NoError(t, err)
				require.Equal(t, first, string(data))
			})
		}
	}
}

// sendEither sends a file by the form of the ticket, or to its URL if there is no form.
func sendEither(t *testing.T, ticket *uploads.Ticket, content string) {
	t.Helper()
	if ticket.Form != nil {
		require.Less(t, postForm(t, ticket.Form, content), 300)
		return
	}
	require.Less(t, send(t, ticket, content), 300)
}
