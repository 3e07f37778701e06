package storagetest

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// An embedding is a user's bucket that embeds a Bucket and overrides methods. Functions of the
// library refuse such a bucket, because they cannot tell which methods it overrides.
type embedding struct {
	storage.Bucket
	uploads, downloads []string
}

// Upload records the key, and uploads to the embedded bucket.
func (e *embedding) Upload(
	ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption,
) (*storage.Attrs, error) {
	e.uploads = append(e.uploads, key)
	return e.Bucket.Upload(ctx, key, body, opts...)
}

// Download records the key.
func (e *embedding) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	e.downloads = append(e.downloads, key)
	return e.Bucket.Download(ctx, key, opts...)
}

// needingBucket calls each function that accepts only a bucket of this library, and returns the
// errors by name. All functions get the key "key", if they take one.
func needingBucket(t *T, b storage.Bucket) map[string]error {
	errs := keylessErrors(t, b)
	_, errs["Copy"] = storage.Copy(t.Context(), b, "key", b, "key")
	_, errs["Compose"] = storage.Compose(t.Context(), b, "key", []string{"key"})
	_, errs["Move"] = storage.Move(t.Context(), b, "from", "key")
	_, errs["Append"] = storage.Append(t.Context(), b, "key", []byte("x"), storage.IfAbsent())
	_, errs["Tags"] = storage.Tags(t.Context(), b, "key")
	errs["SetTags"] = storage.SetTags(t.Context(), b, "key", nil)
	errs["SetRetention"] = storage.SetRetention(t.Context(), b, "key", storage.Retention{})
	errs["SetLegalHold"] = storage.SetLegalHold(t.Context(), b, "key", false)
	errs["Restore"] = storage.Restore(t.Context(), b, "key")
	_, errs["SignedUploadForm"] = storage.SignedUploadForm(t.Context(), b, "key", 0, 1)

	// Open uploads. The upload need not exist, because the bucket is refused first.
	_, errs["BeginUpload"] = storage.BeginUpload(t.Context(), b, "key")
	upload := storage.UploadEntry{Key: "key", Upload: "none"}
	_, errs["ContinueListedUpload"] = storage.ContinueListedUpload(t.Context(), b, upload)
	errs["AbortUpload"] = storage.AbortUpload(t.Context(), b, upload)
	_, errs["PutSignedPart"] = storage.PutSignedPart(t.Context(), b, "key", "none", 1, strings.NewReader("x"))
	return errs
}

// keylessErrors calls each function that takes no single key, and returns the errors by name.
func keylessErrors(t *T, b storage.Bucket) map[string]error {
	errs := map[string]error{}
	_, errs["ListPage"] = storage.ListPage(t.Context(), b, "", t.anyOrder()...)
	_, errs["RemoveAll"] = storage.RemoveAll(t.Context(), b, slices.Values([]string{"key"}))
	versions := []storage.VersionEntry{{ListEntry: storage.ListEntry{Key: "key"}}}
	_, errs["RemoveVersions"] = storage.RemoveVersions(t.Context(), b, slices.Values(versions))
	_, errs["ContinueUpload"] = storage.ContinueUpload(t.Context(), b, "none")
	errs["AbandonUpload"] = storage.AbandonUpload(t.Context(), b, filepath.Join(t.TempDir(), "none"))
	for _, err := range storage.Versions(t.Context(), b) {
		errs["Versions"] = err
	}
	for _, err := range storage.ListUploads(t.Context(), b) {
		errs["ListUploads"] = err
	}
	errs["Close"] = storage.Close(b)
	unchanged := func(c storage.Core) storage.Core { return c }
	_, errs["Wrap"] = storage.Wrap(b, unchanged)
	return errs
}

// requireRefusal requires that the function op refused a bucket of the type typeName.
func (t *T) requireRefusal(err error, op, typeName string) *storage.Error {
	t.Helper()
	storageErr := t.requireNothingDone(err, storage.Unsupported)
	require.Equal(t, op+" needs a bucket of this library, and the value is a "+typeName, storageErr.Err.Error())
	require.Contains(t, storageErr.Hint, "storage.Wrap", op)
	return storageErr
}

var userTypeCases = []Case{
	{
		Name: "functions that need a bucket of this library refuse any other value",
		Rule: "O3",
		Explanation: "they are Unsupported, with the type of the value and what to do, and neither call " +
			"its methods nor make requests: also if it embeds a bucket",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			t.requireNoRequests(func() {
				for typeName, mine := range map[string]storage.Bucket{
					"*storagetest.embedding":      &embedding{Bucket: b},
					"storagetest.embeddingInPart": embeddingInPart{b},
					"<nil>":                       nil,
				} {
					for name, err := range needingBucket(t, mine) {
						e := t.requireRefusal(err, name, typeName)
						require.Equal(t, name, e.Op)
						require.Contains(t, []string{"", "key"}, e.Key)
					}
				}
			})
			mine := &embedding{Bucket: b}
			n, err := storage.RemoveMatching(t.Context(), mine, nil)
			t.requireRefusal(err, "RemoveMatching", "*storagetest.embedding")
			require.Zero(t, n)
			_, ok := storage.As[any](mine)
			require.False(t, ok)
			require.False(t, storage.Supports(mine, storage.ObjectTags), "nothing is known about another type")
			require.Empty(t, append(mine.uploads, mine.downloads...))
			t.requireExists(b, "key")
		},
	},
	{
		Name: "Ref and Prefixed of any other value refuse all",
		Rule: "O3",
		Explanation: "the nine methods and the functions are Unsupported, so that no override is passed " +
			"by in silence, and what Ref does not permit is PermissionDenied",
		run: func(t *T) {
			b := t.open()
			t.put(b, "p/key", "x")
			mine := &embedding{Bucket: b}
			t.requireNoRequests(func() {
				for view, op := range map[storage.Bucket]string{
					storage.Prefixed(mine, "p/"):                              "Prefixed",
					storage.Ref[storage.Bucket](mine):                         "Ref",
					storage.Ref[storage.Bucket](storage.Prefixed(mine, "p/")): "Prefixed",
					storage.Prefixed(storage.Ref[storage.Bucket](mine), "p/"): "Ref",
				} {
					for name, err := range everyOperation(t, view, "key") {
						e := t.requireNothingDone(err, storage.Unsupported)
						require.Contains(
							t, e.Error(),
							op+" needs a bucket of this library, and the value is a *storagetest.embedding", name,
						)
					}
					require.NoError(t, storage.Close(view), "of a result of Ref or Prefixed it does nothing")
					require.False(t, storage.Supports(view, storage.Metadata))
				}
				narrowed := storage.Ref[storage.Downloader](mine).(storage.Bucket)
				t.requireCode(narrowed.Remove(t.Context(), "p/key"), storage.PermissionDenied)
			})
			require.Empty(t, append(mine.uploads, mine.downloads...))
		},
	},
	{
		Name: "functions that call only methods take any type",
		Rule: "O3",
		Explanation: "NewWriter, UploadFile and Update call Upload of the value; ReadAll, ReadRanges, " +
			"NewReaderAt, FS, DownloadFile and the source of Copy its Download; they pass nothing by",
		run: func(t *T) {
			b := t.open()
			mine := &embedding{Bucket: b}
			t.writeInEveryWay(mine)
			require.Equal(t, []string{"written", "file"}, mine.uploads)
			mine.downloads = nil
			t.readInEveryWay(mine, "file")
			_, err := storage.Copy(t.Context(), b, "copy", mine, "file")
			require.NoError(t, err)
			require.Len(t, mine.downloads, 6, "%v", mine.downloads)
			t.requireContent(b, "copy", "text")
			if t.has(appends) {
				_, err = storage.Update(t.Context(), mine, "counter", increment)
				require.NoError(t, err)
				require.Equal(t, "counter", mine.uploads[2])
			}
		},
	},
}

// An embeddingInPart is a user's bucket that embeds a Bucket and overrides nothing.
type embeddingInPart struct{ storage.Bucket }

// writeInEveryWay writes the object "written" with a Writer, and the object "file" with UploadFile. Both
// contain "text".
func (t *T) writeInEveryWay(b storage.Uploader) {
	t.Helper()
	w := storage.NewWriter(t.Context(), b, "written")
	defer w.Close()
	_, err := io.WriteString(w, "text")
	require.NoError(t, err)
	_, err = w.Commit()
	require.NoError(t, err)

	_, err = storage.UploadFile(t.Context(), b, "file", tempFile(t, "text").Name())
	require.NoError(t, err)
}

// readInEveryWay reads an object that contains "text" with each function of the library that reads.
func (t *T) readInEveryWay(b storage.Bucket, key string) {
	t.Helper()
	require.Equal(t, "text", t.get(b, key))

	parts, _, err := storage.ReadRanges(t.Context(), b, key, []storage.Range{{Offset: 1, Length: 2}})
	require.NoError(t, err)
	require.Equal(t, "ex", string(parts[0]))

	require.NoError(t, readByte(t, b, key))

	data, err := fs.ReadFile(storage.FS(t.Context(), b), key)
	require.NoError(t, err)
	require.Equal(t, "text", string(data))

	_, err = storage.DownloadFile(t.Context(), b, key, filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
}
