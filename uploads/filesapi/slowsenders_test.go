package filesapi_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/rules"
)

// A user with 512 slow connections leaves memory for others, and loses the connections.
func TestFairShareOfSlowSenders(t *testing.T) {
	const connections, memory = 512, uploads.DefaultMemoryLimit
	fields := ""
	for name, value := range map[string]string{"originalFileName": "a.txt", "token": "token-1234", "count": "2", "part": "1"} {
		fields += "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}

	file := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nsome text"
	tests := []struct {
		path, start string
		status      int
	}{
		{"/files", file, http.StatusCreated},
		{"/temp-files", file, http.StatusCreated},
		{"/files/parts", fields + file, http.StatusAccepted},
		{"/temp-files/parts", fields + file, http.StatusAccepted},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := memstore.New()
				s, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(bucket)})
				require.NoError(t, err)
				h, err := filesapi.New(s, filesapi.Config{Authorize: func(r *http.Request) (uploads.User, error) {
					return uploads.User{ID: r.Header.Get("X-User")}, nil
				}})
				require.NoError(t, err)
				client := wiretest.OnPipes(t, &http.Server{Handler: h})
				send := func(user string, rest io.Reader) int {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://site.invalid"+tt.path, io.MultiReader(strings.NewReader(tt.start), rest))
					if err != nil {
						return 0
					}
					r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
					r.Header.Set("X-User", user)
					a, err := client.Do(r)
					if err != nil {
						return 0
					}
					_ = a.Body.Close()
					return a.StatusCode
				}
				var all sync.WaitGroup
				statuses := make([]int, connections)
				r, stop := io.Pipe()
				for i := range connections {
					all.Go(func() {
						statuses[i] = send("slow", r)
					})
				}
				synctest.Wait()
				pools := intake.Of(s)
				require.EqualValues(t, 8*memory/2, pools.Bodies.Used(), "half of what the bucket may hold")
				require.Equal(t, tt.status, send("alice", strings.NewReader("\r\n--x--\r\n")))

				time.Sleep(5 * time.Minute)
				require.Zero(t, pools.Bodies.Used(), "they are disconnected")
				require.Zero(t, pools.Feeds.Used())

				require.NoError(t, stop.Close())
				all.Wait()
				require.Contains(t, statuses, http.StatusServiceUnavailable)
			})
		})
	}
}
