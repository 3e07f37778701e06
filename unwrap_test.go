package storage_test

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// An audited bucket is a user's type that nothing may pass: it notes what is written and removed.
type audited struct {
	storage.Bucket
	notes *[]string
}

func (a audited) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	*a.notes = append(*a.notes, "Upload "+key)
	return a.Bucket.Upload(ctx, key, body, opts...)
}

func (a audited) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	*a.notes = append(*a.notes, "Remove "+key)
	return a.Bucket.Remove(ctx, key, opts...)
}

// An open bucket is one that everything but the methods of Bucket may pass.
type open struct{ storage.Bucket }

func (o open) Unwrap() storage.Bucket { return o.Bucket }

// A tagged bucket permits tags, and nothing else.
type tagged struct {
	storage.Bucket
	asked *[]string
}

func (t tagged) Tags(ctx context.Context, key string, opts ...storage.AttrsOption) (map[string]string, error) {
	*t.asked = append(*t.asked, "Tags "+key)
	return storage.Tags(ctx, t.Bucket, key, opts...)
}

func (t tagged) SetTags(ctx context.Context, key string, tags map[string]string, opts ...storage.SetOption) error {
	*t.asked = append(*t.asked, "SetTags "+key)
	return storage.SetTags(ctx, t.Bucket, key, tags, opts...)
}

// beyond are the functions that need more than the methods of Bucket. Each is given an object "k".
var beyond = []struct {
	name string
	call func(ctx context.Context, b storage.Bucket) error
}{
	{"Versions", func(ctx context.Context, b storage.Bucket) error { return firstError(storage.Versions(ctx, b)) }},
	{"Tags", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Tags(ctx, b, "k")
		return err
	}},
	{"SetTags", func(ctx context.Context, b storage.Bucket) error { return storage.SetTags(ctx, b, "k", nil) }},
	{"SetRetention", func(ctx context.Context, b storage.Bucket) error {
		return storage.SetRetention(ctx, b, "k", storage.Retention{})
	}},
	{"SetLegalHold", func(ctx context.Context, b storage.Bucket) error { return storage.SetLegalHold(ctx, b, "k", false) }},
	{"Restore", func(ctx context.Context, b storage.Bucket) error { return storage.Restore(ctx, b, "k") }},
	{"SignedUploadForm", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.SignedUploadForm(ctx, b, "k", 0, 1)
		return err
	}},
	{"BeginUpload", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.BeginUpload(ctx, b, "k")
		return err
	}},
	{"ListUploads", func(ctx context.Context, b storage.Bucket) error { return firstError(storage.ListUploads(ctx, b)) }},
	{"AbortUpload", func(ctx context.Context, b storage.Bucket) error {
		return storage.AbortUpload(ctx, b, storage.UploadEntry{Key: "k", Upload: "none"})
	}},
	{"Close", func(_ context.Context, b storage.Bucket) error { return storage.Close(b) }},
}

// firstError returns the error of a listing.
func firstError[E any](all iter.Seq2[E, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

// whole returns a bucket that has everything, with an object "k".
func whole(t *testing.T) storage.Bucket {
	t.Helper()
	b := memstore.New(storage.WithVersioning(true), storage.WithObjectLock(), storage.WithSigningBaseURL("http://127.0.0.1/x"))
	_, err := b.Upload(t.Context(), "k", strings.NewReader("text"), storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)
	return b
}

func TestAWrapperWithUnwrapIsPassed(t *testing.T) {
	for _, row := range beyond {
		t.Run(row.name, func(t *testing.T) {
			direct := row.call(t.Context(), whole(t))
			require.Equal(t, direct, row.call(t.Context(), open{open{whole(t)}}))
		})
	}
	b := whole(t)
	require.True(t, storage.Supports(open{b}, storage.Versioning|storage.ObjectTags))
	require.True(t, driver.Overlap(open{b}, storage.Prefixed(b, "p/")))
}

func TestAWrapperWithoutUnwrapIsNotPassed(t *testing.T) {
	notes := []string{}
	b := open{audited{whole(t), &notes}}
	for _, row := range beyond {
		t.Run(row.name, func(t *testing.T) {
			for _, shown := range []storage.Bucket{b, storage.Prefixed(b, "p/")} {
				if row.name == "Close" && shown != storage.Bucket(b) {
					continue // a view is never closed
				}
				err := row.call(t.Context(), shown)
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, "the value is a storage_test.audited, which has no "+row.name+" and no Unwrap")
			}
		})
	}
	require.False(t, storage.Supports(b, storage.Versioning))
	require.True(t, storage.Supports(b, storage.Metadata), "which only unusual stores lack")
	require.False(t, storage.Supports(nil, storage.Metadata))
	require.Empty(t, notes)
}

func TestCopiesAndRemovalsThroughAWrapperWithoutUnwrap(t *testing.T) {
	notes := []string{}
	b := audited{whole(t), &notes}
	_, err := storage.Copy(t.Context(), b, "copy", b, "k")
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), storage.Prefixed(b, "p/"), "copy", b, "k")
	require.NoError(t, err)
	_, err = storage.Compose(t.Context(), b, "joined", []string{"k", "copy"})
	require.NoError(t, err)
	_, err = storage.RemoveAll(t.Context(), storage.Ref[storage.Remover](b), slices.Values([]string{"k"}))
	require.NoError(t, err)
	require.Equal(t, []string{"Upload copy", "Upload p/copy", "Upload joined", "Remove k"}, notes)
}

func TestAWrapperWithUnwrapKeepsTagsOfACopy(t *testing.T) {
	b := whole(t)
	for _, row := range []struct {
		name     string
		dst, src storage.Bucket
	}{
		{"both", open{b}, open{b}},
		{"the source", b, open{b}},
		{"the destination", open{b}, b},
		{"views", storage.Prefixed(open{b}, ""), storage.Prefixed(open{b}, "")},
	} {
		t.Run(row.name, func(t *testing.T) {
			dst := row.dst
			if row.name == "views" {
				_, err := b.Upload(t.Context(), "p/k", strings.NewReader("text"), storage.WithTags(map[string]string{"a": "b"}))
				require.NoError(t, err)
				dst, row.src = storage.Prefixed(open{b}, "q/"), storage.Prefixed(open{b}, "p/")
			}
			_, err := storage.Copy(t.Context(), dst, "copy", row.src, "k")
			require.NoError(t, err)
			tags, err := storage.Tags(t.Context(), dst, "copy")
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "b"}, tags)
		})
	}
}

func TestAWrapperPermitsWhatItImplements(t *testing.T) {
	asked := []string{}
	b := tagged{whole(t), &asked}
	view := storage.Prefixed(b, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	require.NoError(t, storage.SetTags(t.Context(), view, "k", map[string]string{"c": "d"}))
	tags, err := storage.Tags(t.Context(), open{b}, "p/k")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"c": "d"}, tags)
	require.Equal(t, []string{"SetTags p/k", "Tags p/k"}, asked)
	require.ErrorContains(t, storage.Restore(t.Context(), view, "k"), "has no Restore and no Unwrap")
}

// A view over a user's type has the permissions and keys of a view over a bucket.
// keptPage returns one page, which it keeps.
type keptPage struct {
	storage.Bucket
	page *storage.Page
}

func (b keptPage) ListPage(context.Context, string, ...storage.ListOption) (*storage.Page, error) {
	return b.page, nil
}

func TestAViewOfPages(t *testing.T) {
	t.Run("the page of the bucket stays as it is", func(t *testing.T) {
		kept := &storage.Page{Entries: []storage.ListEntry{{Key: "p/"}, {Key: "p/a"}, {Key: "p/b"}}}
		view := storage.Prefixed(keptPage{memstore.New(), kept}, "p/")
		for range 2 {
			page, err := storage.ListPage(t.Context(), view, "")
			require.NoError(t, err)
			require.Equal(t, []storage.ListEntry{{Key: "a"}, {Key: "b"}}, page.Entries)
		}
		require.Equal(t, []storage.ListEntry{{Key: "p/"}, {Key: "p/a"}, {Key: "p/b"}}, kept.Entries)
	})
	t.Run("the error of an option says where it happened", func(t *testing.T) {
		_, err := storage.ListPage(t.Context(), storage.Prefixed(open{whole(t)}, "p/"), "", storage.WithPageSize(0))
		var e *storage.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, storage.InvalidArgument, e.Code)
		require.Equal(t, []string{"ListPage", "memory"}, []string{e.Op, e.Provider})
	})
}

// writes counts the calls of Write.
type writes int

func (w *writes) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

func TestADownloadByAViewIsWrittenAsTheBucketDoes(t *testing.T) {
	b := open{memstore.New()}
	_, err := b.Upload(t.Context(), "p/k", strings.NewReader(strings.Repeat("x", 1<<20)))
	require.NoError(t, err)
	r, err := storage.Prefixed(b, "p/").Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.Equal(t, "k", r.Attrs().Key)
	var calls writes
	n, err := r.WriteTo(&calls)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, n)
	require.EqualValues(t, 1, calls, "memory is not copied in chunks")
}

func TestAViewForwardsWhatItShows(t *testing.T) {
	b := whole(t)
	view := storage.Prefixed(open{b}, "p/")
	_, err := view.Upload(t.Context(), "k", strings.NewReader("text"), storage.WithTags(map[string]string{"a": "b"}))
	require.NoError(t, err)
	var keys []string
	for v, err := range storage.Versions(t.Context(), view) {
		require.NoError(t, err)
		keys = append(keys, v.Key)
	}
	require.Equal(t, []string{"k"}, keys)

	_, err = storage.Tags(t.Context(), view, "missing")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"Tags", "missing"}, []string{e.Op, e.Key})

	u, err := storage.BeginUpload(t.Context(), view, "parts")
	require.NoError(t, err)
	require.Equal(t, "parts", u.Key())
	var uploads []string
	for entry, err := range storage.ListUploads(t.Context(), view) {
		require.NoError(t, err)
		uploads = append(uploads, entry.Key)
	}
	require.Equal(t, []string{"parts"}, uploads)
	again, err := storage.ContinueUpload(t.Context(), view, u.Token())
	require.NoError(t, err)
	require.Equal(t, "parts", again.Key())
	_, err = storage.ContinueUpload(t.Context(), storage.Prefixed(open{b}, "q/"), u.Token())
	require.ErrorIs(t, err, storage.InvalidArgument, "it is outside of the view")
	_, err = again.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
	attrs, err := again.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, "parts", attrs.Key)

	long := strings.Repeat("x", 2000)
	removed, err := storage.RemoveAll(t.Context(), view, slices.Values([]string{"k", "parts", long}))
	require.Equal(t, 2, removed)
	require.ErrorAs(t, err, &e)
	require.Equal(t, long, e.Key)
}

func TestAViewOfAWrapperIsNotWidened(t *testing.T) {
	b := open{whole(t)}
	reader := storage.Ref[storage.Downloader](b).(storage.Bucket)
	for _, row := range beyond {
		if row.name == "Close" {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			require.ErrorIs(t, row.call(t.Context(), reader), storage.PermissionDenied)
		})
	}
	_, err := storage.Copy(t.Context(), reader, "copy", reader, "k")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = storage.RemoveAll(t.Context(), reader, slices.Values([]string{"k"}))
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, found := storage.As[any](reader)
	require.False(t, found)

	uploader := storage.Ref[storage.Uploader](b).(storage.Bucket)
	u, err := storage.BeginUpload(t.Context(), uploader, "parts")
	require.NoError(t, err)
	_, err = u.SignPart(t.Context(), 1)
	require.ErrorIs(t, err, storage.PermissionDenied, "an upload is as narrow as the reference that began it")
}

// A circular bucket unwraps to itself.
type circular struct{ storage.Bucket }

func (c *circular) Unwrap() storage.Bucket { return c }

// A hollow bucket unwraps to nothing.
type hollow struct{ storage.Bucket }

func (hollow) Unwrap() storage.Bucket { return nil }

func TestAnUnwrapThatLeadsNowhereEnds(t *testing.T) {
	b := whole(t)
	for _, wrapper := range []storage.Bucket{&circular{b}, hollow{b}} {
		_, err := storage.Tags(t.Context(), wrapper, "k")
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorIs(t, storage.AbandonUpload(t.Context(), wrapper, "none"), storage.Unsupported)
		_, err = storage.Copy(t.Context(), wrapper, "copy", wrapper, "k")
		require.NoError(t, err)
	}
}
