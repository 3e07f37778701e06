package azure_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
)

// names returns the names of all blobs, including this package's own.
func (s *azuriteServer) names(t *testing.T, container string) (names []string) {
	t.Helper()
	for pager := s.raw.NewContainerClient(container).NewListBlobsFlatPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		require.NoError(t, err)
		for _, item := range page.Segment.BlobItems {
			names = append(names, *item.Name)
		}
	}
	return names
}

// openBucket opens a new container of the emulator, and returns its name, too.
func openBucket(t *testing.T) (*azuriteServer, string, storage.Bucket) {
	t.Helper()
	server := needAzurite(t)
	name := server.container(t)
	bucket := server.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return server, name, bucket
}

// beginUpload begins an open upload to the key.
func beginUpload(t *testing.T, bucket storage.Bucket, key string, opts ...storage.MultipartOption) storage.MultipartUpload {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), bucket, key, opts...)
	require.NoError(t, err)
	return u
}

// Open uploads to one key at the same time do not disturb each other.
func TestBeginUploadToOneKey(t *testing.T) {
	// Three uploads to one key begin. The third one has IfAbsent, so it must not replace an object.
	server, name, bucket := openBucket(t)
	uploads := []struct {
		text   string
		upload storage.MultipartUpload
	}{
		{text: "first", upload: beginUpload(t, bucket, "a")},
		{text: "second", upload: beginUpload(t, bucket, "a")},
	}
	creation := beginUpload(t, bucket, "a", storage.IfAbsent())

	// Each upload gets a part.
	for _, u := range uploads {
		part, err := u.upload.PutPart(t.Context(), 1, strings.NewReader(u.text))
		require.NoError(t, err)
		require.Regexp(t, `^".+"$`, part.ETag)
	}
	part, err := creation.PutPart(t.Context(), 1, strings.NewReader("created"))
	require.NoError(t, err)
	require.Regexp(t, `^".+"$`, part.ETag)

	// Another write creates the object before the uploads complete.
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("written meanwhile"))
	require.NoError(t, err)

	// An upload without a condition replaces the object when it completes, and then takes no more parts.
	for _, u := range uploads {
		attrs, err := u.upload.Complete(t.Context())
		require.NoError(t, err)
		require.True(t, attrs.CRC32C.Known)

		got, stored, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Equal(t, u.text, string(got))
		require.Equal(t, attrs.CRC32C, stored.CRC32C)

		_, err = u.upload.PutPart(t.Context(), 1, strings.NewReader("too late"))
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}

	// The upload with IfAbsent fails, and can be aborted.
	_, err = creation.Complete(t.Context())
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.NoError(t, creation.Abort(t.Context()))
	_, err = creation.Parts(t.Context())
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, []string{"a"}, server.names(t, name), "no parts may be left in the container")
}

// putURL sends the text to a URL by PUT, and returns the status of the response.
func putURL(t *testing.T, url string, header http.Header, text string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(text))
	require.NoError(t, err)
	r.Header = header.Clone()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// A URL from SignPart can store only the part that it was signed for.
func TestSignPartStoresThatPart(t *testing.T) {
	_, _, bucket := openBucket(t)
	u := beginUpload(t, bucket, "a", storage.WithUncheckedParts(), storage.WithStorageClass("Cool"))

	// The URL stores the part, and can be used again to replace it.
	signedURL, err := u.SignPart(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, http.Header{"X-Ms-Blob-Type": {"BlockBlob"}}, signedURL.Header)
	require.Equal(t, http.StatusCreated, putURL(t, signedURL.URL, signedURL.Header, "first"))
	require.Equal(t, http.StatusCreated, putURL(t, signedURL.URL, signedURL.Header, "again"))

	// The signature fits no other object: neither "a", nor another part, nor the marker of the upload.
	address, signature, _ := strings.Cut(signedURL.URL, "?")
	container, _, _ := strings.Cut(address, "/.omnibucket//")
	folderOfUpload := address[:strings.LastIndex(address, "/")]
	for _, forged := range []string{
		container + "/a",
		strings.TrimSuffix(address, "1") + "2",
		folderOfUpload + "/-begun",
	} {
		require.Equal(t, http.StatusForbidden, putURL(t, forged+"?"+signature, signedURL.Header, "x"), forged)
	}

	// A forged checksum, which would make the object unreadable, is ignored.
	forging := signedURL.Header.Clone()
	forging.Set("X-Ms-Meta-Omnibucket_crc32c", "00000000-5")
	forging.Set("X-Ms-Meta-Omnibucket_proof", "AAAA")
	require.Equal(t, http.StatusCreated, putURL(t, signedURL.URL, forging, "final"))
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Len(t, parts, 1)
	require.False(t, parts[0].CRC32C.Known)
	require.EqualValues(t, len("final"), parts[0].Size)

	// The object has the last part that was stored.
	attrs, err := u.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Cool", attrs.StorageClass)

	got, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "final", string(got))

	// Without WithUncheckedParts, a signed part needs a checksum. SignPart fails, because Azure
	// would not enforce the checksum.
	checked := beginUpload(t, bucket, "b")
	_, err = checked.SignPart(t.Context(), 1, storage.WithCRC32C(7))
	require.ErrorIs(t, err, storage.Unsupported)
}

// If a part is replaced after Complete has listed the parts, Complete lists and copies them again. The object then has
// the new part.
func TestCompletePartsReplacedPart(t *testing.T) {
	server, name, bucket := openBucket(t)
	u := beginUpload(t, bucket, "a")
	_, err := u.PutPart(t.Context(), 1, strings.NewReader("old"))
	require.NoError(t, err)

	// The bucket replacing is of the same container. Its first call of CompleteParts replaces the
	// part before it begins.
	isReplaced := false
	replacing := server.open(t, name, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "CompleteParts" && !isReplaced {
				isReplaced = true
				_, err := u.PutPart(ctx, 1, strings.NewReader("new"))
				require.NoError(t, err)
			}
			return next(ctx)
		})
	}))
	t.Cleanup(func() {
		require.NoError(t, storage.Close(replacing))
	})

	// The bucket replacing completes the upload. It replaces the part after the parts were listed
	// and before they are copied.
	continued, err := storage.ContinueUpload(t.Context(), replacing, u.Token())
	require.NoError(t, err)
	_, err = continued.Complete(t.Context())
	require.NoError(t, err, "the parts must be listed and copied again")
	require.True(t, isReplaced)

	got, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "new", string(got))
}

// List hides the parts of open uploads, but no other objects.
func TestListHidesParts(t *testing.T) {
	_, _, bucket := openBucket(t)
	u := beginUpload(t, bucket, "a")
	_, err := u.PutPart(t.Context(), 1, strings.NewReader("x"))
	require.NoError(t, err)

	slash := storage.WithDelimiter("/")
	require.Empty(t, foldermarker.Keys(t, bucket))
	require.Empty(t, foldermarker.Keys(t, bucket, slash))
	require.Empty(t, foldermarker.Keys(t, bucket, slash, storage.WithPrefix(".omnibucket/")))

	// List returns other objects, even those with keys next to the parts.
	for _, key := range []string{".omnibucket/zzz", "z"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.Equal(t, []string{".omnibucket/zzz", "z"}, foldermarker.Keys(t, bucket))
	require.Equal(t, []string{".omnibucket/", "z"}, foldermarker.Keys(t, bucket, slash))
	require.Equal(t, []string{".omnibucket/zzz"},
		foldermarker.Keys(t, bucket, slash, storage.WithPrefix(".omnibucket/")))
}

// ListUploads yields the open uploads. It also yields the prefix of leftover parts, whose upload
// has ended. AbortUpload removes each entry.
func TestListUploads(t *testing.T) {
	server, name, bucket := openBucket(t)
	beginUpload(t, bucket, "a")
	beginUpload(t, bucket, "users/ü 7")

	// A part without a marker belongs to an upload that has ended.
	orphans := ".omnibucket//parts/0123456789abcdef0123456789abcdef"
	part := server.raw.NewContainerClient(name).NewBlockBlobClient(orphans + "/0-000001")
	_, err := part.UploadBuffer(t.Context(), []byte("x"), nil)
	require.NoError(t, err)

	listUploads := func(opts ...storage.ListOption) (keys []string) {
		for entry, err := range storage.ListUploads(t.Context(), bucket, opts...) {
			require.NoError(t, err)
			keys = append(keys, entry.Key)
		}
		slices.Sort(keys)
		return keys
	}

	// Some leftover parts belong to no upload. The listing shows them together, under the prefix orphans.
	require.Equal(t, []string{orphans, "a", "users/ü 7"}, listUploads())
	require.Equal(t, []string{"users/ü 7"}, listUploads(storage.WithPrefix("users/")))

	// Aborting all listed uploads leaves no blob.
	for entry, err := range storage.ListUploads(t.Context(), bucket) {
		require.NoError(t, err)
		require.NoError(t, storage.AbortUpload(t.Context(), bucket, entry))
	}
	require.Empty(t, server.names(t, name))
}

// A second completion makes no second object, even if the parts of the completed upload could not
// be removed.
func TestCompletePartsOnce(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	wiretest.CompletedOnce(t, func(client *http.Client) storage.Bucket {
		bucket, err := azure.Open(t.Context(), azure.Config{
			Bucket:     name,
			Endpoint:   server.endpoint,
			HTTPClient: client,
		})
		require.NoError(t, err)
		return bucket
	})
}

// A closedService is an HTTP transport to an account whose service may not read the sources of
// copies.
type closedService struct {
	http.RoundTripper
	refused atomic.Int32
}

// RoundTrip refuses each request that names the source of a copy, and passes on all others.
func (c *closedService) RoundTrip(r *http.Request) (*http.Response, error) {
	//lint:ignore SA1008 the SDK spells it so, and Get would not find it
	if r.Header["x-ms-copy-source"] == nil {
		return c.RoundTripper.RoundTrip(r)
	}
	c.refused.Add(1)
	return &http.Response{
		StatusCode: http.StatusForbidden,
		Status:     "403 Forbidden",
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Body:       http.NoBody,
		Request:    r,
		Header:     http.Header{"X-Ms-Error-Code": {"CannotVerifyCopySource"}, "X-Ms-Request-Id": {"R1"}},
	}, nil
}

// Complete makes the object even if Azure refuses to copy the parts itself, because the service may
// not read them. The driver then downloads the parts, and sends them.
func TestBeginUploadServiceMayNotRead(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)

	// The service refuses each request to read a part.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	closed := &closedService{RoundTripper: transport}
	bucket, err := azure.Open(t.Context(), azure.Config{
		Bucket:     name,
		Endpoint:   server.endpoint,
		HTTPClient: &http.Client{Transport: closed},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	// Upload an object in two parts of 3 MiB and a short one.
	u := beginUpload(t, bucket, "a")
	parts := []string{strings.Repeat("one", 1<<20), strings.Repeat("two", 1<<20), "end"}
	for i, text := range parts {
		_, err := u.PutPart(t.Context(), i+1, strings.NewReader(text))
		require.NoError(t, err)
	}

	attrs, err := u.Complete(t.Context())
	require.NoError(t, err)
	require.NotZero(t, closed.refused.Load(), "the driver must ask the service first")

	// The object has the parts and their checksum, and no part stays.
	got, existing, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, strings.Join(parts, ""), string(got))
	require.True(t, existing.CRC32C.Known)
	require.Equal(t, attrs.CRC32C, existing.CRC32C)
	require.Equal(t, []string{"a"}, server.names(t, name))

	// Copy and Compose succeed, too.
	_, err = storage.Copy(t.Context(), bucket, "copy", bucket, "a")
	require.NoError(t, err)
	_, err = storage.Compose(t.Context(), bucket, "joined", []string{"a", "copy"})
	require.NoError(t, err)
}

// With Config.Client, Complete makes the object, although the driver has no credential with which
// Azure could read the parts.
func TestBeginUploadWithConfigClient(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	bucket, err := azure.Open(t.Context(), azure.Config{Bucket: name, Client: server.raw})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	u := beginUpload(t, bucket, "a")
	for i, text := range []string{"one", "two"} {
		_, err := u.PutPart(t.Context(), i+1, strings.NewReader(text))
		require.NoError(t, err)
	}
	_, err = u.Complete(t.Context())
	require.NoError(t, err)

	got, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "onetwo", string(got))
	require.Equal(t, []string{"a"}, server.names(t, name))
}
