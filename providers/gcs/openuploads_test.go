package gcs_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

// openDriver opens a bucket of the rule server without ParallelComposite.
func openDriver(t *testing.T, s *ruleServer) driver.Driver {
	t.Helper()
	d, err := gcs.NewDriver(t.Context(), gcs.Config{
		Bucket:     s.bucket(ruleBucket{}),
		Endpoint:   s.URL,
		SigningKey: signingkey.File(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// beginOpenUpload begins an upload whose parts come in any order, and returns its name.
func beginOpenUpload(t *testing.T, d driver.Driver, put *driver.PutRequest) string {
	t.Helper()
	put.AnyOrder = true
	put.Size = -1
	upload, err := d.BeginParts(t.Context(), put)
	require.NoError(t, err)
	return upload
}

// putPart stores the text as a part of an upload to "a".
func putPart(t *testing.T, d driver.Driver, upload string, number int, text string) driver.Part {
	t.Helper()
	part, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: number,
		Body:   strings.NewReader(text),
		Size:   int64(len(text)),
		CRC32C: wiretest.CRC32C(text),
	})
	require.NoError(t, err)
	return part
}

// Parts of an open upload may be sent in any order. If a part is sent again, its last content
// counts.
func TestPutPartAnyOrder(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	put := &driver.PutRequest{
		Key:        "a",
		Properties: storage.Properties{ContentType: "text/plain", StorageClass: "NEARLINE"},
		Condition:  storage.Condition{Absent: true},
	}
	upload := beginOpenUpload(t, d, put)

	// Another upload to the same key must not interfere.
	otherUpload := beginOpenUpload(t, d, &driver.PutRequest{Key: "a"})
	putPart(t, d, otherUpload, 1, "of the other upload")

	// Part 1 is sent after part 2, and then again.
	second := putPart(t, d, upload, 2, "!")
	putPart(t, d, upload, 1, "replaced")
	first := putPart(t, d, upload, 1, "hello")

	// CompleteParts makes the object, and removes the parts.
	put.Size, put.CRC32C = int64(len("hello!")), wiretest.CRC32C("hello!")
	complete := &driver.CompleteRequest{Put: put, Upload: upload, Parts: []driver.Part{first, second}}
	attrs, err := d.CompleteParts(t.Context(), complete)
	require.NoError(t, err)
	require.Equal(t, "NEARLINE", attrs.StorageClass)
	names := server.names(bucketOf(server))
	require.Contains(t, names, "a")
	require.Len(t, names, 3, "the object, and the marker and the part of the other upload: %v", names)

	// The upload is over. After an error with this Code, the engine looks for the object.
	_, err = d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "a", Upload: upload, Limit: 10})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	_, err = d.CompleteParts(t.Context(), complete)
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// ListParts lists the parts of an open upload in pages, in the order of their numbers. A part that was sent again is
// listed once, with its last content.
func TestListPartsPages(t *testing.T) {
	d := openDriver(t, startRuleServer(t))
	upload := beginOpenUpload(t, d, &driver.PutRequest{Key: "a"})
	otherUpload := beginOpenUpload(t, d, &driver.PutRequest{Key: "a"})
	putPart(t, d, otherUpload, 1, "of the other upload")
	putPart(t, d, upload, 2, "!")
	putPart(t, d, upload, 1, "replaced")
	putPart(t, d, upload, 1, "hello")

	firstPage, err := d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "a", Upload: upload, Limit: 1})
	require.NoError(t, err)
	require.True(t, firstPage.More)
	require.Len(t, firstPage.Parts, 1)
	require.Equal(t, 1, firstPage.Parts[0].Number)
	require.Equal(t, int64(len("hello")), firstPage.Parts[0].Size)
	require.Equal(t, wiretest.CRC32C("hello"), firstPage.Parts[0].CRC32C)

	secondPage, err := d.ListParts(t.Context(), &driver.ListPartsRequest{
		Key:    "a",
		Upload: upload,
		After:  1,
		Limit:  1,
	})
	require.NoError(t, err)
	require.False(t, secondPage.More)
	require.Len(t, secondPage.Parts, 1)
	require.Equal(t, 2, secondPage.Parts[0].Number)

	// The listed parts complete the upload.
	attrs, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", Size: int64(len("hello!")), CRC32C: wiretest.CRC32C("hello!")},
		Upload: upload,
		Parts:  slices.Concat(firstPage.Parts, secondPage.Parts),
	})
	require.NoError(t, err)
	require.Equal(t, wiretest.CRC32C("hello!"), attrs.CRC32C)
}

// If the object exists, CompleteParts with IfAbsent fails. The upload can then be aborted.
func TestCompletePartsIfAbsent(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	_, err := d.Put(t.Context(), wiretest.Put("a", "hello!"))
	require.NoError(t, err)

	upload := beginOpenUpload(t, d, &driver.PutRequest{Key: "a"})
	part := putPart(t, d, upload, 1, "x")

	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", AnyOrder: true, Condition: storage.Condition{Absent: true}},
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.ErrorIs(t, err, storage.PreconditionFailed)

	// AbortParts removes the parts, so only the object is left.
	require.NoError(t, d.AbortParts(t.Context(), "a", upload))
	require.Equal(t, []string{"a"}, server.names(bucketOf(server)))
}

// CompleteParts fails with Changed if a part was replaced after the caller had stored it.
func TestCompletePartsReplacedPart(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	put := &driver.PutRequest{Key: "a"}
	upload := beginOpenUpload(t, d, put)
	replaced := putPart(t, d, upload, 1, "old")
	putPart(t, d, upload, 1, "new")

	_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    put,
		Upload: upload,
		Parts:  []driver.Part{replaced},
	})
	require.ErrorIs(t, err, storage.Changed)
	require.NotContains(t, server.names(bucketOf(server)), "a")
}

// listUploads lists all uploads under a prefix in pages of two, and returns their names by key.
func listUploads(t *testing.T, d driver.Driver, prefix string) map[string]string {
	t.Helper()
	uploads := map[string]string{}
	for token := ""; ; {
		page, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{
			Prefix: prefix,
			Token:  token,
			Limit:  2,
		})
		require.NoError(t, err)
		for _, entry := range page.Uploads {
			require.WithinDuration(t, time.Now(), entry.Begun, time.Minute)
			uploads[entry.Key] = entry.Upload
		}
		if page.Token == "" {
			return uploads
		}
		token = page.Token
	}
}

// ListUploads lists what List hides: open uploads, and the parts of ParallelComposite.
func TestListUploadsHidden(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	uploads := map[string]string{} // by key
	for _, key := range []string{"a", "users/ü 7"} {
		uploads[key] = beginOpenUpload(t, d, &driver.PutRequest{Key: key})
	}

	// An upload of ParallelComposite has only parts, and is listed under a reserved key.
	const composite = "0123456789abcdef0123456789abcdef"
	putPart(t, d, composite, 1, "x")
	uploads[".omnibucket./parts/"+composite] = composite

	const allKeys = "" // the prefix
	require.Equal(t, uploads, listUploads(t, d, allKeys))
	require.Equal(t, map[string]string{"users/ü 7": uploads["users/ü 7"]}, listUploads(t, d, "users/"))

	page, err := d.List(t.Context(), &driver.ListRequest{Limit: 100})
	require.NoError(t, err)
	require.Empty(t, page.Entries)

	// All uploads that were listed can be aborted.
	for key, upload := range uploads {
		require.NoError(t, d.AbortParts(t.Context(), key, upload))
	}
	require.Empty(t, server.names(bucketOf(server)))
}

// PutPart of an aborted upload fails with ObjectNotFound, and leaves no part behind.
func TestPutPartOfAnAbortedUpload(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	upload := beginOpenUpload(t, d, &driver.PutRequest{Key: "a"})
	require.NoError(t, d.AbortParts(t.Context(), "a", upload))

	_, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: upload,
		Number: 1,
		Body:   strings.NewReader("x"),
		Size:   1,
	})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Empty(t, server.names(bucketOf(server)))
	require.Empty(t, listUploads(t, d, ""))
}

// A URL from SignPart stores only the part for which it was signed, with the class, the size and the checksum.
func TestSignPartStoresComponent(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)
	upload := beginOpenUpload(t, d, &driver.PutRequest{
		Key:        "a",
		Properties: storage.Properties{StorageClass: "NEARLINE"},
	})

	signedURL, err := d.SignPart(t.Context(), &driver.SignPartRequest{
		Key:    "a",
		Upload: upload,
		Number: 7,
		TTL:    time.Minute,
		Size:   5,
		CRC32C: wiretest.CRC32C("hello"),
	})
	require.NoError(t, err)

	// The URL has the key of the part, and signs the headers that the client must send.
	require.Equal(t, http.MethodPut, signedURL.Method)
	require.Contains(t, signedURL.URL,
		"/"+bucketOf(server)+"/.omnibucket./parts/"+strings.TrimSuffix(upload, "-NEARLINE")+"/0-000007?")
	require.Equal(t, http.Header{
		"X-Goog-Storage-Class":        {"NEARLINE"},
		"X-Goog-Content-Length-Range": {"5,5"},
		"X-Goog-Hash":                 {"crc32c=mnG7TA=="},
	}, signedURL.Header)
	require.Contains(t, signedURL.URL,
		"X-Goog-SignedHeaders=host%3Bx-goog-content-length-range%3Bx-goog-hash%3Bx-goog-storage-class")
}

// A URL from SignPart without a size, a checksum or a class requires no headers.
func TestSignPartWithoutHeaders(t *testing.T) {
	d := openDriver(t, startRuleServer(t))
	signedURL, err := d.SignPart(t.Context(), &driver.SignPartRequest{
		Key:    "a",
		Upload: beginOpenUpload(t, d, &driver.PutRequest{Key: "a"}),
		Number: 1,
		TTL:    time.Minute,
		Size:   -1,
	})
	require.NoError(t, err)
	require.Empty(t, signedURL.Header)
}

// SignPart and ListParts fail with InvalidArgument for a name that no upload can have.
func TestOpenUploadNames(t *testing.T) {
	d := openDriver(t, startRuleServer(t))
	for _, upload := range []string{"", "/upload/x", "../../z"} {
		_, err := d.SignPart(t.Context(), &driver.SignPartRequest{
			Key:    "a",
			Upload: upload,
			Number: 1,
			TTL:    time.Minute,
			Size:   -1,
		})
		require.ErrorIs(t, err, storage.InvalidArgument)

		_, err = d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "a", Upload: upload, Limit: 1})
		require.ErrorIs(t, err, storage.InvalidArgument)
	}
}

// Another completion makes no second object, even if the parts of the completed upload could not be removed.
func TestCompletePartsOnce(t *testing.T) {
	server := startRuleServer(t)
	bucket := server.bucket(ruleBucket{})
	wiretest.CompletedOnce(t, func(client *http.Client) storage.Bucket {
		b, err := gcs.Open(t.Context(), gcs.Config{Bucket: bucket, Endpoint: server.URL, HTTPClient: client})
		require.NoError(t, err)
		return b
	})
}
