package nullazure

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

func start(t *testing.T) (*nullserver.Server, *azblob.Client) {
	t.Helper()
	s, err := nullserver.Start(Service{}, nullserver.Options{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	key, err := azblob.NewSharedKeyCredential(Account, base64.StdEncoding.EncodeToString([]byte("key")))
	require.NoError(t, err)
	client, err := azblob.NewClientWithSharedKeyCredential(s.URL+"/"+Account, key, nil)
	require.NoError(t, err)
	return s, client
}

func requests(t *testing.T, s *nullserver.Server) map[string]int {
	t.Helper()
	counts, err := nullserver.Counts(http.DefaultClient, s.URL)
	require.NoError(t, err)
	return counts
}

// The server counts each request under the name of its operation.
func TestCountsByName(t *testing.T) {
	for _, row := range []struct{ method, path, operation string }{
		{"PUT", "/container/key", PutBlob},
		{"PUT", "/container/a/b?comp=block&blockid=AA==", PutBlock},
		{"PUT", "/container/a/b?comp=blocklist", PutBlockList},
		{"GET", "/container/10/key", GetBlob},
		{"HEAD", "/container/10/key", GetBlobProperties},
		{"DELETE", "/container/key", DeleteBlob},
		{"GET", "/container?restype=container&comp=list&prefix=10/", ListBlobs},
		{"PUT", "/container/key?comp=tier", "PUT blob tier"},
		{"POST", "/container?restype=container&comp=batch", "POST container batch"},
	} {
		t.Run(row.operation, func(t *testing.T) {
			s, _ := start(t)
			request, err := http.NewRequestWithContext(t.Context(), row.method, s.URL+"/"+Account+row.path, strings.NewReader("body"))
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, map[string]int{row.operation: 1}, requests(t, s))
		})
	}
}

func TestSDKUploads(t *testing.T) {
	s, client := start(t)
	_, err := client.UploadBuffer(t.Context(), "container", "one", make([]byte, 100), nil)
	require.NoError(t, err)
	_, err = client.UploadStream(t.Context(), "container", "blocks", bytes.NewReader(make([]byte, 5<<19)), nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{PutBlob: 1, PutBlock: 3, PutBlockList: 1}, requests(t, s))
}

func TestSDKDownloads(t *testing.T) {
	s, client := start(t)
	response, err := client.DownloadStream(t.Context(), "container", "5000/name", nil)
	require.NoError(t, err)
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Len(t, data, 5000)
	require.Equal(t, fmt.Sprintf("%08x-5000", nullserver.CRC32C(5000)), *response.Metadata["Omnibucket_crc32c"])

	got, err := client.DownloadBuffer(t.Context(), "container", "5000/name", make([]byte, 5000), &azblob.DownloadBufferOptions{BlockSize: 1000})
	require.NoError(t, err)
	require.EqualValues(t, 5000, got)
	require.Equal(t, map[string]int{GetBlob: 6}, requests(t, s))
}

// The number at the beginning of a listing's prefix sets how many blobs the server lists.
func TestListPrefixSetsTheLength(t *testing.T) {
	s, client := start(t)
	pages := client.NewListBlobsFlatPager("container", &azblob.ListBlobsFlatOptions{Prefix: to.Ptr("2500/"), MaxResults: to.Ptr(int32(1000))})
	var keys []string
	for pages.More() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, item := range page.Segment.BlobItems {
			keys = append(keys, *item.Name)
		}
	}
	require.Len(t, keys, 2500)
	require.IsIncreasing(t, keys)
	require.Equal(t, map[string]int{ListBlobs: 3}, requests(t, s))
}
