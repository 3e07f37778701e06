package s3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A form stores its tags with the object, and the server refuses a client that leaves them out.
func TestSignedUploadFormTags(t *testing.T) {
	const minSize, maxSize = 0, 100
	tags := map[string]string{"two words": "a+b=c", "k": "v:w"}
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		b := s.open(t, s.bucket(t, false))
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		form, err := storage.SignedUploadForm(t.Context(), b, "a", minSize, maxSize, storage.WithTags(tags))
		require.NoError(t, err)

		status, text := postForm(t, form, "text")
		require.Less(t, status, 300, text)
		got, err := storage.Tags(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, tags, got)

		// A form without the tags is refused.
		delete(form.Fields, "tagging")
		status, _ = postForm(t, form, "text")
		require.GreaterOrEqual(t, status, 400)
	})
}
