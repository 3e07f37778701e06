package azure

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const testUpload = "0123456789abcdef0123456789abcdef-fedcba9876543210fedcba9876543210"

// The emulator ignores encryption.
func TestComponentsAreEncryptedAsTheObjectIs(t *testing.T) {
	key := newCustomerKey(bytes.Repeat([]byte("k"), 32))
	natives := []any{key, accessTier("Archive")}
	s := newScript(t, created, anObject("")) // the part, the marker
	d := s.driver(t)
	part, err := d.PutPart(t.Context(), &storage.PartRequest{Key: "a", Upload: testUpload, Number: 7, Body: strings.NewReader("hello"), Size: 5, CRC32C: wiretest.CRC32C("hello"), Native: natives})
	require.NoError(t, err)
	require.Equal(t, etag, part.Tag)
	put := s.Requests()[0]
	require.Equal(t, "/photos/.omnibucket//parts/0123456789abcdef0123456789abcdef/0-000007", strings.ReplaceAll(put.Path, "%2F", "/"))
	require.Equal(t, key.secret().sha256, put.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, put.Header.Get("X-Ms-Access-Tier"), "an archived part could not be copied")
	require.Equal(t, "V0JSBnCFdzM=", put.Header.Get("X-Ms-Content-Crc64"))

	signed, err := d.SignPart(t.Context(), &storage.SignPartRequest{Key: "a", Upload: testUpload, Number: 7, TTL: time.Minute, Size: -1, Native: natives})
	require.NoError(t, err)
	require.Equal(t, key.secret().sha256, signed.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, signed.Header.Get("X-Ms-Access-Tier"))
	require.NotContains(t, signed.URL, "fedcba", "the secret of the upload")
}

// A write to the key drops the blocks that a completion has copied. The parts stay.
func TestACompletionWhoseBlocksWereDroppedCanBeRepeated(t *testing.T) {
	s := newScript(t,
		anObject(""), created, // the marker, the block
		anObject("old"), created, // the decision over the object
		refusing(http.StatusBadRequest, codeBlocksDropped),
		anObject("old"), anObject("old"), created, // which is the same: the decision is taken back
	)
	d := s.driver(t)
	_, err := d.CompleteParts(t.Context(), &storage.CompleteRequest{
		Put: &storage.PutRequest{Key: "a", Size: 5, AnyOrder: true}, Upload: testUpload, Parts: []storage.Part{{Number: 1, Tag: etag, Size: 5}},
	})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.NotEqual(t, http.StatusConflict, e.Status, "the core must not begin another upload")
	asked := s.Requests()
	require.Len(t, asked, 8, "no part is removed")
	require.Equal(t, etag, asked[1].Header.Get("X-Ms-Source-If-Match"))
	for i, decided := range map[int]bool{3: true, 7: false} {
		marker := asked[i]
		require.Contains(t, marker.Path, "-begun")
		require.Equal(t, etag, marker.Header.Get("If-Match"))
		require.Equal(t, decided, marker.Header.Get("X-Ms-Meta-Omnibucketdecision") != "")
	}
	require.Equal(t, etag, asked[4].Header.Get("If-Match"))
}

func TestAnUploadEndsBeforeItsPartsAreRemoved(t *testing.T) {
	s := newScript(t, anObject(""), refusing(http.StatusForbidden, "AuthorizationFailure"))
	require.Error(t, s.driver(t).AbortParts(t.Context(), "a", testUpload))
	require.Len(t, s.Requests(), 2, "the marker is read, and removed first")
	require.Equal(t, http.MethodDelete, s.Requests()[1].Method)
	require.Contains(t, s.Requests()[1].Path, "-begun")
}

func TestPartsBecomeAtMostAsManyBlocksAsABlobHas(t *testing.T) {
	d := newScript(t).driver(t)
	d.copyBlock = 1
	u, err := parseOpenUpload(testUpload)
	require.NoError(t, err)
	parts := []storage.Part{{Number: 1, Size: maxBlocks}, {Number: 2}, {Number: 3, Size: 5}}
	ranges, size, err := d.partRanges(t.Context(), u, &storage.CompleteRequest{Put: &storage.PutRequest{Key: "a"}, Parts: parts})
	require.NoError(t, err)
	require.Equal(t, int64(maxBlocks+5), size)
	require.Len(t, ranges, 2)
	require.Equal(t, int64(maxBlocks), ranges[0].bytes.Count)
	ranges, _, err = d.partRanges(t.Context(), u, &storage.CompleteRequest{Put: &storage.PutRequest{Key: "a"}, Parts: parts[1:]})
	require.NoError(t, err)
	require.Len(t, ranges, 5)
}

func TestNamesOfOpenUploads(t *testing.T) {
	for _, name := range []string{"", "../" + testUpload, testUpload + "/", strings.ToUpper(testUpload), newUploadID()} {
		_, err := parseOpenUpload(name)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
	}
	require.True(t, isOpenUpload(testUpload[:32]), "as ListUploads tells it")
}
