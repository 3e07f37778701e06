package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// Delete removes only files of the user, and may be repeated.
func TestDeleteRemovesOnlyOwnFiles(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: "users/{user}/{yyyy}/{random}{ext}"})

		// The folder of the user, whose ID is 42, has a file of the user and another object.
		mine, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG()), User: user42})
		require.NoError(t, err)
		_, err = bucket.Upload(t.Context(), "users/42/notes.txt", strings.NewReader("by other means"))
		require.NoError(t, err)

		tests := []struct {
			name string
			key  string
			user uploads.User
		}{
			{name: "another user's file", key: mine.Key, user: uploads.User{ID: "4"}},
			{name: "a key that Config.Key did not make", key: "users/42/notes.txt", user: user42},
			{name: "a longer key", key: mine.Key + "/x", user: user42},
			{name: "a path to another user", key: strings.Replace(mine.Key, "42/", "42/../43/", 1), user: user42},
			{name: "no key", key: "", user: user42},
		}

		// Delete refuses each of these keys, and nothing is removed.
		for _, tt := range tests {
			err := s.Delete(t.Context(), tt.key, tt.user)
			require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err), tt.name)
		}
		require.Len(t, listKeys(t, bucket), 2)

		// The user's own file is removed.
		require.NoError(t, s.Delete(t.Context(), mine.Key, user42))
		require.NoError(t, s.Delete(t.Context(), mine.Key, user42), "a second time")
		require.Equal(t, []string{"users/42/notes.txt"}, listKeys(t, bucket))
	})
}
