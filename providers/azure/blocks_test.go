package azure

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// An upload in parts sends one request for each block, and one that commits the block list with the properties.
func TestBlockUploadRequests(t *testing.T) {
	server := newCannedServer(t, created)
	d := server.openDriver(t)
	put := wiretest.Put("a", "")
	put.Properties = storage.Properties{
		ContentType:  "text/plain",
		CacheControl: "no-store",
		Metadata:     map[string]string{"k": "v"},
		StorageClass: "Cool",
	}
	put.Condition.Revision = etag

	upload, err := d.BeginParts(t.Context(), put)
	require.NoError(t, err)
	require.Empty(t, server.Requests(), "no request may be sent, because Azure knows no uploads")

	first, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("hello"),
		Size:   5,
		CRC32C: wiretest.CRC32C("hello"),
	})
	require.NoError(t, err)
	require.Equal(t, int64(5), first.Size)

	block := server.Last(t)
	require.Equal(t, http.MethodPut, block.Method)
	require.Equal(t, "/photos/a", block.Path)
	require.Regexp(t, `^blockid=[^&]{16,}&comp=block$`, block.RawQuery)
	require.Equal(t, "V0JSBnCFdzM=", block.Header.Get("X-Ms-Content-Crc64"))
	require.Equal(t, "hello", block.Body)
	require.Empty(t, block.Header.Get("If-Match"), "a block must have no condition")

	last, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: 50_000,
		Body:   strings.NewReader("!"),
		Size:   1,
		CRC32C: wiretest.CRC32C("!"),
	})
	require.NoError(t, err)
	put.Size, put.CRC32C = 6, wiretest.CRC32C("hello!")

	attrs, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    put,
		Upload: upload,
		Parts:  []driver.Part{first, last},
	})
	require.NoError(t, err)
	require.Equal(t, etag, attrs.Revision)

	commit := server.Last(t)
	require.Equal(t, "PUT /photos/a?comp=blocklist", commit.Line())
	require.Contains(t, commit.Body, "<Latest>"+first.Tag+"</Latest><Latest>"+last.Tag+"</Latest>")

	for name, want := range map[string]string{
		"If-Match":                    etag,
		"X-Ms-Blob-Content-Type":      "text/plain",
		"X-Ms-Blob-Cache-Control":     "no-store",
		"X-Ms-Meta-K":                 "v",
		"X-Ms-Meta-Omnibucket_crc32c": encodeChecksum(put.CRC32C.Sum, 6),
		"X-Ms-Access-Tier":            "Cool",
	} {
		require.Equal(t, want, commit.Header.Get(name), name)
	}
}

// Block ids have one length. They depend on the upload, and on the number and the checksum of the
// part.
func TestBlockIDs(t *testing.T) {
	uploadA := newUploadID()
	uploadB := newUploadID()
	ids := map[string]bool{}
	for _, upload := range []string{uploadA, uploadB} {
		for _, number := range []int{1, 2, 255, 256, maxBlocks} {
			for _, sum := range []uint64{0, 1, math.MaxUint64} {
				id, err := blockID(upload, number, sum)
				require.NoError(t, err)
				require.Len(t, id, 24)
				require.False(t, ids[id])
				ids[id] = true
			}
		}
	}

	// The same bytes have the same id, so their block replaces the earlier one.
	repeated, err := blockID(uploadA, 2, 1)
	require.NoError(t, err)
	require.True(t, ids[repeated])
}

// If an upload is resumed with another body, PutPart keeps the blocks of the earlier body, because
// other content has other block ids.
func TestPutPartOtherContent(t *testing.T) {
	server := newCannedServer(t, created)
	d := server.openDriver(t)
	upload := newUploadID()
	putPart := func(text string) driver.Part {
		part, err := d.PutPart(t.Context(), &driver.PartRequest{
			Key:    "a",
			Upload: upload,
			Number: 1,
			Body:   strings.NewReader(text),
			Size:   1,
			CRC32C: wiretest.CRC32C(text),
		})
		require.NoError(t, err)
		require.Equal(t, part.Tag, server.Last(t).Query().Get("blockid"))
		return part
	}

	// The same content has the same tag, which is the id of the block. Other content has another tag.
	recorded := putPart("a")
	require.NotEqual(t, recorded.Tag, putPart("b").Tag)
	require.Equal(t, recorded.Tag, putPart("a").Tag)

	// CompleteParts commits the block whose tag the caller has recorded.
	_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    wiretest.Put("a", "a"),
		Upload: upload,
		Parts:  []driver.Part{recorded},
	})
	require.NoError(t, err)
	require.Contains(t, server.Last(t).Body, "<Latest>"+recorded.Tag+"</Latest>")
}

// PutPart fails with Locked and a hint if another tool left uncommitted blocks with short ids, because Azure accepts
// only ids of one length for a blob.
func TestPutPartBesideShortBlockIDs(t *testing.T) {
	// Azure refuses the block, and lists a block of another tool.
	blocks := reply{
		Status: http.StatusOK,
		Body:   `<BlockList><UncommittedBlocks><Block><Name>QUFB</Name><Size>1</Size></Block></UncommittedBlocks></BlockList>`,
	}
	server := newCannedServer(t, errorReply(http.StatusBadRequest, "InvalidBlobOrBlock"), blocks)

	_, err := server.openDriver(t).PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: newUploadID(),
		Number: 1,
		Body:   strings.NewReader("a"),
		Size:   1,
		CRC32C: wiretest.CRC32C("a"),
	})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Locked, e.Code)
	require.False(t, e.Retryable)
	require.Equal(t, foreignHint, e.Hint)
}

// CompleteParts sends no request and fails if the tag of a part names another upload or another
// number.
func TestCompletePartsOfAnotherUpload(t *testing.T) {
	server := newCannedServer(t, created)
	d := server.openDriver(t)
	upload := newUploadID()

	// A part's tag names its upload and its number.
	tag := newPart(t, upload, 1).Tag
	tests := []struct {
		name string
		part driver.Part
	}{
		{name: "no tag", part: driver.Part{Number: 1}},
		{name: "another upload", part: newPart(t, newUploadID(), 1)},
		{name: "another number", part: driver.Part{Number: 2, Tag: tag}},
		{name: "a shorter name", part: driver.Part{Number: 1, Tag: tag[:20]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    wiretest.Put("a", ""),
				Upload: upload,
				Parts:  []driver.Part{tt.part},
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
	require.Empty(t, server.Requests())
}

// newPart returns a part with a valid block id of the upload.
func newPart(t *testing.T, upload string, number int) driver.Part {
	t.Helper()
	id, err := blockID(upload, number, 1)
	require.NoError(t, err)
	return driver.Part{Number: number, Tag: id}
}

// PutPart and CompleteParts refuse an invalid upload name, without a request.
func TestPartsInvalidUploadNames(t *testing.T) {
	server := newCannedServer(t, created)
	d := server.openDriver(t)
	invalid := []string{
		"",
		"x",
		"AAAAAAAAAAAAAAAAAAAAAA", // too long
		"!!!!!!!!!!!",            // no base64
	}
	for _, upload := range invalid {
		_, err := d.PutPart(t.Context(), &driver.PartRequest{
			Key:    "a",
			Upload: upload,
			Number: 1,
			Body:   strings.NewReader(""),
		})
		require.ErrorIs(t, err, storage.InvalidArgument)

		_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
			Put:    wiretest.Put("a", ""),
			Upload: upload,
			Parts:  []driver.Part{{Number: 1}},
		})
		require.ErrorIs(t, err, storage.InvalidArgument)
	}

	// AbortParts has nothing to do, even for a valid name.
	require.NoError(t, d.AbortParts(t.Context(), "a", newUploadID()))
	require.Empty(t, server.Requests())
}

// Azure drops the blocks of an upload when another write replaces the object. With a condition,
// CompleteParts then reads the object, to tell an unmet condition from lost blocks. For lost
// blocks, it fails with status 409, and the engine then restarts the upload.
func TestCompletePartsDroppedBlocks(t *testing.T) {
	refusal := errorReply(400, "InvalidBlockList")
	object := objectReply("x")
	tests := []struct {
		name       string
		replies    []reply // to the commit, and to the read of the object
		condition  storage.Condition
		want       storage.Code
		wantStatus int
	}{
		{
			name:       "blocks dropped, no condition",
			replies:    []reply{refusal},
			want:       storage.Unavailable,
			wantStatus: 409,
		},
		{
			name:       "IfAbsent, object created meanwhile",
			replies:    []reply{refusal, object},
			condition:  storage.Condition{Absent: true},
			want:       storage.PreconditionFailed,
			wantStatus: 400,
		},
		{
			name:       "IfAbsent, object created and removed meanwhile",
			replies:    []reply{refusal, errorReply(404, "BlobNotFound")},
			condition:  storage.Condition{Absent: true},
			want:       storage.Unavailable,
			wantStatus: 409,
		},
		{
			name:       "IfRevision, object updated meanwhile",
			replies:    []reply{refusal, object},
			condition:  storage.Condition{Revision: `"old"`},
			want:       storage.PreconditionFailed,
			wantStatus: 400,
		},
		{
			name:       "IfRevision, object unchanged",
			replies:    []reply{refusal, object},
			condition:  storage.Condition{Revision: etag},
			want:       storage.Unavailable,
			wantStatus: 409,
		},
		{
			name:       "IfAbsent, no permission to see the object",
			replies:    []reply{refusal, errorReply(403, "AuthorizationFailure")},
			condition:  storage.Condition{Absent: true},
			want:       storage.Unavailable,
			wantStatus: 409,
		},
		{
			name:       "blocks of another tool",
			replies:    []reply{errorReply(400, "InvalidBlobOrBlock")},
			want:       storage.Locked,
			wantStatus: 400,
		},
		{
			name:       "too many blocks",
			replies:    []reply{errorReply(409, "BlockCountExceedsLimit")},
			want:       storage.TooLarge,
			wantStatus: 409,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			put := wiretest.Put("a", "")
			put.Condition = tt.condition
			upload := newUploadID()
			_, err := server.openDriver(t).CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    put,
				Upload: upload,
				Parts:  []driver.Part{newPart(t, upload, 1)},
			})

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.wantStatus, e.Status, "409 must make the engine restart")
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// CompleteParts refuses two parts with the same block id, because the later part replaced the
// earlier one. Two ids of 6 bytes are equal once in 2^48 pairs.
func TestCompletePartsEqualBlockIDs(t *testing.T) {
	// If the tag of a part ends in a length, the part's block has an id of that length, which is
	// derived from a hash. Such an id of 8 characters in base64 has 6 bytes.
	const idLength = "8"
	server := newCannedServer(t, created)
	upload := newUploadID()
	part := newPart(t, upload, 1)
	part.Tag += tagSeparator + idLength

	_, err := server.openDriver(t).CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    wiretest.Put("a", ""),
		Upload: upload,
		Parts:  []driver.Part{part, part},
	})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.Equal(t, http.StatusConflict, e.Status, "409 must make the engine restart")
	require.Empty(t, server.Requests())
}
