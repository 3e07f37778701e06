package uploads_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A slowWay prepares a request whose bytes pass the server.
type slowWay struct {
	name    string
	request func(s *sessionSite, user string, i int) (method, address string, h headers)
}

var slowWays = []slowWay{
	{"a form", func(*sessionSite, string, int) (string, string, headers) {
		return "POST", "/", headers{"Content-Type": "multipart/form-data; boundary=x"}
	}},
	{"S3, one request", func(s *sessionSite, user string, i int) (string, string, headers) {
		var upload struct{ URL string }
		s.do(user, "GET", "/s3/params?filename="+strconv.Itoa(i), nil, nil).json(s.t, &upload)
		return "PUT", upload.URL, nil
	}},
	{"S3 parts", func(s *sessionSite, user string, i int) (string, string, headers) {
		u := &begun{s: s, user: user}
		s.post(user, "/s3/multipart", map[string]any{"filename": strconv.Itoa(i)}).json(s.t, u)
		var part struct{ URL string }
		s.do(user, "GET", u.path("/1"), nil, nil).json(s.t, &part)
		return "PUT", part.URL, nil
	}},
	{"the draft", func(*sessionSite, string, int) (string, string, headers) {
		return "POST", "/tus/", headers{"Upload-Complete": "?1"}
	}},
}

// A user with 512 slow connections leaves connections and memory for other users, and loses the slow connections.
// This holds for each way whose bytes pass through the server.
func TestFairShareOfSlowConnections(t *testing.T) {
	const connections = 512
	start := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n" + strings.Repeat("some text\n", 10)
	for _, way := range slowWays {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSiteOnPipes(t, memstore.New(), uploads.Config{Key: "{user}/{random}{ext}", Rules: rules.Any(1 << 20), ProxyParts: true})
				send := func(user string, i int, rest io.Reader) *answer {
					method, address, h := way.request(s, user, i)
					a, _ := s.try(t.Context(), user, method, address, io.MultiReader(strings.NewReader(start), rest), h)
					return a
				}
				done := make(chan struct{})
				refusals := 0
				var all sync.WaitGroup
				var mu sync.Mutex
				for i := range connections {
					all.Go(func() {
						a := send("slow", i, &until{done})
						mu.Lock()
						defer mu.Unlock()
						if a != nil && a.StatusCode == http.StatusServiceUnavailable {
							refusals++
						}
					})
				}
				synctest.Wait()
				require.EqualValues(t, connections/2*uploads.FeedBytes, s.handler.FeedsUsed())
				begin := time.Now()
				for i := range 10 {
					a := send(alice, i, bytes.NewReader([]byte("\r\n--x--\r\n")))
					require.NotNil(t, a)
					require.Less(t, a.StatusCode, 300, string(a.body))
				}
				require.Less(t, time.Since(begin), 10*time.Second)

				time.Sleep(5 * time.Minute)
				require.Zero(t, s.handler.FeedsUsed(), "they are disconnected")
				close(done)
				all.Wait()
				require.GreaterOrEqual(t, refusals, connections/2)
			})
		})
	}
}
