package storagetest

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var leadingSlashCases = []Case{
	{
		Name: "a key that begins with a slash is another key", Rule: "K2", Needs: storage.LeadingSlashes,
		Explanation: "MinIO takes /key for key: a removal would remove another object",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			for name, err := range leadingSlashCalls(t, b) {
				if strings.HasPrefix(name, "Remove") || strings.HasPrefix(name, "List") {
					require.NoError(t, err, name)
					continue
				}
				require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%s: %v", name, err)
			}
			exists, err := b.Exists(t.Context(), "/key")
			require.NoError(t, err)
			require.False(t, exists)
			require.Equal(t, []string{"key"}, t.keys(b))
			require.Empty(t, t.keys(b, storage.WithPrefix("/k")))
		},
	},
}

func leadingSlashesRefused(t *T, b storage.Bucket) map[string]error {
	errs := leadingSlashCalls(t, b)
	_, errs["Exists"] = b.Exists(t.Context(), "/key")
	if storage.Supports(b, storage.SignedURLs) {
		_, errs["SignedDownloadURL"] = b.SignedDownloadURL(t.Context(), "/key")
	}
	return errs
}

// leadingSlashCalls returns the errors of calls for "/key", where "key" is an object.
func leadingSlashCalls(t *T, b storage.Bucket) map[string]error {
	errs := map[string]error{}
	_, errs["Attrs"] = b.Attrs(t.Context(), "/key")
	_, errs["Download"] = b.Download(t.Context(), "/key")
	_, errs["Copy"] = storage.Copy(t.Context(), b, "new", b, "/key")
	_, errs["Compose"] = storage.Compose(t.Context(), b, "new", []string{"/key"})
	errs["Remove"] = b.Remove(t.Context(), "/key")
	_, errs["RemoveAll"] = storage.RemoveAll(t.Context(), b, slices.Values([]string{"/key"}))
	for _, err := range b.List(t.Context(), storage.WithPrefix("/")) {
		errs["List"] = err
	}
	return errs
}
