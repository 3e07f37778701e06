package s3server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// signedPath returns the path of a signed GET. The query that it gets ends with "?" or "&".
func (s *store) signedPath(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, s.URL+path+"X-Amz-Expires=600", nil)
	require.NoError(t, err)
	key := aws.Credentials{AccessKeyID: s.Credentials().AccessKeyID, SecretAccessKey: s.Credentials().SecretKey}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", "s3", s3server.DefaultRegion, time.Now())
	require.NoError(t, err)
	return strings.TrimPrefix(signed, s.URL)
}

// TestClientsThatReadNothingHoldLittleMemory has clients that ask for the largest pages and read
// only the beginning of the response.
func TestClientsThatReadNothingHoldLittleMemory(t *testing.T) {
	const keys, clients, most = 1000, 20, 64 << 20
	if os.Getenv(storeVariable) != "" {
		t.Skip("the store does not matter")
	}
	s := start(t, s3server.Config{Limits: s3server.Limits{IdleTimeout: 10 * time.Second}})
	b := s.Bucket(bucket)
	defer func() { require.NoError(t, storage.Close(b)) }()
	for i := range keys {
		_, err := b.Upload(t.Context(), fmt.Sprintf("%04d", i)+strings.Repeat("&", 1000), strings.NewReader(""))
		require.NoError(t, err)
	}
	for name, query := range map[string]string{"objects": "?list-type=2&", "versions": "?versions=&"} {
		t.Run(name, func(t *testing.T) {
			path, status := s.signedPath(t, "/photos"+query), make([]int, clients)
			var group sync.WaitGroup
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			connections := make([]net.Conn, clients)
			for i := range clients {
				connections[i] = dial(t, s)
				require.NoError(t, connections[i].(*net.TCPConn).SetReadBuffer(4096))
				group.Go(func() {
					_, _ = fmt.Fprintf(connections[i], "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, strings.TrimPrefix(s.URL, "http://"))
					if response, err := http.ReadResponse(bufio.NewReader(connections[i]), nil); err == nil {
						status[i] = response.StatusCode
					}
				})
			}
			group.Wait()
			runtime.GC()
			runtime.ReadMemStats(&after)
			served := map[int]int{}
			for _, code := range status {
				served[code]++
			}
			require.Equal(t, clients, served[200]+served[503], "%v", served)
			require.Positive(t, served[200])
			require.Positive(t, served[503])
			require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(most+16<<20))
			for _, connection := range connections {
				require.NoError(t, connection.Close())
			}
			require.Eventually(t, func() bool { return s.Busy() == 0 }, 20*time.Second, time.Millisecond)
			require.Len(t, s.keys(t), keys)
		})
	}
}
