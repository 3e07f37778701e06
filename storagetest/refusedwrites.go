package storagetest

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// toldByDriver are the features whose absence only the driver can tell: the core asks
// it, and it refuses.
const toldByDriver = storage.KeysBesideFolders | storage.StoredChecksums

func metadataRefused(t *T, b storage.Bucket) map[string]error {
	return writesWith(t, b, "new", storage.WithMetadata(map[string]string{"k": "v"}))
}

func contentPropertiesRefused(t *T, b storage.Bucket) map[string]error {
	errs := writesWith(t, b, "new", storage.WithContentType("text/x-test"))
	for option, o := range map[string]storage.WriteOption{
		"WithCacheControl":       storage.WithCacheControl("no-store"),
		"WithContentDisposition": storage.WithContentDisposition("inline"),
		"WithContentEncoding":    storage.WithContentEncoding("gzip"),
		"WithContentLanguage":    storage.WithContentLanguage("de"),
	} {
		_, errs[option] = b.Upload(t.Context(), "new", strings.NewReader("x"), o)
	}
	return errs
}

func longSegmentsRefused(t *T, b storage.Bucket) map[string]error {
	return writesWith(t, b, "a/"+strings.Repeat("s", 256))
}

// writesWith returns the errors of every way to write under a key.
func writesWith(t *T, b storage.Bucket, key string, opts ...storage.WriteOption) map[string]error {
	var upload []storage.UploadOption
	var copied []storage.CopyOption
	var signed []storage.SignedUploadOption
	for _, o := range opts {
		upload, copied, signed = append(upload, o), append(copied, o), append(signed, o)
	}
	errs := map[string]error{}
	_, errs["Upload"] = b.Upload(t.Context(), key, strings.NewReader("x"), upload...)
	_, errs["Upload of a stream"] = b.Upload(t.Context(), key, stream("x"), upload...)
	_, errs["Copy"] = storage.Copy(t.Context(), b, key, b, "key", copied...)
	_, errs["Compose"] = storage.Compose(t.Context(), b, key, []string{"key"}, copied...)
	w := storage.NewWriter(t.Context(), b, key, upload...)
	_, errs["Commit"] = w.Commit()
	require.NoError(t, w.Close())
	if storage.Supports(b, storage.SignedURLs) {
		_, errs["SignedUploadURL"] = b.SignedUploadURL(t.Context(), key, signed...)
	}
	return errs
}

// keysBesideFoldersRefused returns the errors of writes that a store of files cannot
// hold. It requires that they change nothing.
func keysBesideFoldersRefused(t *T, b storage.Bucket) map[string]error {
	t.puts(b, "file", "folder/x")
	before := t.snapshot(b)
	errs := map[string]error{}
	for _, key := range []string{"file/x", "file/x/y", "folder"} {
		_, errs["Upload of "+key] = b.Upload(t.Context(), key, strings.NewReader("x"))
		_, errs["Upload of a stream to "+key] = b.Upload(t.Context(), key, stream("x"))
		_, errs["Copy to "+key] = storage.Copy(t.Context(), b, key, b, "folder/x")
		_, errs["Compose of "+key] = storage.Compose(t.Context(), b, key, []string{"folder/x"})
		t.requireMissing(b, key)
		require.NoError(t, b.Remove(t.Context(), key), "it is not there")
	}
	require.Equal(t, before, t.snapshot(b))
	_, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"file", "folder/x"}))
	require.NoError(t, err)
	return errs
}

// checksumsNotStored requires that a read without a checksum is a read. No option asks
// for one, so there is nothing to refuse.
func checksumsNotStored(t *T, b storage.Bucket) map[string]error {
	want := sum([]byte("text"))
	require.Equal(t, want, t.put(b, "sum", "text").CRC32C.Sum, "what was sent is known")
	if stored := t.attrs(b, "sum").CRC32C; stored.Known {
		require.Equal(t, want, stored.Sum)
	}
	t.requireContent(b, "sum", "text")
	require.NoError(t, b.Remove(t.Context(), "sum"))
	return nil
}
