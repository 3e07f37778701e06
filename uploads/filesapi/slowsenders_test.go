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

// A user with 512 slow connections gets at most half of the memory for request bodies, so that other users can upload.
// The slow connections are cut off within five minutes.
func TestFairShareOfSlowSenders(t *testing.T) {
	const (
		connections = 512
		bodyMemory  = 8 * uploads.DefaultMemoryLimit // limit for the bodies of all users
	)
	tests := []struct {
		path       string
		start      string // of the form, up to the middle of its file
		wantStatus int    // of a complete upload
	}{
		{path: "/files", start: startOfFile, wantStatus: http.StatusCreated},
		{path: "/temp-files", start: startOfFile, wantStatus: http.StatusCreated},
		{path: "/files/parts", start: startOfPart(), wantStatus: http.StatusAccepted},
		{path: "/temp-files/parts", start: startOfPart(), wantStatus: http.StatusAccepted},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, service := newClientOnPipes(t)
				send := func(user string, rest io.Reader) (status int) {
					return sendForm(t, client, tt.path, user, io.MultiReader(strings.NewReader(tt.start), rest))
				}

				// All connections of the slow user send the start of a form, and then nothing more.
				var slowSenders sync.WaitGroup
				statuses := make([]int, connections)
				silence, endOfSilence := io.Pipe()
				for i := range connections {
					slowSenders.Go(func() {
						statuses[i] = send("slow", silence)
					})
				}
				synctest.Wait()

				// The slow connections hold only half of the memory.
				pools := intake.Of(service)
				require.EqualValues(t, bodyMemory/2, pools.Bodies.Used())

				// Another user sends a complete form.
				const endOfForm = "\r\n--x--\r\n"
				require.Equal(t, tt.wantStatus, send("alice", strings.NewReader(endOfForm)))

				// The slow connections are cut off, and hold no memory any more.
				time.Sleep(5 * time.Minute)
				require.Zero(t, pools.Bodies.Used())
				require.Zero(t, pools.Feeds.Used())
				require.NoError(t, endOfSilence.Close())
				slowSenders.Wait()
				require.Contains(t, statuses, http.StatusServiceUnavailable)
			})
		})
	}
}

// startOfFile is the form of a file, up to the middle of the file.
const startOfFile = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nsome text"

// startOfPart returns the form of a part, up to the middle of its file.
func startOfPart() string {
	form := ""
	for name, value := range map[string]string{"originalFileName": "a.txt", "token": "token-1234", "count": "2", "part": "1"} {
		form += "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	return form + startOfFile
}

// newClientOnPipes returns a service, and a client of its file API. They need no network, so
// synctest.Wait works. The header X-User names the user of a request.
func newClientOnPipes(t *testing.T) (*http.Client, *uploads.Service) {
	t.Helper()
	bucket := memstore.New()
	s, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(bucket)})
	require.NoError(t, err)
	h, err := filesapi.New(s, filesapi.Config{Authorize: func(r *http.Request) (uploads.User, error) {
		return uploads.User{ID: r.Header.Get(userHeader)}, nil
	}})
	require.NoError(t, err)
	return wiretest.OnPipes(t, &http.Server{Handler: h}), s
}

// sendForm sends a form as a user. It returns the status of the response, or 0 if there is none.
func sendForm(t *testing.T, client *http.Client, path, user string, form io.Reader) (status int) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://site.invalid"+path, form)
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set(userHeader, user)
	response, err := client.Do(r)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
