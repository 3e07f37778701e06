package storagetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// begin begins an open upload.
func (t *T) begin(b storage.Uploader, key string, opts ...storage.MultipartOption) *storage.MultipartUpload {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), b, key, opts...)
	require.NoError(t, err)
	return u
}

// putPart stores a part of an open upload.
func (t *T) putPart(u *storage.MultipartUpload, number int, text string) *storage.UploadedPart {
	t.Helper()
	part, err := u.PutPart(t.Context(), number, strings.NewReader(text))
	require.NoError(t, err)
	return part
}

// continued returns the upload as another process has it.
func (t *T) continued(b storage.Uploader, u *storage.MultipartUpload) *storage.MultipartUpload {
	t.Helper()
	again, err := storage.ContinueUpload(t.Context(), b, u.Token())
	require.NoError(t, err)
	return again
}

var openUploadCases = []Case{
	{
		Name: "parts of an open upload come in any order and again", Rule: "U1",
		Explanation: "from values of one token, read in place and streamed; the last call for a number wins, Parts tells what is there, and the object has all attributes",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			b := t.open()
			first, second, last := body(t.unit, 1), body(t.unit, 2), "end"
			meta := map[string]string{"owner": "ann"}
			u := t.begin(b, "a", t.contentType("image/png"), t.metadata(meta))
			require.Equal(t, "a", u.Key())
			other := t.continued(b, u)
			t.putPart(u, 3, last)
			_, err := other.PutPart(t.Context(), 1, stream(first))
			require.NoError(t, err)
			t.putPart(other, 2, "replaced")
			t.putPart(u, 2, second)
			t.requireMissing(b, "a")

			parts, err := t.continued(b, u).Parts(t.Context())
			require.NoError(t, err)
			require.Len(t, parts, 3)
			for i, text := range []string{first, second, last} {
				require.Equal(t, i+1, parts[i].Number)
				require.EqualValues(t, len(text), parts[i].Size)
				if crc := parts[i].CRC32C; crc.Known {
					require.Equal(t, sum([]byte(text)), crc.Sum)
				}
			}

			attrs, err := t.continued(b, u).Complete(t.Context())
			require.NoError(t, err)
			text := first + second + last
			require.Equal(t, "a", attrs.Key)
			require.EqualValues(t, len(text), attrs.Size)
			require.Equal(t, t.keptType("image/png"), attrs.ContentType)
			require.Equal(t, t.keptMetadata(meta), attrs.Metadata)
			t.requireContent(b, "a", text)
			stored := t.attrs(b, "a")
			require.Equal(t, attrs.Revision, stored.Revision)
			require.Equal(t, t.keptType("image/png"), stored.ContentType)
			require.Equal(t, t.keptMetadata(meta), stored.Metadata)
			require.Zero(t, t.countPendingUploads())
		},
	},
}
