package storagetest

import (
	"io"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// leftOutCases are about stores that keep no attributes.
var leftOutCases = []Case{
	{
		Name: "a store without content types shows those of the keys", Rule: "W9",
		Explanation: "without ContentProperties the type is the extension's, else application/octet-stream, in the response to a write as in a read",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: storage.ContentProperties})
			for key, want := range map[string]string{"a.png": "image/png", "page.html": "text/html; charset=utf-8", "png": "application/octet-stream"} {
				for _, source := range []io.Reader{strings.NewReader(pngHead), stream(pngHead)} {
					attrs, err := b.Upload(t.Context(), key, source)
					require.NoError(t, err)
					require.Equal(t, want, attrs.ContentType, key)
					require.Equal(t, want, t.attrs(b, key).ContentType, key)
				}
			}
			for path, b := range t.copyPaths(limitedBy(storage.ContentProperties)) {
				t.put(b, "a.png", "text")
				attrs, err := storage.Copy(t.Context(), b, "b", b, "a.png")
				require.NoError(t, err, path)
				require.Equal(t, "application/octet-stream", attrs.ContentType, path)
				require.Equal(t, attrs.ContentType, t.attrs(b, "b").ContentType, path)
				attrs, err = storage.Compose(t.Context(), b, "c", []string{"a.png", "b"})
				require.NoError(t, err, path)
				require.Equal(t, "application/octet-stream", attrs.ContentType, path)
				require.Equal(t, attrs.ContentType, t.attrs(b, "c").ContentType, path)
			}
		},
	},
	{
		Name: "a copy leaves out attributes that its destination cannot keep", Rule: "W8",
		Explanation: "what the source has is dropped, inside the provider as when streamed; what an option sets is Unsupported",
		run: func(t *T) {
			const kept = storage.Metadata | storage.ContentProperties
			for path, without := range map[string]storage.Features{"inside": kept, "streamed": kept | storage.ServerCopy} {
				b, whole := t.openTwice(limitedBy(without))
				t.put(whole, "a.txt", "text", t.contentType("text/x-test"), t.metadata(map[string]string{"k": "v"}),
					t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")))
				for name, to := range map[string]storage.Uploader{"ours": b, "a user's": &countingBucket{Bucket: b}} {
					attrs, err := storage.Copy(t.Context(), to, "b.json", whole, "a.txt")
					require.NoError(t, err, "%s, %s", path, name)
					want := storage.Properties{ContentType: "application/json", StorageClass: attrs.StorageClass}
					require.Equal(t, want, attrs.Properties, "%s, %s", path, name)
					stored := t.attrs(b, "b.json")
					require.Equal(t, attrs.ContentType, stored.ContentType, "%s, %s", path, name)
					require.Empty(t, stored.CacheControl, "%s, %s", path, name)
					require.Empty(t, stored.Metadata, "%s, %s", path, name)
					t.requireContent(b, "b.json", "text")
					_, err = storage.Copy(t.Context(), to, "c", whole, "a.txt", storage.WithMetadata(map[string]string{"k": "new"}))
					t.requireNothingDone(err, storage.Unsupported)
					_, err = storage.Copy(t.Context(), to, "c", whole, "a.txt", storage.WithContentType("text/x-new"))
					t.requireNothingDone(err, storage.Unsupported)
					t.requireMissing(b, "c")
				}
			}
		},
	},
	{
		Name: "without metadata a lost response stays unknown", Rule: "W7",
		Explanation: "no write id is stored, so nothing tells whose the object is that a condition finds",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			b := t.open(limitedBy(storage.Metadata), seePuts(func(r *storage.PutRequest) { require.Empty(t, r.Metadata) }))
			t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"), storage.IfAbsent())
			require.NotEmpty(t, t.requireCode(err, storage.OutcomeUnknown).Hint)
			t.requireContent(b, "a", "text")
			_, err = b.Upload(t.Context(), "a", strings.NewReader("other"), storage.IfAbsent())
			t.requireNothingDone(err, storage.PreconditionFailed)
		},
	},
}
