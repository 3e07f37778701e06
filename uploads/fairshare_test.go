package uploads_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A slowWay is a way of uploading in which the server receives the bytes. request prepares a user's request. The number
// becomes a part of the file's name.
type slowWay struct {
	name    string
	request func(s *sessionSite, user string, number int) (method, address string, h headers)
}

var slowWays = []slowWay{
	{name: "a form", request: requestOfForm},
	{name: "S3, one request", request: requestOfSingle},
	{name: "S3 parts", request: requestOfPart},
	{name: "the draft", request: requestOfDraft},
}

func requestOfForm(*sessionSite, string, int) (method, address string, h headers) {
	return "POST", "/", headers{"Content-Type": "multipart/form-data; boundary=x"}
}

func requestOfSingle(s *sessionSite, user string, number int) (method, address string, h headers) {
	var upload struct{ URL string }
	s.get(user, "/s3/params?filename="+strconv.Itoa(number)).json(s.t, &upload)
	return "PUT", upload.URL, nil
}

func requestOfPart(s *sessionSite, user string, number int) (method, address string, h headers) {
	u := &multipartUpload{s: s, user: user}
	s.post(user, "/s3/multipart", map[string]any{"filename": strconv.Itoa(number)}).json(s.t, u)
	var part struct{ URL string }
	s.get(user, u.path("/1")).json(s.t, &part)
	return "PUT", part.URL, nil
}

func requestOfDraft(*sessionSite, string, int) (method, address string, h headers) {
	return "POST", "/tus/", headers{"Upload-Complete": "?1"}
}

// A user opens many connections and sends nothing on them. Other users still get connections and memory, and the slow
// connections are closed in the end.
func TestFairShareOfSlowConnections(t *testing.T) {
	const (
		slowConnections    = 512
		servedConnections  = slowConnections / 2 // of the slow user, because one user gets memory for no more
		refusedConnections = slowConnections - servedConnections
		memoryOfServed     = servedConnections * uploads.FeedBytes // bytes
	)
	for _, way := range slowWays {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSynctestSite(t, memstore.New(), uploads.Config{
					Key:        "{user}/{random}{ext}",
					Rules:      rules.Any(1 << 20),
					ProxyParts: true,
				})

				// The slow user opens all connections. No body ends until done is closed.
				done := make(chan struct{})
				var refusals atomic.Int32
				var slow sync.WaitGroup
				for number := range slowConnections {
					slow.Go(func() {
						resp := way.send(s, "slow", number, eofAfter(done))
						if resp != nil && resp.StatusCode == http.StatusServiceUnavailable {
							refusals.Add(1)
						}
					})
				}
				synctest.Wait()
				require.EqualValues(t, memoryOfServed, s.handler.FeedsUsed())

				// Another user is served while these connections are open.
				begin := time.Now()
				for number := range 10 {
					resp := way.send(s, alice, number, strings.NewReader(formEnd))
					require.NotNil(t, resp)
					require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))
				}
				require.Less(t, time.Since(begin), 10*time.Second)

				// In the end, the slow connections are refused or closed.
				time.Sleep(5 * time.Minute)
				require.Zero(t, s.handler.FeedsUsed())
				close(done)
				slow.Wait()
				require.GreaterOrEqual(t, int(refusals.Load()), refusedConnections)
			})
		})
	}
}

// A form with one text file begins with formHeader and ends with formEnd. Both are also sent in the ways without a
// form, where all bytes belong to the file.
const (
	formHeader = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
	formEnd    = "\r\n--x--\r\n"
)

// send sends the start of a form with some text, and then the bytes of rest. It returns nil if the
// connection breaks.
func (w slowWay) send(s *sessionSite, user string, number int, rest io.Reader) *answer {
	method, address, h := w.request(s, user, number)
	start := formHeader + strings.Repeat("some text\n", 10)
	body := io.MultiReader(strings.NewReader(start), rest)
	resp, _ := s.try(s.t.Context(), user, method, address, body, h)
	return resp
}
