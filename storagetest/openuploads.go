package storagetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// begin begins a multipart upload.
func (t *T) begin(b storage.Uploader, key string, opts ...storage.MultipartOption) storage.MultipartUpload {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), b, key, opts...)
	require.NoError(t, err)
	return u
}

// putPart stores a part of an open upload.
func (t *T) putPart(u storage.MultipartUpload, number int, text string) *storage.UploadedPart {
	t.Helper()
	part, err := u.PutPart(t.Context(), number, strings.NewReader(text))
	require.NoError(t, err)
	return part
}

// continueUpload continues an upload by its token, as another process would.
func (t *T) continueUpload(b storage.Uploader, u storage.MultipartUpload) storage.MultipartUpload {
	t.Helper()
	continued, err := storage.ContinueUpload(t.Context(), b, u.Token())
	require.NoError(t, err)
	return continued
}

var openUploadCases = []Case{
	{
		Name:        "parts of an open upload come in any order and again",
		Rule:        "U1",
		Explanation: "from values of one token, read in place and streamed; the last call for a number wins, Parts tells what is there, and the object has all attributes",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			b := t.open()
			first := body(t.unit, 1)
			second := body(t.unit, 2)
			last := "end"
			meta := map[string]string{"owner": "ann"}
			u := t.begin(b, "a", t.contentType("image/png"), t.metadata(meta))
			require.Equal(t, "a", u.Key())
			other := t.continueUpload(b, u)
			t.putPart(u, 3, last)
			_, err := other.PutPart(t.Context(), 1, stream(first))
			require.NoError(t, err)
			t.putPart(other, 2, "replaced")
			t.putPart(u, 2, second)
			t.requireMissing(b, "a")

			parts, err := t.continueUpload(b, u).Parts(t.Context())
			require.NoError(t, err)
			require.Len(t, parts, 3)
			for i, text := range []string{first, second, last} {
				require.Equal(t, i+1, parts[i].Number)
				require.EqualValues(t, len(text), parts[i].Size)
				if crc := parts[i].CRC32C; crc.Known {
					require.Equal(t, sum([]byte(text)), crc.Sum)
				}
			}

			attrs, err := t.continueUpload(b, u).Complete(t.Context())
			require.NoError(t, err)
			text := first + second + last
			require.Equal(t, "a", attrs.Key)
			require.EqualValues(t, len(text), attrs.Size)
			require.Equal(t, t.keptType("image/png"), attrs.ContentType)
			require.Equal(t, t.keptMetadata(meta), attrs.Metadata)
			t.requireContent(b, "a", text)
			existing := t.attrs(b, "a")
			require.Equal(t, attrs.Revision, existing.Revision)
			require.Equal(t, t.keptType("image/png"), existing.ContentType)
			require.Equal(t, t.keptMetadata(meta), existing.Metadata)
			require.Zero(t, t.countPendingUploads())
		},
	},
	{
		Name:        "an open upload has the checksum of its parts",
		Rule:        "W10",
		Explanation: "Attrs of Complete and of a later read have the CRC32C of the whole, as for Upload, if the store tells those of parts",
		Needs:       storage.OpenUploads | storage.StoredChecksums,
		run: func(t *T) {
			b := t.open()
			first := body(t.unit, 1)
			last := "end"
			u := t.begin(b, "a", storage.WithCRC32C(sum([]byte(first+last))), storage.WithSize(int64(len(first+last))))
			t.putPart(u, 2, last)
			t.putPart(u, 1, first)
			want := storage.CRC32C{Sum: sum([]byte(first + last)), Known: true}
			attrs, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, attrs.CRC32C)
			if sum := t.attrs(b, "a").CRC32C; sum.Known {
				require.Equal(t, want, sum)
			}
			t.requireContent(b, "a", first+last)

			u = t.begin(b, "b")
			t.putPart(u, 1, "text")
			_, err = u.Complete(t.Context(), storage.WithCRC32C(1))
			t.requireCode(err, storage.ChecksumMismatch)
			t.requireMissing(b, "b")
			_, err = u.Complete(t.Context(), storage.WithCRC32C(sum([]byte("text"))))
			require.NoError(t, err)
		},
	},
	{
		Name:        "an open upload checks its condition when it is completed",
		Rule:        "W5",
		Explanation: "of two that create one key the first to complete wins, the other is PreconditionFailed and stays; it succeeds when the key is free",
		Needs:       storage.OpenUploads | storage.ConditionalCreate,
		run: func(t *T) {
			b := t.open()
			first := t.begin(b, "a", storage.IfAbsent())
			second := t.begin(b, "a", storage.IfAbsent())
			t.putPart(first, 1, "one")
			t.putPart(second, 1, "two")
			_, err := first.Complete(t.Context())
			require.NoError(t, err)
			_, err = t.continueUpload(b, second).Complete(t.Context())
			t.requireCode(err, storage.PreconditionFailed)
			require.ErrorIs(t, err, fs.ErrExist)
			t.requireContent(b, "a", "one")
			require.NoError(t, b.Remove(t.Context(), "a"))
			_, err = second.Complete(t.Context())
			require.NoError(t, err)
			t.requireContent(b, "a", "two")
		},
	},
	{
		Name:        "an open upload replaces one revision",
		Rule:        "W5",
		Explanation: "IfRevision of the beginning is compared with the revision at the completion",
		Needs:       storage.OpenUploads | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			old := t.put(b, "a", "old")
			stale := t.begin(b, "a", storage.IfRevision(old.Revision))
			t.putPart(stale, 1, "stale")
			fresh := t.begin(b, "a", storage.IfRevision(old.Revision))
			t.putPart(fresh, 1, "fresh")
			_, err := fresh.Complete(t.Context())
			require.NoError(t, err)
			_, err = stale.Complete(t.Context())
			t.requireCode(err, storage.PreconditionFailed)
			t.requireContent(b, "a", "fresh")
			require.NoError(t, stale.Abort(t.Context()))
		},
	},
	{
		Name:        "a token is of one upload to one bucket",
		Rule:        "U2",
		Explanation: "a changed token, one of another bucket and one of a key outside of the prefix are InvalidArgument, without a request; a view continues its own",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			b := t.open()
			view := storage.Prefixed(b, "users/1/")
			u := t.begin(view, "a")
			require.Equal(t, "a", u.Key())
			token := u.Token()
			elsewhere := t.open()
			t.requireNoRequests(func() {
				for name, c := range map[string]struct {
					b     storage.Bucket
					token string
				}{
					"empty":           {b, ""},
					"cut":             {b, token[:len(token)-4]},
					"longer":          {b, token + "AAAA"},
					"changed":         {b, token[:len(token)/2] + "AAAA" + token[len(token)/2+4:]},
					"not base64":      {b, "%" + token[1:]},
					"another version": {b, "_" + token[1:]},
					"another bucket":  {elsewhere, token},
					"another prefix":  {storage.Prefixed(b, "users/2/"), token},
					"huge":            {b, strings.Repeat("A", 1<<20)},
				} {
					_, err := storage.ContinueUpload(t.Context(), c.b, c.token)
					e := t.requireCode(err, storage.InvalidArgument)
					require.Contains(t, e.Error(), "token must", name)
					require.Less(t, len(e.Error()), 1000, name)
				}
				_, err := storage.ContinueUpload(t.Context(), view, token, storage.WithSize(1))
				t.requireCode(err, storage.InvalidArgument)
				_, err = storage.ContinueUpload(t.Context(), view, token, nil)
				t.requireCode(err, storage.InvalidArgument)
				_, err = storage.ContinueUpload(t.Context(), storage.Ref[storage.Downloader](b).(storage.Uploader), token)
				t.requireCode(err, storage.PermissionDenied)
			})
			parent := t.continueUpload(b, u)
			require.Equal(t, "users/1/a", parent.Key())
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", u, u, u), token)
			t.putPart(parent, 1, "text")
			attrs, err := t.continueUpload(view, u).Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, "a", attrs.Key)
			t.requireContent(b, "users/1/a", "text")
		},
	},
	{
		Name:        "a bad part of an open upload is refused",
		Rule:        "U3",
		Explanation: "numbers and sizes out of range, another length or checksum than was declared: the error names the argument, and no part is left",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a")
			numbers := []int{0, -1}
			if maximum := u.Limits().MaxParts; maximum > 0 {
				numbers = append(numbers, maximum+1)
			}
			t.requireNoRequests(func() {
				for _, number := range numbers {
					_, err := u.PutPart(t.Context(), number, strings.NewReader("x"))
					require.Contains(t, t.requireCode(err, storage.InvalidArgument).Error(), "part number")
				}
				for _, src := range []io.Reader{strings.NewReader("text"), stream("text")} {
					_, err := u.PutPart(t.Context(), 1, src, storage.WithSize(3))
					t.requireCode(err, storage.BodyFailed)
				}
				for _, src := range []io.Reader{strings.NewReader("text"), stream("text")} {
					_, err := u.PutPart(t.Context(), 1, src, storage.WithSize(5))
					t.requireCode(err, storage.BodyFailed)
				}
				for _, src := range []io.Reader{strings.NewReader("text"), stream("text")} {
					_, err := u.PutPart(t.Context(), 1, src, storage.WithCRC32C(1))
					t.requireCode(err, storage.ChecksumMismatch)
				}
				_, err := u.PutPart(t.Context(), 1, nil)
				t.requireCode(err, storage.InvalidArgument)
				_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"), storage.WithSize(-1))
				t.requireCode(err, storage.InvalidArgument)
				_, err = u.PutPart(t.Context(), 1, iotest.ErrReader(errors.New("broken")))
				t.requireCode(err, storage.BodyFailed)
			})
			_, err := u.Complete(t.Context())
			require.Contains(t, t.requireCode(err, storage.InvalidArgument).Error(), "parts")
			parts, err := u.Parts(t.Context())
			require.NoError(t, err)
			require.Empty(t, parts)
			require.NoError(t, u.Abort(t.Context()))
		},
	},
	{
		Name:        "several callers share an open upload",
		Rule:        "U1",
		Explanation: "parts sent at once by several values, also the same one: all succeed, and the object is whole",
		Needs:       storage.OpenUploads | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a")
			first := body(t.unit, 1)
			last := "end"
			var group sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				group.Go(func() {
					second, err := storage.ContinueUpload(t.Context(), b, u.Token())
					if err == nil {
						number := 1 + i%2
						text := first
						if number == 2 {
							text = last
						}
						_, err = second.PutPart(t.Context(), number, strings.NewReader(text))
					}
					errs[i] = err
				})
			}
			group.Wait()
			require.NoError(t, errors.Join(errs...))
			_, err := u.Complete(t.Context())
			require.NoError(t, err)
			t.requireContent(b, "a", first+last)
		},
	},
	{
		Name:        "uploads in progress are listed",
		Rule:        "U5",
		Explanation: "with key, name and time, by prefix and in a sub-bucket, which lists and drops only its own; a dropped or completed one is not listed",
		Needs:       storage.OpenUploads | storage.ListedUploads,
		run: func(t *T) {
			b := t.open()
			require.Empty(t, t.uploadKeys(b))
			var open []storage.MultipartUpload
			for _, key := range []string{"a/1", "a/2", "b/1", "b/1"} {
				u := t.begin(b, key)
				t.putPart(u, 1, "x")
				open = append(open, u)
			}
			require.Equal(t, []string{"a/1", "a/2", "b/1", "b/1"}, t.uploadKeys(b))
			require.Equal(t, []string{"a/1", "a/2"}, t.uploadKeys(b, storage.WithPrefix("a/")))
			sub := storage.Prefixed(b, "b/")
			require.Equal(t, []string{"1", "1"}, t.uploadKeys(sub))
			for entry, err := range storage.ListUploads(t.Context(), b, storage.WithPrefix("a/")) {
				require.NoError(t, err)
				require.NoError(
					t, storage.AbortUpload(t.Context(), sub, storage.UploadEntry{Key: "1", Upload: entry.Upload}),
					"there is none to that key",
				)
			}
			for entry, err := range storage.ListUploads(t.Context(), sub) {
				require.NoError(t, err)
				require.WithinDuration(t, time.Now(), entry.Begun, time.Hour)
				require.NoError(t, storage.AbortUpload(t.Context(), sub, entry))
				require.NoError(t, storage.AbortUpload(t.Context(), sub, entry))
				break
			}
			require.Equal(t, []string{"a/1", "a/2", "b/1"}, t.uploadKeys(b))
			_, err := open[0].Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"a/2", "b/1"}, t.uploadKeys(b))
			require.Equal(t, []string{"a/1"}, t.keys(b), "uploads in progress are no objects")
			t.requireNoRequests(func() {
				for _, err := range storage.ListUploads(t.Context(), b, storage.WithLimit(1)) {
					t.requireCode(err, storage.InvalidArgument)
				}
				t.requireCode(storage.AbortUpload(t.Context(), b, storage.UploadEntry{Key: "a/2"}), storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "a listed upload is continued without its token",
		Rule:        "U5",
		Explanation: "its parts are listed, stored and completed, also in a sub-bucket and by a new token; the object has the attributes of the begin, which are given again unless the store has them",
		Needs:       storage.OpenUploads | storage.ListedUploads,
		run: func(t *T) {
			b := t.open()
			attributes := t.contentType("text/x-test").(storage.MultipartOption)
			upload, err := storage.BeginUpload(t.Context(), b, "a/1", attributes)
			require.NoError(t, err)
			first := body(t.unit, 1)
			last := "last"
			t.putPart(upload, 1, first)
			sub := storage.Prefixed(b, "a/")
			entry := t.onlyUpload(sub)
			var u storage.MultipartUpload
			t.requireNoRequests(func() {
				_, err = storage.ContinueListedUpload(t.Context(), sub, storage.UploadEntry{Key: entry.Key})
				t.requireCode(err, storage.InvalidArgument)
				u, err = storage.ContinueListedUpload(t.Context(), sub, entry, attributes)
				// Some stores keep the attributes of an upload, and refuse to set them again.
				if storage.CodeOf(err) == storage.InvalidArgument {
					u, err = storage.ContinueListedUpload(t.Context(), sub, entry)
				}
				require.NoError(t, err)
			})
			parts, err := u.Parts(t.Context())
			require.NoError(t, err)
			require.Len(t, parts, 1)
			u, err = storage.ContinueUpload(t.Context(), sub, u.Token())
			require.NoError(t, err)
			t.putPart(u, 2, last)
			attrs, err := u.Complete(t.Context())
			require.NoError(t, err)
			existing := t.attrs(b, "a/1")
			require.Equal(t, existing.ContentType, attrs.ContentType)
			require.Equal(t, existing.Revision, attrs.Revision)
			if t.has(storage.ContentProperties) {
				require.Equal(t, "text/x-test", existing.ContentType)
			}
			t.requireContent(b, "a/1", first+last)
			require.Empty(t, t.uploadKeys(b))
		},
	},
	{
		Name:        "a listed upload keeps its condition if that is given again",
		Rule:        "U5",
		Explanation: "Complete with IfAbsent is PreconditionFailed if the key has an object, and the upload stays",
		Needs:       storage.OpenUploads | storage.ListedUploads | storage.ConditionalCreate,
		run: func(t *T) {
			b := t.open()
			t.putPart(t.begin(b, "a"), 1, "new")
			t.put(b, "a", "old")
			u, err := storage.ContinueListedUpload(t.Context(), b, t.onlyUpload(b), storage.IfAbsent())
			require.NoError(t, err)
			_, err = u.Complete(t.Context())
			t.requireCode(err, storage.PreconditionFailed)
			t.requireContent(b, "a", "old")
			require.NoError(t, u.Abort(t.Context()))
			require.Empty(t, t.uploadKeys(b))
		},
	},
}

// onlyUpload requires that exactly one upload is in progress, and returns it.
func (t *T) onlyUpload(b storage.Lister) storage.UploadEntry {
	t.Helper()
	var entries []storage.UploadEntry
	for entry, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		entries = append(entries, entry)
	}
	require.Len(t, entries, 1)
	return entries[0]
}

// requireGone requires that err says that the upload is no longer in progress.
func (t *T) requireGone(err error) {
	t.Helper()
	require.Contains(t, t.requireCode(err, storage.ObjectNotFound).Error(), "upload must be in progress")
}

// uploadKeys returns the sorted keys of the uploads in progress.
func (t *T) uploadKeys(b storage.Lister, opts ...storage.ListOption) []string {
	t.Helper()
	var keys []string
	for entry, err := range storage.ListUploads(t.Context(), b, opts...) {
		require.NoError(t, err)
		require.NotEmpty(t, entry.Upload)
		keys = append(keys, entry.Key)
	}
	slices.Sort(keys)
	return keys
}
