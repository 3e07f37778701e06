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

// The URL of a ticket accepts one file. It accepts no other file later, not even after Finish or Delete.
func TestTicketAddressWorksOnce(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: keyOfUser})
		picture := newPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(picture))}, user42)
		require.NoError(t, err)

		// The client sends the picture, and finishes.
		require.Equal(t, http.StatusOK, send(t, ticket, picture))
		f, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)

		// The URL accepts neither the same file again nor another one of the same size.
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, picture))
		otherFile := "GIF89a" + strings.Repeat("x", len(picture)-len("GIF89a"))
		require.GreaterOrEqual(t, send(t, ticket, otherFile), http.StatusBadRequest)

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

		// Finish has left an empty object under the key of the URL, which keeps the URL from uploading again.
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

// The file of a finished ticket does not change, whatever the client sends with the same ticket later.
func TestFinishedFileIsNotReplaced(t *testing.T) {
	first := newPNG()
	tests := []struct {
		name      string
		laterFile string
	}{
		{name: "a file of the same type", laterFile: first + "another"},
		{name: "a file of another type", laterFile: newGIF(3, 2)},
		{name: "a web page", laterFile: htmlPage},
		{name: "an empty file", laterFile: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Finish the first file, send the later file with the same ticket, and finish again.
			bucket := openMemory(t)
			s := newService(t, bucket, uploads.Config{Key: keyOfUser})
			requireFinishedFileStays(t, s, bucket, first, tt.laterFile)
		})
		t.Run(tt.name+", to a store without conditional writes", func(t *testing.T) {
			bucket := openMemory(t)
			unguarded := wrapped.Bucket(t, bucket, func(c storage.Core) storage.Core { return overwritten{c} })
			s := newService(t, unguarded, uploads.Config{Key: keyOfUser, Unguarded: true})
			requireFinishedFileStays(t, s, bucket, first, tt.laterFile)
		})
	}
}

// requireFinishedFileStays sends the first file with a ticket, and finishes the ticket. Then it stores the later file
// under the key of the ticket's URL, and finishes again. It requires that only the first file is stored.
func requireFinishedFileStays(t *testing.T, s *uploads.Service, bucket storage.Bucket, first, later string) {
	t.Helper()
	ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
	require.NoError(t, err)
	sendEither(t, ticket, first)
	f, err := s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)

	_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader(later))
	require.NoError(t, err)
	second, err := s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)
	require.Equal(t, f.Key, second.Key)
	require.Equal(t, []string{f.Key}, listKeys(t, bucket))

	data, _, err := storage.ReadAll(t.Context(), bucket, f.Key)
	require.NoError(t, err)
	require.Equal(t, first, string(data))
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
