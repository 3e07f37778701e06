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
	tests := []struct{ method, path, want string }{
		{method: "PUT", path: "/container/key", want: PutBlob},
		{method: "PUT", path: "/container/a/b?comp=block&blockid=AA==", want: PutBlock},
		{method: "PUT", path: "/container/a/b?comp=blocklist", want: PutBlockList},
		{method: "GET", path: "/container/10/key", want: GetBlob},
		{method: "HEAD", path: "/container/10/key", want: GetBlobProperties},
		{method: "DELETE", path: "/container/key", want: DeleteBlob},
		{method: "GET", path: "/container?restype=container&comp=list&prefix=10/", want: ListBlobs},
		{method: "PUT", path: "/container/key?comp=tier", want: "PUT blob tier"},
		{method: "POST", path: "/container?restype=container&comp=batch", want: "POST container batch"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			s, _ := start(t)
			address := s.URL + "/" + Account + tt.path
			request, err := http.NewRequestWithContext(t.Context(), tt.method, address, strings.NewReader("body"))
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, map[string]int{tt.want: 1}, requests(t, s))
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
